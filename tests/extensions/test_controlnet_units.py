"""What A1111's extension does with units beside their networks: when it takes which step for the present one, which
random numbers it draws for whom, and what it does with masks and pixels. No checkpoint is needed.
"""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from extensions.controlnet.control_job import ControlJob, OnModel
from extensions.controlnet.finishing import kept
from extensions.controlnet.maps import fitted
from extensions.controlnet.options import ControlOptions, Unit
from extensions.controlnet.units import PreparedUnit, prepare
from tests.extensions.test_controlnet import CPU, NO_MODELS, NOISE, PICTURE, REQUEST
from tests.sampling.toy import Counted, karras, pixel, run, run_timesteps, timesteps, unguided, wavy
from webui.domain.catalog import SAMPLERS
from webui.domain.errors import BadRequestError
from webui.domain.hires import Hires
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.request import Img2Img, Txt2Img
from webui.extension_api import sampler_of, steps_of
from webui.extension_api.job_context import JobContext
from webui.sampling.reported_step import reported_step
from webui.sampling.steps import ModelCall, Place, Step
from webui.weights.families.stable_diffusion.members import SD1

OTHER = Picture.of(Image.fromarray(NOISE[::-1].copy()))
STRIPE = Image.new("L", (90, 60))
STRIPE.paste(255, (30, 0, 60, 60))


def prepared(*units: Any, task: Any = None) -> tuple[PreparedUnit, ...]:
    options = ControlOptions(units=tuple(Unit.model_validate(one) for one in units))
    return prepare(options, REQUEST if task is None else REQUEST.with_(task=task), NO_MODELS, CPU)


# which units take part


@pytest.mark.parametrize(
    ("unit", "takes_part"),
    [
        ({"image": PICTURE, "module": "none", "model": "tiny-cn"}, True),
        ({"input_image": PICTURE, "model": "tiny-cn"}, True),
        ({"module": "canny", "model": "tiny-cn"}, True),  # img2img has a picture for it
        ({"module": "reference_only"}, True),
        ({"image": PICTURE, "module": "canny"}, True),  # which is refused in words, not left out
        ({"image": PICTURE, "model": "tiny-cn", "enabled": False}, False),
        ({"module": "none", "model": "None", "image": None}, False),
        ({}, False),
    ],
)
def test_a_unit_that_says_what_to_do_takes_part_unless_it_says_no(unit: dict[str, Any], takes_part: bool) -> None:
    assert Unit.model_validate(unit).enabled is takes_part


def test_a_model_that_is_not_there_is_an_error_of_its_unit() -> None:
    options = ControlOptions(units=(Unit(), Unit.model_validate({"image": PICTURE, "model": "canny [fef5e48e]"})))
    job = JobContext(REQUEST, options, CPU, torch.float32, NO_MODELS, print)
    with pytest.raises(BadRequestError, match="canny") as caught:
        ControlJob(job, options)
    assert caught.value.field == "extensions.controlnet.units.1.model"


# steps

ONE_CALL = [0, 0, 1, 2, 3, 4]
TWO_CALLS = [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
LATE = [0, 0, 0, 1, 2, 3, 4]
REPORTED = {  # measured in A1111 with six steps
    **dict.fromkeys(("Euler", "DPM++ 2M", "LMS", "DDIM", "LCM"), ONE_CALL),
    **dict.fromkeys(("Heun", "DPM2", "DPM++ SDE", "DPM++ 2S a", "Restart"), TWO_CALLS),
    **dict.fromkeys(("PLMS", "UniPC"), LATE),
    "DPM fast": [0, 0, 0, 0, 1, 1],
}


def steps_of_calls(label: str, steps: int) -> list[int]:
    """The step of each call that a sampler makes."""
    counted = Counted(wavy)
    if SAMPLERS[label].space == "timestep":
        run_timesteps(label, unguided(counted), pixel(1.0), timesteps(steps))
    else:
        run(label, counted, pixel(5.0), karras(steps))
    return counted.steps


def reported(label: str, steps: int = 6) -> list[int]:
    indices = steps_of_calls(label, steps)
    return [reported_step(label, index, indices[:call].count(index), call) for call, index in enumerate(indices)]


@pytest.mark.parametrize("label", REPORTED)
def test_a_call_sees_the_step_that_a1111s_sampler_reported(label: str) -> None:
    assert reported(label) == REPORTED[label]


def test_the_adaptive_sampler_reports_trials() -> None:
    seen = reported("DPM adaptive")
    assert seen[:12] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(seen) % 3 == 0


@pytest.mark.parametrize("label", SAMPLERS)
def test_every_sampler_reports_from_nought_and_never_goes_back(label: str) -> None:
    indices, seen = steps_of_calls(label, 12), reported(label, 12)
    assert seen[0] == 0
    assert all(0 <= later - before <= 1 for before, later in pairwise(seen))
    if label != "DPM adaptive":  # whose rejected trials count
        assert all(step <= index for step, index in zip(seen, indices, strict=True))


def test_shares_refer_to_the_steps_of_the_pass() -> None:
    request = REQUEST.with_(steps=20, sampler="Euler")
    strong = request.with_(task=Img2Img(image=PICTURE, denoising_strength=0.5))
    assert steps_of(request, hires=False) == 20
    assert steps_of(strong, hires=False) == 11
    assert steps_of(strong.with_(task=strong.task.model_copy(update={"fix_steps": True})), hires=False) == 20
    second = request.with_(task=Txt2Img(hires=Hires(enabled=True, steps=6, sampler="UniPC")))
    assert (steps_of(second, hires=False), steps_of(second, hires=True)) == (20, 6)
    assert (sampler_of(second, hires=False), sampler_of(second, hires=True)) == ("Euler", "UniPC")
    assert steps_of(request.with_(task=Txt2Img(hires=Hires(enabled=True))), hires=True) == 20


# random numbers


class Network(nn.Module):
    """A UNet that answers with nothing, and a VAE that draws and tells what it was shown."""

    device = CPU

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []
        self.down_blocks = self.mid_block = self.up_blocks = nn.Identity()
        self.shape = SimpleNamespace(vector_width=None, layout=SimpleNamespace(to_diffusers=lambda key: None))
        self.module = nn.Identity()

    def forward(self, call: ModelCall, residuals: None) -> Tensor:
        self.seen.append(call.sample)
        return call.sample

    def encode(self, pixels: Tensor, draws: torch.Generator) -> Tensor:
        self.seen.append(pixels)
        return torch.randn((1, 4, pixels.shape[-2] // 8, pixels.shape[-1] // 8), generator=draws)


def on_model(units: tuple[PreparedUnit, ...]) -> tuple[OnModel, Network]:
    network = Network()
    spec = SimpleNamespace(prediction="epsilon", family=SD1, latents=SD1.latents)
    model: Any = SimpleNamespace(unet=network, vae=network, spec=spec, device=CPU)
    return OnModel(model, units, {}), network


def call_at(cells: int = 8, *, rows: int = 1, hires: bool = False) -> ModelCall:
    step = Step(0, 4, torch.tensor(5.0), torch.tensor(4.0), Place(hires=hires))
    positive = torch.ones(rows, dtype=torch.bool)
    return ModelCall(
        step, torch.zeros(rows, 4, cells, cells), torch.full((rows,), 500.0), torch.ones(rows, 2, 8), positive
    )


REFERENCE = {"module": "reference_only", "image": PICTURE}
INPAINT = {"module": "inpaint_only", "image": OTHER, "mask": Picture.of(STRIPE)}


def test_all_pictures_are_encoded_before_the_first_unit_draws_its_noise() -> None:
    """In unit order, each picture once, whether its unit acts or not; and never again at this size."""
    units = prepared(REFERENCE, {**REFERENCE, "image": OTHER}, INPAINT, REFERENCE)
    acting, network = on_model(units)
    noise, expected = torch.Generator().manual_seed(7), torch.Generator().manual_seed(7)
    acting.residuals(call_at(rows=2), units[1:2], noise)
    *pictures, looked_at = network.seen
    assert len(pictures) == 3
    assert all(torch.equal(one, unit.source(64, 64)) for one, unit in zip(pictures, units, strict=False))
    assert looked_at.shape == (2, 4, 8, 8)
    for shape in (*[(1, 4, 8, 8)] * 3, (2, 4, 8, 8)):
        torch.randn(shape, generator=expected)
    assert torch.equal(noise.get_state(), expected.get_state())
    acting.residuals(call_at(rows=2), (), noise)
    assert len(network.seen) == 4
    acting.residuals(call_at(12, rows=2), (), noise)
    assert len(network.seen) == 7


def test_inpainting_is_shown_the_whole_picture_and_corrects_outside_its_window_too() -> None:
    units = prepared({**INPAINT, "guidance_end": 0.5, "hr_option": "Low res only"})
    acting, network = on_model(units)
    sample = torch.randn(1, 4, 8, 8)
    for hires in (False, True):
        with acting.applied():
            acting.residuals(call_at(hires=hires), (), torch.Generator().manual_seed(1))
            corrected = network.module(sample)
        assert not torch.equal(corrected[..., 0], sample[..., 0])
        torch.testing.assert_close(corrected[..., 4], sample[..., 4])  # in the mask
    assert len(network.seen) == 1
    picture = fitted(NOISE[::-1].astype(np.float32), 64, 64, "Crop and Resize")
    torch.testing.assert_close(network.seen[0][0], torch.from_numpy(picture).permute(2, 0, 1) / 255)


# masks and pixels


def test_masks_are_cut_once_they_have_their_size() -> None:
    """The blurred mask of only-masked inpainting is cropped and enlarged as it is."""
    painting = Inpainting(mask=Mask.of(STRIPE), mask_blur_x=4, mask_blur_y=4, area="masked", padding=0)
    task = Img2Img(image=PICTURE, resize_mode="resize", inpainting=painting)
    [unit] = prepared({"module": "inpaint_global_harmonious", "model": "m"}, task=task)
    assert unit.mask is not None
    assert len(np.unique(unit.mask)) > 20
    map_ = unit.map_for(64, 64)
    assert set(np.unique(map_[:, :, 3])) == {0, 255}
    assert np.array_equal(map_[:, :, 3] == 255, unit.mask > 127)


def test_a_units_own_picture_is_laid_on_the_tasks_before_the_crop() -> None:
    half = Picture.of(Image.fromarray(NOISE).resize((180, 120), Image.Resampling.NEAREST))
    corner = Image.new("L", (90, 60))
    corner.paste(255, (0, 0, 20, 20))
    painting = Inpainting(mask=Mask.of(corner), mask_blur_x=0, mask_blur_y=0, area="masked", padding=0)
    task = Img2Img(image=PICTURE, inpainting=painting)
    [unit] = prepared({"module": "none", "model": "m", "image": half, "resize_mode": "Just Resize"}, task=task)
    lying = half.open().resize((90, 60), Image.Resampling.LANCZOS).crop((0, 0, 20, 20))
    assert np.array_equal(unit.picture, np.asarray(lying.resize((64, 64), Image.Resampling.LANCZOS)))


@pytest.mark.parametrize("size", [(60, 90), (120, 180), (32, 48)])
def test_the_picture_of_an_inpainting_unit_is_not_rounded(size: tuple[int, int]) -> None:
    [unit] = prepared({**INPAINT, "image": PICTURE, "resize_mode": "Just Resize", "model": "m"})
    map_ = unit.map_for(*size)
    filter_ = cv2.INTER_AREA if size < (60, 90) else cv2.INTER_CUBIC
    assert np.array_equal(map_[:, :, :3], cv2.resize(NOISE.astype(np.float32), size[::-1], interpolation=filter_))
    assert map_.dtype == np.float32
    assert np.asarray(unit.shown(*size)).dtype == np.uint8


def test_what_is_not_repainted_stays_to_the_last_bit() -> None:
    [unit] = prepared(INPAINT | {"resize_mode": "Just Resize", "model": "m"})
    made = torch.rand(3, 60, 90)
    mixed = kept(unit, made)
    assert torch.equal(mixed[..., :24], unit.source(60, 90)[0][..., :24])
    torch.testing.assert_close(mixed[..., 34:56], made[..., 34:56])
    border, ours, theirs = mixed[..., 24:34], made[..., 24:34], unit.source(60, 90)[0][..., 24:34]
    assert (border <= torch.maximum(ours, theirs) + 1e-6).all()
    assert (border >= torch.minimum(ours, theirs) - 1e-6).all()
    [other] = prepared({"module": "inpaint_global_harmonious", "image": PICTURE, "model": "m"})
    assert kept(other, made) is made
