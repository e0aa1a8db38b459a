"""What the control of a field is follows from its schema."""

from typing import Any

import gradio as gr
import pytest
from gradio.components import Component

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.ui import forms
from webui.ui.create.form import Form, flatten
from webui.ui.layout import Pen

LEAVES = forms.request_leaves()


def draw_all(request: GenerationRequest = GenerationRequest()) -> Form:
    with gr.Blocks(analytics_enabled=False):
        pen = Pen(request)
        for name in LEAVES:
            pen.draw(name)
    return pen.form()


FORM = draw_all()


def value_of(control: Component) -> Any:
    return getattr(control, "value", None)


@pytest.mark.parametrize("name", LEAVES)
def test_every_field_can_be_drawn_and_starts_at_its_default(name: str) -> None:
    default = LEAVES[name].get("default", "")
    long = LEAVES[name].get("type") == "integer" and LEAVES[name].get("maximum", 0) > 2**53
    is_text = LEAVES[name].get("items", {}).get("type") == "number"
    assert value_of(FORM.controls[name]) == (
        "" if default in (None, {}) or is_text else str(default) if long else default
    )


def test_a_list_of_numbers_travels_as_text() -> None:
    schema = LEAVES["schedule.sigmas"]
    assert forms.shown((14.6, 1.0, 0.0), schema) == "14.6 1 0"
    assert forms.plain("schedule.sigmas", "14.6, 1\n0", schema) == (14.6, 1.0, 0.0)
    assert forms.plain("schedule.sigmas", " ", schema) == ()
    with pytest.raises(BadRequestError, match="numbers with spaces"):
        forms.plain("schedule.sigmas", "14 x", schema)


@pytest.mark.parametrize("name", ["seed", "subseed"])
@pytest.mark.parametrize("seed", [2**53 + 1, 6687881544318117707, 2**64 - 1])
def test_seeds_that_a_browser_would_round_travel_as_text(name: str, seed: int) -> None:
    schema = LEAVES[name]
    assert forms.shown(seed, schema) == str(seed)
    assert GenerationRequest(**{name: forms.plain(name, str(seed), schema)}) == GenerationRequest(**{name: seed})
    assert forms.plain(name, " ", schema) == -1


def test_a_slider_is_as_wide_as_is_handy_and_no_narrower_than_its_value() -> None:
    padding = FORM.controls["task.inpainting.padding"]
    assert isinstance(padding, gr.Slider)
    assert padding.maximum == 256
    wide = draw_all(GenerationRequest(batch_size=12)).controls["batch_size"]
    assert isinstance(wide, gr.Slider)
    assert wide.maximum == 12


def test_pictures_and_masks_are_no_fields_of_the_form() -> None:
    assert not [name for name in LEAVES if name.rpartition(".")[2] in ("image", "further_images", "mask", "first_pass")]


def test_a_field_of_unknown_kind_is_refused_when_the_page_is_built() -> None:
    with gr.Blocks(analytics_enabled=False), pytest.raises(TypeError, match="strange"):
        forms.draw("strange", {"type": "null"}, value=None)


def test_a_request_is_flattened_to_what_it_has() -> None:
    flat = flatten(GenerationRequest(prompt="a"))
    assert flat["prompt"] == "a"
    assert flat["noise.eta"] is None
    assert "refiner.checkpoint" not in flat
    assert "task.denoising_strength" not in flat
