"""Generation parameters as text fill the form, whoever wrote them; what could not be used is told."""

from collections.abc import Iterable
from typing import Any

import gradio as gr
import pytest

from tests.painting import MINI
from tests.ui.fakes import FakeEngine
from webui.domain.hires import Hires
from webui.domain.request import GenerationRequest, Guidance, Noise, Refiner, Txt2Img
from webui.output.infotext import InfoFacts, write
from webui.output.parse import parse, to_request
from webui.ui import quicksettings
from webui.ui.create import settings_pane
from webui.ui.create.filling import Filling
from webui.ui.create.form import Form
from webui.ui.layout import Pen

FACTS = InfoFacts(model=MINI)
A1111 = (
    "a dog <lora:ink:0.8>\nNegative prompt: cats\nSteps: 31, Sampler: Euler a, Schedule type: Karras, CFG scale: 5.5, "
    "Seed: 9, Size: 4096x64, Model: other, Clip skip: 2, Variation seed: 3, Variation seed strength: 0.2, "
    "Version: v1.10.1"
)
OF_A_PICTURE = (
    "a dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 9, Size: 512x512, Denoising strength: 0.35, Mask blur: 8, "
    "Inpaint area: Only masked, Masked area padding: 48, Masked content: fill, Soft inpainting enabled: True, "
    "Soft inpainting schedule bias: 2, Version: v1.10.1"
)
HIRES_TEXT = write(
    GenerationRequest(prompt="a", seed=3, task=Txt2Img(hires=Hires(enabled=True, scale=1.5, denoising_strength=0.5))),
    FACTS,
)


@pytest.fixture
def filling(engine: FakeEngine) -> Filling:
    with gr.Blocks(analytics_enabled=False):
        pen = Pen(GenerationRequest(checkpoint="mini.safetensors"))
        quicksettings.draw(pen, engine)
        for name in ("prompt", "negative_prompt", "styles"):
            pen.draw(name)
        settings_pane.draw(pen)
    return Filling(engine, pen.form())


def values_after(filling: Filling, text: str, only: Iterable[str] | None = None) -> dict[Any, Any]:
    """What the browser sends after a form that nobody touched was filled."""
    values = {control: getattr(control, "value", None) for control in filling.form.components}
    updates = filling.text(text, "mini.safetensors", only).updates
    return {**values, **{control: update["value"] for control, update in updates.items()}}


def switches(form: Form, values: dict[Any, Any]) -> list[str]:
    return [part.title for part in form.parts if values[part.switch]]


def test_a_text_of_a1111_fills_the_form(filling: Filling) -> None:
    values = values_after(filling, A1111)
    read = filling.form.read(values)
    assert (read.prompt, read.negative_prompt) == ("a dog <lora:ink:0.8>", "cats")
    assert (read.steps, read.sampler, read.scheduler, read.cfg_scale) == (31, "Euler a", "Karras", 5.5)
    assert (read.width, read.height, read.seed, read.clip_skip) == (4096, 64, 9, 2)
    assert (read.subseed, read.subseed_strength) == (3, 0.2)
    assert read.checkpoint == "sdxl/other.safetensors"
    assert {"Variation seed", "Clip skip, tiling, networks"} <= {*switches(filling.form, values)}
    assert "Hires. fix" not in switches(filling.form, values)


@pytest.mark.parametrize(
    "request_",
    [
        GenerationRequest(prompt="a", seed=3, refiner=Refiner(checkpoint="sdxl/other.safetensors", switch_at=0.6)),
        GenerationRequest(
            seed=3, sampler="Euler a", noise=Noise(eta_ancestral=0.5, ensd=31337), guidance=Guidance(rescale=0.7)
        ),
        GenerationRequest(prompt="a, b", negative_prompt="c", seed=2**53 + 1, steps=7, tiling=True, batch_size=1),
        GenerationRequest(prompt="a", seed=3, task=Txt2Img(hires=Hires(enabled=True, scale=1.5, steps=3))),
    ],
)
def test_a_text_of_this_program_makes_the_same_request_again(filling: Filling, request_: GenerationRequest) -> None:
    text = write(request_, FACTS)
    read = filling.form.read(values_after(filling, text))
    assert read == to_request(parse(text)).with_(checkpoint="mini.safetensors")
    assert (read.seed, read.noise, read.guidance, read.task) == (
        request_.seed, request_.noise, request_.guidance, request_.task,
    )  # fmt: skip
    assert (read.refiner is None) == (request_.refiner is None)


def test_a_text_switches_off_what_it_does_not_use(filling: Filling) -> None:
    values = values_after(filling, HIRES_TEXT)
    assert "Hires. fix" in switches(filling.form, values)
    after = {**values, **{c: u["value"] for c, u in filling.text(A1111, None).updates.items()}}
    assert "Hires. fix" not in switches(filling.form, after)
    assert after[filling.form.controls["task.hires.scale"]] == 1.5  # kept behind the switch


def test_a_text_of_a_plot_brings_its_plan_and_no_complaint(filling: Filling) -> None:
    text = (
        "a\nSteps: 3, Sampler: Euler, CFG scale: 7, Seed: 9, Size: 64x64, Script: X/Y/Z plot, X Type: Seed, "
        'X Values: "-1,2", Fixed X Values: "77, 2", Y Type: Moon, Y Values: 3, Version: v1.10.1'
    )
    filled = filling.text(text, None)
    assert filled.plan == {"kind": "xyz", "axes": [{"id": "seed", "values": "77, 2"}]}
    assert filled.told == ("Y Type: there is no axis “Moon” here; the plot is put together without it",)
    assert filling.text(text, None, ["prompt"]).plan is None
    assert filling.text(A1111, None).plan is None


def test_a_text_of_inpainting_fills_what_only_that_has(filling: Filling) -> None:
    values, told = values_after(filling, OF_A_PICTURE), filling.text(OF_A_PICTURE, None).told
    shown = {name: values[control] for name, control in filling.form.controls.items()}
    assert shown["task.denoising_strength"] == 0.35
    assert (shown["task.inpainting.area"], shown["task.inpainting.padding"]) == ("masked", 48)
    assert (shown["task.inpainting.content"], shown["task.inpainting.mask_blur_x"]) == ("fill", 8)
    assert shown["task.inpainting.soft.schedule_bias"] == 2
    assert "Soft inpainting" in switches(filling.form, values)
    assert told == ("It tells of a picture that it was made from: put one on the canvas of img2img.",)


def test_a_checkpoint_that_is_not_here_keeps_the_current_one(filling: Filling) -> None:
    filled = filling.text("a dog\nSteps: 31, Sampler: Euler a, Seed: 9, Model: dreams", "sdxl/other.safetensors")
    assert filled.updates[filling.form.controls["checkpoint"]]["value"] == "sdxl/other.safetensors"
    assert any("was not changed" in sentence for sentence in filled.told)


def test_unknown_keys_and_wrong_values_are_told(filling: Filling) -> None:
    told = filling.text(
        "a\nSteps: 31, Sampler: Euler a, Seed: 9, Mystery: 5, Hypertile U-Net: True, Eta: many", None
    ).told
    assert any("Mystery" in sentence for sentence in told)
    assert any("Hypertile" in sentence for sentence in told)
    assert any("Eta" in sentence for sentence in told)


def test_a_plain_prompt_changes_the_prompts_only(filling: Filling) -> None:
    controls = filling.form.controls
    assert {*filling.text("just a dog", None).updates} == {controls["prompt"], controls["negative_prompt"]}


def test_chosen_fields_and_parts_are_filled_alone(filling: Filling) -> None:
    controls = filling.form.controls
    assert {*filling.text(A1111, None, ["seed", "nonsense"]).updates} == {controls["seed"]}
    hires = next(part for part in filling.form.parts if part.title == "Hires. fix")
    updates = filling.text(HIRES_TEXT, None, ["task.hires"]).updates
    assert updates[hires.switch]["value"] is True
    assert {*updates} <= {controls[name] for name in controls if name.startswith("task.hires.")}
    assert {*filling.text(OF_A_PICTURE, None, ["task.denoising_strength"]).updates} == {
        controls["task.denoising_strength"]
    }
