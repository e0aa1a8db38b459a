"""What a field is follows from its schema, and what the controls show can be read back."""

from typing import Any

import gradio as gr
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webui.domain.errors import BadRequestError
from webui.domain.parameters.pictures import MORE
from webui.domain.parameters.table import ROWS
from webui.domain.request import GenerationRequest, Noise, Refiner, Schedule
from webui.ui import forms, picture_form
from webui.ui.layout import Pen

LEAVES = forms.leaves(GenerationRequest)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
REQUESTS = st.builds(
    GenerationRequest,
    prompt=TEXT,
    negative_prompt=TEXT,
    styles=st.lists(TEXT, max_size=3).map(tuple),
    steps=st.integers(1, 150),
    cfg_scale=st.floats(0, 100),
    width=st.integers(1, 60).map(lambda eighths: 8 * eighths),
    seed=st.integers(-1, 2**64 - 1),
    refiner=st.none() | st.builds(Refiner, checkpoint=st.just("other"), switch_at=st.floats(0.01, 1)),
    noise=st.builds(Noise, eta=st.none() | st.floats(0, 1), source=st.sampled_from(["CPU", "GPU", "NV"])),
    schedule=st.builds(Schedule, rho=st.floats(0, 100), quantize=st.booleans()),
    extensions=st.dictionaries(TEXT, st.dictionaries(TEXT, st.integers() | TEXT, max_size=2), max_size=2),
)


def draw_all(request: GenerationRequest = GenerationRequest()) -> forms.Form:
    with gr.Blocks(analytics_enabled=False):
        pen = Pen(request)
        for name in LEAVES:
            pen.draw(name)
    return pen.form()


def values_of(form: forms.Form, request: GenerationRequest) -> dict[Any, Any]:
    return {control: update["value"] for control, update in form.show(request).items()}


FORM = draw_all()


@pytest.mark.parametrize("name", LEAVES)
def test_every_field_can_be_drawn_and_starts_at_its_default(name: str) -> None:
    default = LEAVES[name].get("default", "")
    long = LEAVES[name].get("type") == "integer" and LEAVES[name].get("maximum", 0) > 2**53
    assert FORM.controls[name].value == ("" if default in (None, {}) else str(default) if long else default)


@pytest.mark.parametrize("name", ["seed", "subseed"])
@pytest.mark.parametrize("seed", [2**53 + 1, 6687881544318117707, 2**64 - 1])
def test_seeds_that_a_browser_would_round_travel_as_text(name: str, seed: int) -> None:
    values = values_of(FORM, GenerationRequest(**{name: seed}))
    assert values[FORM.controls[name]] == str(seed)
    assert getattr(FORM.read(values), name) == seed
    assert getattr(FORM.read({**values, FORM.controls[name]: " "}), name) == -1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUESTS)
def test_what_is_shown_is_read_back(request: GenerationRequest) -> None:
    assert FORM.read(values_of(FORM, request)) == request


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 900),
        ("steps", None),
        ("seed", 1.5),
        ("width", 513),
        ("cfg_scale", float("nan")),
        ("noise.eta", 3),
        ("sampler", "Nobody"),
        ("extensions", "{"),
        ("unipc.variant", "bh9"),
    ],
)
def test_an_error_is_one_sentence_that_names_the_field(name: str, value: object) -> None:
    values = {**values_of(FORM, GenerationRequest()), FORM.controls[name]: value}
    with pytest.raises(BadRequestError) as caught:
        FORM.read(values)
    assert caught.value.field.startswith(name)
    assert "\n" not in str(caught.value)


def test_a_value_beyond_the_handy_range_widens_the_slider() -> None:
    width = FORM.controls["width"]
    assert isinstance(width, gr.Slider)
    assert width.maximum == 2048
    assert FORM.show(GenerationRequest(width=4096))[width]["maximum"] == 4096


def test_only_the_named_fields_are_shown() -> None:
    updates = FORM.show(GenerationRequest(prompt="a cat", steps=3), ("prompt",))
    assert [*updates] == [FORM.controls["prompt"]]


def test_a_field_of_unknown_kind_is_refused_when_the_page_is_built() -> None:
    with gr.Blocks(analytics_enabled=False), pytest.raises(TypeError, match="strange"):
        forms.draw("strange", {"type": "null"}, value=None)


def test_what_a_row_puts_into_the_group_of_img2img_is_drawn_there() -> None:
    with gr.Blocks(analytics_enabled=False):
        options, _, _ = picture_form.draw_options()
    wanted = [row for row in ROWS if row.group == MORE]
    assert wanted
    for row in wanted:
        assert options[row.path.removeprefix("task.")].label == row.label
