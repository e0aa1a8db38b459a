"""What the form reads from its controls: every field in its mode, nothing of parts that are off, and errors by name."""

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from webui.domain.errors import BadRequestError
from webui.domain.hires import Hires
from webui.domain.inpainting import Inpainting, SoftInpainting
from webui.domain.parameters.leaves import MISSING, value_at
from webui.domain.request import (
    SDXL,
    GenerationRequest,
    Guidance,
    Img2Img,
    Noise,
    PromptRules,
    Refiner,
    Schedule,
    TokenMerging,
    Txt2Img,
    UniPC,
)
from webui.ui import forms
from webui.ui.create.creation import CreateForm
from webui.ui.create.form import Form
from webui.ui.create.modes import MODES, Mode, reads
from webui.ui.create.settings_pane import draw
from webui.ui.layout import Pen

LEAVES = forms.request_leaves()
NOT_DRAWN = {"task.inpainting.mask_blur_y"}  # it follows the blur of the other axis
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
HIRES = st.builds(Hires, enabled=st.just(True), scale=st.floats(1, 2), steps=st.integers(0, 150), prompt=TEXT,
                  cfg_scale=st.none() | st.floats(0, 100))  # fmt: skip
REQUESTS = st.builds(
    GenerationRequest,
    prompt=TEXT,
    negative_prompt=TEXT,
    styles=st.lists(TEXT, max_size=3).map(tuple),
    task=st.builds(Txt2Img, hires=st.just(Hires()) | HIRES),
    steps=st.integers(1, 150),
    cfg_scale=st.floats(0, 100),
    width=st.integers(1, 60).map(lambda eighths: 8 * eighths),
    seed=st.integers(-1, 2**64 - 1),
    subseed=st.integers(-1, 2**64 - 1),
    clip_skip=st.integers(1, 12),
    refiner=st.none() | st.builds(Refiner, checkpoint=st.just("other"), switch_at=st.floats(0.01, 1)),
    noise=st.builds(Noise, eta=st.none() | st.floats(0, 1), source=st.sampled_from(["CPU", "GPU", "NV"])),
    schedule=st.builds(Schedule, rho=st.floats(0, 100), quantize=st.booleans()),
    guidance=st.builds(Guidance, rescale=st.floats(0, 1)),
    extensions=st.dictionaries(TEXT, st.dictionaries(TEXT, st.integers() | TEXT, max_size=2), max_size=2),
)
# One request that has another value than usual in every part that has a switch.
EVERYTHING = GenerationRequest(
    prompt="a", subseed=5, subseed_strength=0.5, tiling=True, clip_skip=2, refiner=Refiner(checkpoint="x"),
    noise=Noise(eta=0.5), guidance=Guidance(rescale=0.5), prompting=PromptRules(emphasis="None"),
    unipc=UniPC(order=2), token_merging=TokenMerging(ratio=0.5), sdxl=SDXL(crop_top=8),
    task=Txt2Img(hires=Hires(enabled=True, scale=1.5)), extensions={"unknown": {"x": 1}},
)  # fmt: skip


def drawn(request: GenerationRequest = GenerationRequest()) -> CreateForm:
    with gr.Blocks(analytics_enabled=False):
        pen = Pen(request)
        for name in ("prompt", "negative_prompt", "styles"):
            pen.draw(name)
        for name in ("checkpoint", "vae"):
            pen.choice(name, [(value, value) for value in ("", "mini", "Automatic")])
        tools = draw(pen)
        mode, canvas = gr.Textbox("txt2img"), gr.JSON(None)
    return CreateForm(pen.form(), mode, canvas, tools.transparency, tools.mask_details)


FORM = drawn()


def values_of(create: CreateForm, **changes: Any) -> dict[Any, Any]:
    """What a browser sends of a form that nobody touched, but for these controls by their field (dots are `__`)."""
    values = {control: getattr(control, "value", None) for control in create.components}
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return {**values, **{create.form.controls[name]: value for name, value in named.items()}}


def shown(form: Form, request: GenerationRequest, before: dict[Any, Any]) -> dict[Any, Any]:
    return {**before, **{control: update["value"] for control, update in form.show(request).items()}}


def switched(create: CreateForm, *titles: str) -> dict[Any, bool]:
    """The switches of these parts on, all others off."""
    return {part.switch: part.title in titles for part in create.form.parts}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of uploads, with a picture, a mask of its left half, and paint in a corner."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    noise = np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "picture.png")
    mask = np.zeros((48, 64), np.uint8)
    mask[:, :32] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    paint = np.zeros((48, 64, 4), np.uint8)
    paint[:8, -8:] = (255, 0, 0, 255)
    Image.fromarray(paint).save(tmp_path / "paint.png")
    return tmp_path


def drawing(files: Path, *layers: str, **more: Any) -> dict[str, Any]:
    return {**{name: {"path": str(files / f"{name}.png")} for name in layers}, **more}


def test_every_field_has_one_control_and_starts_at_its_default() -> None:
    controls = FORM.form.controls
    assert set(controls) == set(LEAVES) - NOT_DRAWN
    assert len({*controls.values()}) == len(controls)
    assert len({control.elem_id for control in FORM.components if control.elem_id}) > len(controls)
    assert FORM.read({**values_of(FORM), controls["vae"]: "Automatic"}) == GenerationRequest()


def test_every_field_belongs_to_one_part_at_most() -> None:
    fields = [name for part in FORM.form.parts for name in part.fields]
    assert len(fields) == len({*fields})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUESTS)
def test_what_is_shown_is_read_back(request: GenerationRequest) -> None:
    assert FORM.read(shown(FORM.form, request, values_of(FORM))) == request


def test_what_is_shown_over_another_request_is_read_back() -> None:
    before = shown(FORM.form, EVERYTHING, values_of(FORM))
    assert FORM.read(before) == EVERYTHING
    assert FORM.read(shown(FORM.form, GenerationRequest(prompt="b"), before)) == GenerationRequest(prompt="b")


def test_a_form_made_of_a_request_has_the_parts_on_that_it_uses() -> None:
    create = drawn(EVERYTHING)
    assert create.read({**values_of(create), create.form.controls["vae"]: "Automatic"}) == EVERYTHING.with_(
        checkpoint=""
    )
    assert not [part.title for part in drawn().form.parts if part.switch.value]


@pytest.mark.parametrize("part", FORM.form.parts, ids=lambda part: part.title)
def test_a_part_that_is_off_sends_nothing(part: Any) -> None:
    request = GenerationRequest(extensions={"unknown": {"x": 1}}, **{
        name: value for name, value in EVERYTHING if name not in ("extensions",)
    })  # fmt: skip
    values = {**shown(FORM.form, request, values_of(FORM)), part.switch: False}
    read = FORM.read(values)
    for name in part.fields:
        if value_at(read, name) is not MISSING:
            assert value_at(read, name) == value_at(GenerationRequest(), name), name


def test_the_values_of_a_part_come_back_when_it_is_switched_on_again() -> None:
    before = shown(FORM.form, EVERYTHING, values_of(FORM))
    off = {**before, **switched(FORM)}
    assert FORM.read(off).task == Txt2Img()
    pasted = shown(FORM.form, GenerationRequest(), off)
    assert FORM.read({**pasted, **switched(FORM, "Hires. fix")}).task == EVERYTHING.task


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_reads_its_own_fields(mode: Mode, files: Path) -> None:
    layers = drawing(files, "picture", "mask")
    everything_on = switched(FORM, *(part.title for part in FORM.form.parts if part.title != "Outpaint"))
    values = {
        **values_of(FORM, refiner__checkpoint="x", vae="Automatic", task__denoising_strength=0.4),
        **everything_on, FORM.mode: mode, FORM.canvas: layers,
    }  # fmt: skip
    request = FORM.read(values)
    assert request.task.kind == ("txt2img" if mode == "txt2img" else "img2img")
    for name in FORM.form.controls:
        if not name.startswith("task.outpainting"):
            assert (value_at(request, name) is not MISSING) == reads(mode, name), name


def test_img2img_starts_from_the_picture_with_its_paint(files: Path) -> None:
    values = {**values_of(FORM, vae="Automatic", task__denoising_strength=0.4), FORM.mode: "img2img"}
    plain = FORM.read({**values, FORM.canvas: drawing(files, "picture")}).task
    assert isinstance(plain, Img2Img)
    assert plain.image.open().tobytes() == Image.open(files / "picture.png").tobytes()
    assert (plain.denoising_strength, plain.image_cfg_scale, plain.inpainting, plain.outpainting) == (
        0.4,
        1.5,
        None,
        None,
    )
    painted = FORM.read({**values, FORM.canvas: drawing(files, "picture", "paint", "mask")}).task
    assert isinstance(painted, Img2Img)
    assert painted.inpainting is None
    assert painted.image.open().getpixel((60, 2)) == (255, 0, 0)


def test_inpainting_has_its_mask_and_options(files: Path) -> None:
    values = {
        **values_of(FORM, vae="Automatic", task__inpainting__area="masked", task__inpainting__mask_blur_x=7),
        FORM.mode: "inpaint", FORM.canvas: drawing(files, "picture", "mask"),
    }  # fmt: skip
    task = FORM.read(values).task
    assert isinstance(task, Img2Img)
    made = task.inpainting
    assert isinstance(made, Inpainting)
    assert (made.area, made.mask_blur_x, made.mask_blur_y, made.soft) == ("masked", 7, 7, None)
    assert (made.mask.open().getpixel((0, 0)), made.mask.open().getpixel((63, 0))) == (255, 0)
    soft = FORM.read({**values, **switched(FORM, "Soft inpainting")}).task
    assert isinstance(soft, Img2Img)
    assert soft.inpainting is not None
    assert soft.inpainting.soft == SoftInpainting()


def test_colours_painted_while_inpainting_are_a_mask_too(files: Path) -> None:
    values = {**values_of(FORM, vae="Automatic", task__inpainting__mask_blur_x=0), FORM.mode: "inpaint"}
    alone = FORM.read({**values, FORM.canvas: drawing(files, "picture", "paint")}).task
    both = FORM.read({**values, FORM.canvas: drawing(files, "picture", "paint", "mask")}).task
    faint = FORM.read({
        **values, FORM.transparency: 40, FORM.mask_details: True, FORM.canvas: drawing(files, "picture", "paint"),
    }).task  # fmt: skip
    masks = []
    for task in (alone, both, faint):
        assert isinstance(task, Img2Img)
        assert task.inpainting is not None
        masks.append(task.inpainting.mask.open())
    corner, left = (60, 2), (2, 40)
    assert [mask.getpixel(corner) for mask in masks] == [255, 255, 153]
    assert [mask.getpixel(left) for mask in masks] == [0, 255, 0]


def test_a_frame_that_was_dragged_or_typed_grows_the_picture(files: Path) -> None:
    values = {**values_of(FORM, vae="Automatic"), FORM.mode: "inpaint"}
    dragged = drawing(files, "picture", frame={"left": 64, "right": 0, "top": 0, "bottom": 8})
    task = FORM.read({**values, FORM.canvas: dragged}).task
    assert isinstance(task, Img2Img)
    assert task.inpainting is None
    assert task.outpainting is not None
    assert (task.outpainting.left, task.outpainting.bottom, task.outpainting.right) == (64, 8, 0)
    typed = FORM.read({
        **values, **switched(FORM, "Outpaint"), FORM.mode: "img2img", FORM.canvas: drawing(files, "picture"),
    }).task  # fmt: skip
    assert isinstance(typed, Img2Img)
    assert typed.outpainting is not None
    assert (typed.outpainting.right, typed.outpainting.left, typed.outpainting.content) == (128, 0, "fill")


@pytest.mark.parametrize(
    ("layers", "field"),
    [
        (None, "picture"),
        ({}, "picture"),
        ({"picture": {"path": "/etc/hostname"}}, "picture"),
        ({"picture": "/etc/hostname"}, "picture"),
        ({"picture": {"id": "job/0"}}, "picture"),
        ({"picture": 7}, "picture"),
    ],
)
def test_a_picture_must_have_been_uploaded_here(layers: Any, field: str, files: Path) -> None:
    with pytest.raises(BadRequestError) as caught:
        FORM.read({**values_of(FORM), FORM.mode: "img2img", FORM.canvas: layers})
    assert caught.value.field == field
    assert "hostname" not in str(caught.value)


def test_inpainting_needs_a_mask(files: Path) -> None:
    Image.new("RGBA", (64, 48)).save(files / "mask.png")
    for layers in (drawing(files, "picture"), drawing(files, "picture", "mask")):
        with pytest.raises(BadRequestError, match="Nothing is masked yet"):
            FORM.read({**values_of(FORM), FORM.mode: "inpaint", FORM.canvas: layers})


def test_a_picture_of_an_id_is_found_for_its_owner(files: Path) -> None:
    asked: list[tuple[str, str]] = []

    def found(picture: str, owner: str) -> Path:
        asked.append((picture, owner))
        return files / "picture.png"

    create = CreateForm(FORM.form, FORM.mode, FORM.canvas, FORM.transparency, FORM.mask_details, found)
    values = {**values_of(FORM, vae="Automatic"), FORM.mode: "img2img", FORM.canvas: {"picture": {"id": "job/0"}}}
    task = create.read(values, "page me").task
    assert isinstance(task, Img2Img)
    assert asked == [("job/0", "page me")]
    assert task.image.width == 64


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 900),
        ("steps", None),
        ("seed", 1.5),
        ("width", 513),
        ("cfg_scale", float("nan")),
        ("noise.eta", 3),
        ("sampler", "[Nobody]"),
        ("extensions", "{"),
        ("unipc.variant", "bh9"),
        ("task.hires.steps", 151),
        ("task.denoising_strength", 2),
        ("task.inpainting.padding", -1),
        ("task.inpainting.mask_blur_x", "wide"),
        ("refiner.checkpoint", ""),
    ],
)
def test_an_error_is_one_sentence_that_names_the_field(name: str, value: object, files: Path) -> None:
    mode = "inpaint" if name.startswith("task.") and not name.startswith("task.hires") else "txt2img"
    on = switched(FORM, *(part.title for part in FORM.form.parts if name in part.fields or part.enabled in name))
    values = {
        **values_of(FORM, refiner__checkpoint="x"), **on, FORM.form.controls[name]: value, FORM.mode: mode,
        FORM.canvas: drawing(files, "picture", "mask"),
    }  # fmt: skip
    for part in FORM.form.parts:
        values[part.switch] = name in part.fields or (bool(part.enabled) and name.startswith(part.enabled[:10]))
    with pytest.raises(BadRequestError) as caught:
        FORM.read(values)
    assert caught.value.field == name
    assert "\n" not in str(caught.value)


def test_a_value_beyond_the_handy_range_widens_the_slider() -> None:
    scale = FORM.form.controls["task.hires.scale"]
    assert isinstance(scale, gr.Slider)
    assert scale.maximum == 4
    wide = GenerationRequest(width=64, height=64, task=Txt2Img(hires=Hires(enabled=True, scale=8)))
    assert FORM.form.show(wide)[scale]["maximum"] == 8


def test_only_the_named_fields_are_shown_and_their_part_is_switched_on() -> None:
    controls = FORM.form.controls
    assert [*FORM.form.show(EVERYTHING, ("prompt",))] == [controls["prompt"]]
    guidance = next(part for part in FORM.form.parts if part.title == "Guidance")
    assert {*FORM.form.show(EVERYTHING, ("guidance.rescale",))} == {controls["guidance.rescale"], guidance.switch}
    assert {*FORM.form.show(GenerationRequest(), ("guidance.rescale",))} <= {controls["guidance.rescale"]}
