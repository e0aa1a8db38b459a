"""Axes of extensions: what is declared is an axis, and a value of it stands where the option does."""

from typing import Any

import pytest

from tests.experiments.courses import run
from webui.domain.dialect import Dialect, Word
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.experiments.axis_list import listed
from webui.experiments.extension_axes import option_axes
from webui.experiments.origin import Surroundings, origin_of
from webui.experiments.xyz_plot import XYZ_PLOT

SCHEMA: dict[str, Any] = {
    "$defs": {
        "Unit": {
            "properties": {
                "weight": {"type": "number", "minimum": 0, "maximum": 2, "title": "Weight"},
                "mode": {"type": "string", "enum": ["Balanced", "Prompt"], "title": "Mode"},
                "image": {"anyOf": [{"type": "string", "contentEncoding": "base64"}, {"type": "null"}]},
            }
        }
    },
    "properties": {
        "units": {"type": "array", "items": {"$ref": "#/$defs/Unit"}, "maxItems": 10},
        "presets": {"type": "string", "maxLength": 100_000},
        "active": {"type": "boolean", "title": "Active"},
        "inner": {"type": "object", "properties": {"count": {"type": "integer", "title": "Count"}}},
    },
}
INFOS = (
    ExtensionInfo("control", "control", options=SCHEMA, heading="Control"),
    ExtensionInfo("off", "off", state="disabled", options=SCHEMA),
)
REQUEST = GenerationRequest(
    prompt="a cat <lora:ink:0.5>", seed=1, extensions={"control": {"units": [{"weight": 1.0}, {"weight": 0.5}]}}
)
AROUND = Surroundings(
    choices={"loras": ("ink",)},
    options=tuple(option_axes(INFOS)),
    faces={"codeformer": ("faces", {"share": 1.0}), "gfpgan": ("faces", {"share": 0.0})},
)


def asked(axis: str, values: str, request: GenerationRequest = REQUEST) -> list[GenerationRequest]:
    """The requests of a plot along one axis."""
    return list(run(XYZ_PLOT.start(request, [axis, values, []], AROUND))[1])


def test_every_declared_option_is_listed_under_its_extension() -> None:
    axes = {axis.id: axis for axis in listed(AROUND) if axis.group == "Control"}
    names = [f"control.{number}.{name}" for number in range(3) for name in ("weight", "mode")]
    assert list(axes) == [*names, "control.active", "control.inner.count"]
    weight = axes["control.1.weight"]
    assert (weight.label, weight.kind, weight.low, weight.high) == ("[Control] Weight (2)", "number", 0, 2)
    assert axes["control.0.mode"].choices == ("Balanced", "Prompt")
    assert axes["control.active"].choices == ("Yes", "No")
    assert axes["control.inner.count"].step == 1
    assert {"lora.ink:weight", "face_restore"} < {axis.id for axis in listed(AROUND)}


@pytest.mark.parametrize(
    ("axis", "values", "options"),
    [
        ("control.1.weight", "0.2, 0.4", [{"units": [{"weight": 1.0}, {"weight": one}]} for one in (0.2, 0.4)]),
        ("[Control] Mode (1)", "Prompt", [{"units": [{"weight": 1.0, "mode": "Prompt"}, {"weight": 0.5}]}]),
        ("control.active", "No", [dict(REQUEST.extensions["control"]) | {"active": False}]),
        ("control.inner.count", "3", [dict(REQUEST.extensions["control"]) | {"inner": {"count": 3}}]),
    ],
)
def test_a_value_stands_where_the_option_does(axis: str, values: str, options: list[Any]) -> None:
    assert [one.extensions["control"] for one in asked(axis, values)] == options
    assert REQUEST.extensions["control"]["units"] == [{"weight": 1.0}, {"weight": 0.5}]  # nothing was changed in place


def test_an_extension_is_named_by_its_axis_and_an_entry_is_not() -> None:
    plain = REQUEST.with_(extensions={})
    assert [one.extensions for one in asked("control.active", "Yes", plain)] == [{"control": {"active": True}}]
    with pytest.raises(BadRequestError, match=r"script_args\.1.*no entry 1"):
        asked("control.0.weight", "1", plain)


def test_the_weight_of_a_network_is_changed_in_the_prompt_or_put_there() -> None:
    assert [one.prompt for one in asked("lora.ink:weight", "0-1 [3]")] == [
        "a cat <lora:ink:0>", "a cat <lora:ink:0.5>", "a cat <lora:ink:1>"
    ]  # fmt: skip
    tagged = REQUEST.with_(prompt="<lora:ink:1:lbw=ALL> a cat")
    assert asked("lora.ink:weight", "0.7", tagged)[0].prompt == "<lora:ink:0.7:lbw=ALL> a cat"
    assert asked("lora.other:weight", "0.7", tagged)[0].prompt == "<lora:ink:1:lbw=ALL> a cat <lora:other:0.7>"


def test_faces_are_restored_by_a1111s_words() -> None:
    words = asked("Face restore", "CodeFormer, gfpgan, None", REQUEST.with_(extensions={}))
    assert [one.extensions for one in words] == [{"faces": {"share": 1.0}}, {"faces": {"share": 0.0}}, {}]
    with pytest.raises(BadRequestError, match="no extension that restores faces"):
        XYZ_PLOT.start(REQUEST, ["Face restore", "GFPGAN", []], Surroundings())


def test_what_a_plot_is_made_of_is_stored_with_the_options_that_it_varies() -> None:
    origin = XYZ_PLOT.start(REQUEST, ["control.1.weight", "0.2, 0.4", []], AROUND).origin
    assert origin is not None
    again = origin_of(origin.text())
    assert again is not None
    assert [one.id for one in again.around.options] == ["control.1.weight"]
    first, second = (XYZ_PLOT.start(one.request, one.arguments, one.around).plan for one in (origin, again))
    assert first is not None
    assert second is not None
    assert first.cells == second.cells
    assert origin_of("{}") is None


def test_words_for_faces_come_from_the_extension_that_declares_them() -> None:
    from webui.engine.script_surroundings import _faces

    dialect = Dialect(
        generation=(
            Word(name="restore_faces", asks=True),
            Word(name="face_restoration_model", setting=True, default="B", meanings={"A": {"x": 1}, "B": {"x": 2}}),
        )
    )
    found = _faces([ExtensionInfo("f", "f", dialect=dialect)])
    assert {word: options["x"] for word, (_, options) in found.items()} == {
        "true": 2, "yes": 2, "y": 2, "1": 2, "a": 1, "b": 2
    }  # fmt: skip
