"""What a step costs on a device, counted on a pretended one: operations outside the network, and waits of the host."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.gpu.counted_runs import Counting, sampled, step_cost
from tests.gpu.ledger import Ledger
from tests.gpu.pretended import PretendedDevice, pretended
from webui.domain.catalog import SAMPLERS
from webui.domain.images import Picture
from webui.domain.inpainting import SoftInpainting
from webui.domain.request import GenerationRequest, Guidance, Img2Img, Noise
from webui.extension_api.markers import hookimpl
from webui.plugins.jobhooks import JobHooks
from webui.sampling.masking import LatentMask
from webui.sampling.steps import ModelCall, Step

OPERATIONS = {"Euler": 12, "HeunPP2": 41, "UniPC": 36}  # at most, a step; of all others 30
PLANNED = [label for label in SAMPLERS if label != "DPM adaptive"]  # which looks at its error after each trial


@pytest.fixture(scope="module")
def card() -> Iterator[PretendedDevice]:
    with pretended("cuda") as mode:
        yield mode


@pytest.mark.parametrize("label", PLANNED)
def test_no_step_waits(card: PretendedDevice, label: str) -> None:
    operations, synchronisations, copies = step_cost(card, label)
    assert (synchronisations, copies) == (0, 0), card.ledger
    assert operations <= OPERATIONS.get(label, 30), card.ledger.operations


@pytest.mark.parametrize(
    ("label", "changed"),
    [
        ("Euler", {"parts": 2, "batch_size": 3}),
        ("DDIM", {"parts": 2, "batch_size": 3}),
        ("DPM++ 2M SDE", {"batch_size": 2, "noise": Noise(source="NV")}),
        ("DPM++ 2M SDE", {"noise": Noise(source="GPU")}),
        ("Euler", {"noise": Noise(s_churn=4.0, ensd=31337)}),
        ("Euler", {"guidance": Guidance(rescale=0.5, s_min_uncond=1.0)}),
        ("DDIM", {"guidance": Guidance(rescale=0.5)}),
    ],
)
def test_no_option_makes_a_step_wait(card: PretendedDevice, label: str, changed: dict[str, object]) -> None:
    assert step_cost(card, label, **changed)[1:] == (0, 0), card.ledger


@dataclass(frozen=True)
class Repainted:
    """A grey picture of which the left half is protected, blended softly."""

    latents: Tensor

    def mask_for(self, clean: Tensor) -> LatentMask:
        painted = torch.ones_like(clean[:1, :1])
        painted[..., : clean.shape[-1] // 2] = 0
        return LatentMask(clean, painted, SoftInpainting())


def test_a_soft_mask_makes_no_step_wait(card: PretendedDevice) -> None:
    origin = Repainted(torch.zeros(1, 4, 8, 8).to(card.device))
    task = Img2Img(image=Picture.of(Image.new("RGB", (64, 64))), denoising_strength=0.99)
    assert step_cost(card, "Euler", origin=origin, task=task)[1:] == (0, 0), card.ledger


@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("label", SAMPLERS)
def test_every_sampler_gives_the_same_on_a_device(label: str, kind: str) -> None:
    """DPM adaptive too: a device only says where numbers lie. mps has no float64."""
    request = GenerationRequest(prompt="a", sampler=label, steps=4, width=64, height=64, seed=3, batch_size=2)
    cpu = torch.device("cpu")
    expected = sampled(request, cpu, Counting(Ledger()), parts=2)
    with pretended(kind) as mode:
        found = sampled(request, mode.device, Counting(mode.ledger), parts=2)
        assert found.latents.device == mode.device
        assert torch.equal(found.latents.cpu(), expected.latents)


class Looking:
    """An extension that looks at everything, and in `writes` writes to what it is handed."""

    def __init__(self, *, writes: bool = False) -> None:
        self.writes = writes

    @hookimpl
    def pre_step(self, step: Step, latents: Tensor) -> None:
        if self.writes:
            latents.mul_(2)

    @hookimpl
    def unet_residuals(self, call: ModelCall) -> None: ...

    @hookimpl
    def edit_denoised(self, denoised: Tensor, cond: Tensor, uncond: Tensor) -> None: ...

    @hookimpl
    def post_step(self, latents: Tensor, denoised: Tensor) -> None: ...


@pytest.mark.parametrize("label", ["Euler", "DDIM"])
def test_an_extension_that_looks_makes_no_step_wait(card: PretendedDevice, label: str) -> None:
    hooks = JobHooks()
    hooks.join("looking", Looking())
    assert step_cost(card, label, hooks=hooks)[1:] == (0, 0), card.ledger
    assert not hooks.notices


def test_an_extension_that_writes_to_what_it_is_handed_is_left_out(card: PretendedDevice) -> None:
    hooks = JobHooks()
    hooks.join("writing", Looking(writes=True))
    step_cost(card, "Euler", hooks=hooks)
    assert ["changed latents in place" in notice.text for notice in hooks.notices] == [True]
