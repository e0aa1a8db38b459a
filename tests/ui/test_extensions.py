"""Forms drawn from schemas, and read back into what a request carries."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import gradio as gr
import pytest
from PIL import Image
from pydantic import BaseModel, Field

from tests.narrowing import known, untyped
from tests.ui.fakes import FakeEngine
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ActionCall, ActionInfo, ActionOutcome, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.engine.acting import ActionJob, ActionOfExtension
from webui.extension_api import ImageField, Options
from webui.jobs.job import Job
from webui.plugins.catalog import Catalog
from webui.plugins.options import schema_of
from webui.ui import extension_forms, extension_views, markup
from webui.ui.album import Album
from webui.ui.page import build


class Unit(BaseModel):
    enabled: bool = False
    weight: float = Field(1.0, ge=0, le=2)
    image: ImageField | None = None
    model: str = Field("", json_schema_extra={"model": "lora"})
    rest: tuple[float, ...] | None = None


class ToyOptions(Options):
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


@pytest.fixture
def accordions() -> extension_views.Accordions:
    with gr.Blocks(analytics_enabled=False):
        return extension_views.draw_accordions([INFO, BAD], "txt2img", lambda kind: ["a.safetensors"])


def values_of(accordions: extension_views.Accordions, request: GenerationRequest) -> dict[Any, Any]:
    def plain(update: Any) -> Any:
        return update["value"] if isinstance(update, dict) else update

    shown = {control: plain(update) for control, update in accordions.show(request).items()}
    return {control: shown.get(control) for control in accordions.components}


def test_only_what_works_and_takes_options_is_drawn(accordions: extension_views.Accordions) -> None:
    assert [one.info.name for one in accordions.entries] == ["toy"]


def test_nothing_is_named_until_it_is_used(accordions: extension_views.Accordions) -> None:
    assert accordions.read(values_of(accordions, GenerationRequest())) == {}


OPTIONS = [
    {},
    {"on": False, "mode": "b", "amount": 0.25, "words": ["x"]},
    {"units": [{"enabled": True, "weight": 0.5, "model": "a.safetensors"}, {"enabled": True, "rest": [1.0]}]},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_what_is_shown_can_be_read_back(accordions: extension_views.Accordions, options: Mapping[str, Any]) -> None:
    read = accordions.read(values_of(accordions, GenerationRequest(extensions={"toy": dict(options)})))["toy"]
    assert ToyOptions.model_validate(read) == ToyOptions.model_validate(options)


def test_an_uploaded_picture_becomes_base64(accordions: extension_views.Accordions, tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), "red").save(tmp_path / "picture.png")
    values = values_of(accordions, GenerationRequest(extensions={"toy": {"units": [{"enabled": True}]}}))
    _, control = accordions.entries[0].form.controls["units", 0, "image"]
    values[control] = {"path": str(tmp_path / "picture.png")}
    unit = ToyOptions.model_validate(accordions.read(values)["toy"]).units[0]
    assert (known(unit.image).width, known(unit.image).height) == (3, 2)
    values[control] = {"path": str(tmp_path / "none.png")}
    with pytest.raises(BadRequestError, match=r"units\.0\.image"):
        accordions.read(values)


def test_a_wrong_text_is_refused_by_its_place(accordions: extension_views.Accordions) -> None:
    values = values_of(accordions, GenerationRequest(extensions={"toy": {}}))
    values[accordions.entries[0].form.controls[("amount",)][1]] = "much"
    with pytest.raises(BadRequestError, match="amount: should be a number"):
        accordions.read(values)


def test_an_accordion_bears_the_title_of_the_manifest(engine: FakeEngine, tmp_path: Path) -> None:
    schema = schema_of(Unlisted)
    named = ExtensionInfo("toy", "toy_net", options=schema, heading="ToyNet")
    engine.extensions = Catalog([named, ExtensionInfo("other", "other_one", options=schema)])
    page = build(engine, temp_dir=tmp_path)
    labels = {block.label for block in page.blocks.values() if isinstance(block, gr.Accordion)}
    assert {"ToyNet", "Other one"} <= labels


def test_the_page_has_tabs_of_actions_and_the_list(engine: FakeEngine, tmp_path: Path) -> None:
    schema = schema_of(Unlisted)
    actions = (ActionInfo("do", "Do it", schema), ActionInfo("list", "List", schema, light=True))
    engine.extensions = Catalog([ExtensionInfo("toy", "toy", options=schema, actions=actions), BAD])
    page = build(engine, temp_dir=tmp_path)
    tabs = [block.label for block in page.blocks.values() if isinstance(block, gr.Tab)]
    assert "Do it" in tabs
    assert "Extensions" in tabs
    assert "List" not in tabs
    assert {handler.api_visibility for handler in page.fns.values()} == {"private"}


def test_the_list_escapes_what_extensions_say() -> None:
    text = markup.extensions([INFO, BAD])
    assert "&lt;b&gt;no&lt;/b&gt;" in text
    assert "line &lt;1&gt;" in text
    assert "There are no extensions" in markup.extensions([])


def test_an_action_is_followed_to_its_end(engine: FakeEngine, tmp_path: Path) -> None:
    kind = ActionOfExtension(engine.library.refresh)
    job = Job("j", kind, ActionCall("toy", "do", {}), SimpleNamespace())
    job.note_end(ActionOutcome("done <well>", images=(Image.new("RGB", (2, 2)),)))
    asked: list[Any] = []

    def act(*given: Any) -> ActionJob:
        asked.append(given)
        return job

    untyped(engine).act = act
    with gr.Blocks(analytics_enabled=False):
        form = extension_forms.draw(INFO.actions[0].schema, "do", lambda kind: [])
        parts = gr.HTML(), gr.HTML(), gr.Gallery(), gr.State("")
    tab = extension_views._ActionTab(engine, Album(tmp_path), INFO, INFO.actions[0], form, *parts)

    async def collect() -> list[dict[Any, Any]]:
        return [update async for update in tab.run(dict.fromkeys(form.components))]

    updates = asyncio.run(collect())
    assert asked[0][:2] == ("toy", "do")
    assert "done &lt;well&gt;" in updates[-1][tab.status]
    assert len(updates[-1][tab.gallery]["value"]) == 1
