"""Forms made from schemas and hints, and read back into what a request carries."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import gradio as gr
import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from tests.narrowing import known
from tests.ui.fakes import FakeEngine
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ActionInfo, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.upscale import Upscale
from webui.extension_api import ImageField, Options, form_hint, hint
from webui.plugins.catalog import Catalog
from webui.plugins.loader import load_all
from webui.plugins.options import schema_of
from webui.ui import upscale_tab
from webui.ui.forms_of_extensions.action_forms import form_of_action
from webui.ui.forms_of_extensions.drawn_form import DrawnField, drawn_form
from webui.ui.forms_of_extensions.extension_sections import GROUPS, ExtensionSections, SectionsDrawing, form_of
from webui.ui.forms_of_extensions.option_values import read_options, shown_options
from webui.ui.forms_of_extensions.plain_words import plain_label, plain_value
from webui.ui.page import build

ROOT = Path(__file__).parents[2]


class Unit(BaseModel):
    enabled: bool = Field(False, json_schema_extra=hint(control="master"))
    weight: float = Field(1.0, ge=0, le=2)
    image: ImageField | None = None
    model: str = Field("", json_schema_extra=hint(model="lora"))
    rest: tuple[float, ...] | None = None


class ToyOptions(Options):
    model_config = ConfigDict(json_schema_extra=form_hint(group="quality", summary="{mode}"))

    on: bool = True
    mode: Literal["a", "b"] = "a"
    amount: float | None = Field(None, ge=0, le=1)
    words: tuple[str, ...] = ()
    units: tuple[Unit, ...] = Field((), max_length=2)


class Unlisted(Options):
    on: bool = True


INFO = ExtensionInfo(
    "toy", "toy", description="A toy", options=schema_of(ToyOptions),
    actions=(ActionInfo("do", "Do it", schema_of(ToyOptions)), ActionInfo("list", "List", {}, light=True)),
)  # fmt: skip
BAD = ExtensionInfo("bad", "bad", state="failed", error="<b>no</b>", traceback="line <1>")
FORM = form_of(INFO)


@pytest.fixture
def sections() -> ExtensionSections:
    with gr.Blocks(analytics_enabled=False):
        drawing = SectionsDrawing([INFO, BAD], "txt2img")
        for group in GROUPS:
            drawing.draw(group)
        return drawing.sections


def values_of(sections: ExtensionSections, request: GenerationRequest) -> dict[Any, Any]:
    def plain(update: Any) -> Any:
        return update["value"] if isinstance(update, dict) else update

    return {control: plain(update) for control, update in sections.show(request).items()}


def test_only_what_works_and_takes_options_is_drawn(sections: ExtensionSections) -> None:
    assert [one.name for one in sections.entries] == ["toy"]


def test_a_form_stands_in_the_group_that_its_options_ask_for() -> None:
    with gr.Blocks(analytics_enabled=False):
        drawing = SectionsDrawing([INFO], "txt2img")
        drawing.draw("composition")
        assert drawing.drawn == []
        drawing.draw("quality")
        assert [one.name for one in drawing.drawn] == ["toy"]


def test_nothing_is_named_until_it_is_used(sections: ExtensionSections) -> None:
    assert sections.read(values_of(sections, GenerationRequest())) == {}


OPTIONS = [
    {},
    {"on": False, "mode": "b", "amount": 0.25, "words": ["x"]},
    {"units": [{"enabled": True, "weight": 0.5, "model": "a.safetensors"}, {"enabled": True, "rest": [1.0]}]},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_what_is_shown_can_be_read_back(sections: ExtensionSections, options: Mapping[str, Any]) -> None:
    read = sections.read(values_of(sections, GenerationRequest(extensions={"toy": dict(options)})))["toy"]
    assert ToyOptions.model_validate(read) == ToyOptions.model_validate(options)


def test_an_uploaded_picture_becomes_base64(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), "red").save(tmp_path / "picture.png")
    values: dict[str, Any] = {"units": [{"enabled": True, "image": {"path": str(tmp_path / "picture.png")}}]}
    unit = ToyOptions.model_validate(read_options(FORM.fields, values, "extensions.toy")).units[0]
    assert (known(unit.image).width, known(unit.image).height) == (3, 2)
    values["units"][0]["image"] = {"path": str(tmp_path / "none.png")}
    with pytest.raises(BadRequestError, match=r"extensions\.toy\.units\.0\.image"):
        read_options(FORM.fields, values, "extensions.toy")


def test_pictures_of_a_request_are_not_sent_to_the_page() -> None:
    shown = shown_options(FORM.fields, {"units": [{"weight": 0.5, "image": "iVBORw0KGgo="}]})
    assert shown == {"units": [{"weight": 0.5}]}


def test_what_the_page_keeps_for_itself_is_not_sent() -> None:
    read = read_options(FORM.fields, {"units": [{"~choice": "Depth", "weight": 1.5}], "~open": True}, "x")
    assert read == {"units": [{"enabled": True, "weight": 1.5}]}


def test_a_unit_that_was_switched_off_says_so() -> None:
    assert read_options(FORM.fields, {"units": [{"enabled": False}]}, "x") == {"units": [{"enabled": False}]}


@pytest.mark.parametrize("values", [{"units": {}}, {"units": ["no"]}, {"units": [{"image": "C:/secret.png"}]}])
def test_values_of_another_shape_are_refused_by_their_place(values: Mapping[str, Any]) -> None:
    with pytest.raises(BadRequestError, match=r"x\.units"):
        read_options(FORM.fields, values, "x")


def every_field(fields: tuple[DrawnField, ...]) -> Iterator[DrawnField]:
    for field in fields:
        yield field
        yield from every_field(field.fields)


def bundled_forms() -> Iterator[tuple[str, tuple[DrawnField, ...]]]:
    for info in load_all(ROOT / "extensions").infos:
        assert (info.state, info.notice) == ("ok", ""), info.error or info.notice
        if info.options is not None:
            yield info.name, form_of(info).fields
        for action in info.actions:
            yield f"{info.name}.{action.name}", form_of_action(info, action).fields
    yield "upscale", upscale_tab.form().fields


def test_no_bundled_form_shows_a_raw_name() -> None:
    seen = 0
    for form, fields in bundled_forms():
        for field in every_field(fields):
            seen += 1
            texts = [field.label, *(label for value, label in field.choices if field.control in ("segments", "cards"))]
            for text in texts:
                assert text, f"{form}: {field.name} has no label"
                assert "_" not in text, f"{form}: {field.name} is shown as {text!r}"
                assert not text[0].islower() or any(map(str.isdigit, text)), f"{form}: {field.name}: {text!r}"
    assert seen > 80


def test_every_bundled_option_has_a_control_made_for_it() -> None:
    plain = {f"{form}.{field.name}" for form, fields in bundled_forms() for field in fields if field.control == "json"}
    # options of light actions, which have no form
    assert plain == {
        "controlnet.lacking.options", "detailer.lacking.options", "regions.region_places.options",
        "trainer.data_set_write.captions",
    }  # fmt: skip


def test_hints_alone_make_the_forms_of_controlnet_and_of_merging() -> None:
    forms = dict(bundled_forms())
    [units] = forms["controlnet"]
    assert units.control == "units"
    assert units.most == 10
    by_name = {field.name: field for field in units.fields}
    assert by_name["image"].preview == "detect"
    assert by_name["guidance_start"].range == by_name["guidance_end"].range != ""
    assert known(units.form.chooser).narrows == {"module": "module_list", "model": "model_list"}
    merge = {field.name: field for field in forms["checkpoint_merge.merge"]}
    assert [merge[name].control for name in ("a", "b", "c", "method", "alpha_blocks")] == [
        "model", "model", "model", "cards", "bars",
    ]  # fmt: skip
    assert [card.value for card in merge["method"].cards][:2] == ["weighted_sum", "add_difference"]


def test_names_become_plain_words() -> None:
    assert plain_label("guidance_start") == "Guidance start"
    assert plain_label("low_vram") == "Low VRAM"
    assert [plain_value(one) for one in ("leave_out", "DPM++ 2M", "fp16", "keep")] == [
        "Leave out", "DPM++ 2M", "fp16", "Keep",
    ]  # fmt: skip


class Plain(Options):
    share: float = Field(0.5, ge=0, le=1, description="of the whole")
    count: int = 3
    huge: int = Field(0, ge=0, le=10**6)
    kind: Literal["this_one", "that_one"] = "this_one"
    many: Literal["a", "b", "c", "d", "e"] = "a"
    note: str = ""
    odd: dict[str, int] = Field({})


def test_options_without_hints_still_get_fitting_controls() -> None:
    fields = {field.name: field for field in drawn_form(schema_of(Plain)).fields}
    assert {name: field.control for name, field in fields.items()} == {
        "share": "slider", "count": "number", "huge": "number", "kind": "segments", "many": "choice", "note": "text",
        "odd": "json",
    }  # fmt: skip
    assert fields["kind"].choices == (("this_one", "This one"), ("that_one", "That one"))
    assert fields["share"].help == "Of the whole"


def test_hints_of_an_earlier_program_do_not_stop_the_page() -> None:
    schema = {"properties": {"a": {"type": "boolean", "form": {"gone": 1}}}, "form": {"gone": 1}}
    assert [field.control for field in drawn_form(schema).fields] == ["switch"]


def test_the_page_has_the_forms_of_actions_in_models_and_extensions(engine: FakeEngine, tmp_path: Path) -> None:
    class OfFiles(Options):
        file: str = Field("", json_schema_extra=hint(model="checkpoint"))

    actions = (
        ActionInfo("do", "Do it", schema_of(Unlisted)),
        ActionInfo("list", "List", schema_of(Unlisted), light=True),
        ActionInfo("mix", "Mix files", schema_of(OfFiles)),
    )
    engine.extensions = Catalog([ExtensionInfo("toy", "toy", options=schema_of(Unlisted), actions=actions), BAD])
    page = build(engine)
    tabs = {block.label: block.parent for block in page.blocks.values() if isinstance(block, gr.Tab)}
    assert {"Do it", "Mix files", "Browse", "Installed"} <= tabs.keys()
    assert "List" not in tabs
    assert tabs["Mix files"] is tabs["Browse"]
    assert tabs["Do it"] is tabs["Installed"]
    assert {handler.api_visibility for handler in page.fns.values()} == {"private"}


def test_the_upscale_tab_reads_what_it_shows(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6), "blue").save(tmp_path / "small.png")
    form = upscale_tab.form()
    value = {
        "pictures": [{"path": str(tmp_path / "small.png")}],
        "options": {"upscaler": "Nearest", "mode": "by", "scale": 3, "second_visibility": 0.25, "~own": 1},
        "extensions": {"gone": {}},
    }
    request = upscale_tab.request_of(value, form)
    task = request.task
    assert isinstance(task, Upscale)
    assert (task.upscaler, task.scale, task.second_visibility, task.images[0].width) == ("Nearest", 3, 0.25, 8)
    assert request.extensions == {}
    with pytest.raises(BadRequestError, match="choose a picture first"):
        upscale_tab.request_of({}, form)
    with pytest.raises(BadRequestError, match="scale"):
        upscale_tab.request_of({**value, "options": {"scale": 99}}, form)
