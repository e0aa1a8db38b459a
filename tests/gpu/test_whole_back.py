"""Whole jobs on devices that are not there: the same picture as on the CPU, no tensor in the wrong place, no float64 on
mps, and no step that makes the host wait.
"""

import gc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tests.gpu.device_cases import CASES, models_in, settings_for
from tests.gpu.ledger import Ledger
from tests.gpu.pretended import pretended
from tests.processing.reporters import Silent
from webui.domain.request import GenerationRequest
from webui.processing.back import Back, build
from webui.sampling.steps import ModelCall, Residuals
from webui.weights.unet import UnetWrapper
from webui.weights.vae import VaeWrapper

Pictures = tuple[NDArray[np.uint8], ...]
IN_THE_LOOP = ("webui/sampling/", "webui/weights/unet.py")
ASKS = "webui/sampling/masking.py"  # computes in float64 where it has found that the device can
ON_MPS = (  # cases that meet code which asks what kind of device there is: how it copies, draws, computes, keeps models
    "parts, LoRA", "SDXL, refiner", "soft inpainting", "card's noise",
)  # fmt: skip
FILM = "webui/sampling/colours.py"  # the extension step_film looks at the latents of each step


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("devices")
    models_in(found)
    return found


@pytest.fixture(scope="module")
def expected(folder: Path) -> Mapping[str, Pictures]:
    """What the CPU makes of every case."""
    back = build(settings_for(folder, "cpu"))
    made = {name: pictures(back, request) for name, request in CASES.items()}
    gc.collect()
    gc.freeze()  # what was imported for this is not looked through whenever a device's model is loaded
    return made


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_every_job_is_the_same_on_a_device(folder: Path, expected: Mapping[str, Pictures], kind: str) -> None:
    """One test for all, since each shares the device and what is loaded on it. What would fail on mps for its float64
    is seen on cuda, which makes every job.
    """
    faults = []
    with pretended(kind) as mode:
        back = build(settings_for(folder, kind))
        for name, request in CASES.items():
            if kind == "mps" and name not in ON_MPS:
                continue
            mode.ledger.clear()
            try:
                made = pictures(back, request)
            except (RuntimeError, TypeError, AssertionError) as error:
                faults.append(f"{name}: {type(error).__name__}: {error}")
                continue
            if not all(map(alike, made, expected[name])):
                faults.append(f"{name}: another picture than on the CPU")
            found = waits(mode.ledger, kind)
            faults += [f"{name}: {line}" for line in found if "step_film" not in request.extensions or FILM not in line]
            doubles = [line for line in mode.ledger.doubles if not line.startswith(ASKS)]
            faults += [f"{name}: float64 on the device, {line}" for line in doubles]
    assert not faults, "\n".join(faults)


def waits(ledger: Ledger, kind: str) -> list[str]:
    """Lines of the loop at which the host waits. mps copies noise while the host waits: see `transfer.py`."""
    lines = [*ledger.synchronisations, *(ledger.copies if kind == "cuda" else ())]
    return [line for line in lines if line.removeprefix("indices ").startswith(IN_THE_LOOP)]


def test_automatic_formats_make_a_picture(folder: Path) -> None:
    with pretended("cuda"):
        back = build(settings_for(folder, "cuda", "auto"))
        assert pictures(back, CASES["img2img"])[0].std() > 1
        model = back._models.loaded()[0]
        assert (model.dtype, model.vae.dtype) == (torch.float16, torch.bfloat16)


def test_a_network_that_gives_nan_is_read_again_in_a_wider_format(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two batches fails once; the first is not made again."""
    request = CASES["img2img"].with_(n_iter=2, prompt="a cat <lora:tiny-lora:0.8>")
    calls: list[torch.dtype] = []
    answer = UnetWrapper.__call__

    def overflowing(self: UnetWrapper, call: ModelCall, residuals: Residuals | None) -> Tensor:
        calls.append(self.dtype)
        made = answer(self, call, residuals)
        return made * float("nan") if self.dtype == torch.float16 and call.place.batch == 1 else made

    monkeypatch.setattr(UnetWrapper, "__call__", overflowing)
    with pretended("cuda"):
        back = build(settings_for(folder, "cuda", "auto"))
        made = back.run(request, Silent())
        assert [image.index for image in made.images] == [0, 1]
        assert [notice.text for notice in made.notices] == [
            "tiny-sd1.safetensors gave NaN in float16; it was read again in a wider format"
        ]
        assert list(dict.fromkeys(calls)) == [torch.float16, torch.bfloat16]
        assert not back.run(request, Silent()).notices  # it stays in that format


def test_a_vae_that_overflows_beside_a_lora_costs_no_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights move to float32 while the patch is applied; the model is not read anew for that."""
    decode = VaeWrapper._decode

    def overflowing(self: VaeWrapper, latent: Tensor) -> Tensor:
        made = decode(self, latent)
        return made if self.dtype == torch.float32 else made * float("inf")

    monkeypatch.setattr(VaeWrapper, "_decode", overflowing)
    request = CASES["img2img"].with_(prompt="a cat <lora:tiny-lora:0.8>")
    with pretended("cuda"):
        back = build(settings_for(folder, "cuda", "auto"))
        pictures(back, request)
        before = back._models.loaded()[0]
        pictures(back, request.with_(prompt="a cat"))
        assert back._models.loaded()[0] is before


def alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether no value differs by more than a step of rounding: channels lie last on cuda, and mps has no float64."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other.astype(int)).max()) <= 1


def pictures(back: Back, request: GenerationRequest) -> Pictures:
    made = back.run(request, Silent())
    assert not made.notices, made.notices
    found: list[Image.Image] = [one for image in made.images for one in (image.image, *image.attachments)]
    return tuple(np.asarray(one) for one in [*found, *made.extras])
