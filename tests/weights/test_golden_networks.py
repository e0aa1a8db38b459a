"""The networks against tensors recorded from A1111: first UNet calls, whole Euler runs, decoded pictures."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.reference import Case, over_cases
from webui.library.library import ModelLibrary
from webui.sampling.steps import ModelCall, Step
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_vae
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel

CPU = torch.device("cpu")
ANY_STEP = Step(0, 1, torch.tensor(1.0), torch.tensor(0.0))
SINGLE_CALLS = ("sd2_euler", "sd2v_euler", "xl_euler_12", "xl_crop_16_48", "xlv_euler", "xl_refiner_alone")
EULER_RUNS = ("prompt_nested",)
DECODED = ("sd2_euler", "sd2v_euler", "xl_refiner_alone")


class Models:
    """Loads the checkpoints of a models folder."""

    def __init__(self, models_dir: Path, cache: Path) -> None:
        self.library = ModelLibrary(models_dir, cache, FAMILIES)
        self.cache = ModelCache(self.library, CPU, torch.float32, 8)  # each of the checkpoints is read once

    def load(self, name: str) -> LoadedModel:
        return self.cache.get(self.library.checkpoint(name), None)


@pytest.fixture(scope="module")
def tiny(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tiny_models_dir, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def model_of(reference_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], LoadedModel]:
    """The model that a case was made with."""
    models = Models(reference_models_dir, tmp_path_factory.mktemp("cache"))
    return lambda case: models.load(case.checkpoint)


def recorded(case: Case) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in case.arrays().items()}


def final_latents(case: Case) -> torch.Tensor:
    return torch.from_numpy(np.load(case.file(".npy")))


@over_cases(".extra.npz", where=lambda case: case.name in SINGLE_CALLS)
def test_unet_answers_as_a1111(case: Case, model_of: Callable[[Case], LoadedModel]) -> None:
    tensors = recorded(case)
    call = ModelCall(
        step=ANY_STEP, sample=tensors["unet0_x"], timestep=tensors["unet0_t"], context=tensors["unet0_context"],
        positive=torch.tensor([True, False]), vector=tensors.get("unet0_y"),
    )  # fmt: skip
    answer = model_of(case).unet(call, None)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, tensors["unet0_out"], rtol=0, atol=1.5e-4)


@over_cases(".extra.npz", ".npy", where=lambda case: case.name in EULER_RUNS)
def test_sd1_euler_run_ends_at_a1111s_latents(case: Case, model_of: Callable[[Case], LoadedModel]) -> None:
    """SD1 has no recorded single call, so run Euler with recorded noise, levels and text conditioning."""
    model = model_of(case)
    tensors = recorded(case)
    context = torch.cat([tensors["c_b0_and0_w1.0_s0_until12"], tensors["uc_b0_s0_until12"]]).reshape(2, -1, 64)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    alphas = (1 - betas).cumprod(0)
    log_sigmas = ((1 - alphas) / alphas).sqrt().log().float()
    sigmas = tensors["sigmas0"]
    x = tensors["noise0"].reshape(1, 4, 16, 16) * sigmas[0]
    for sigma, following in pairwise(sigmas):
        timestep = float(np.interp(float(sigma.log()), log_sigmas.numpy(), np.arange(1000)))
        sample = (x / (sigma**2 + 1).sqrt()).repeat(2, 1, 1, 1)
        call = ModelCall(ANY_STEP, sample, torch.full((2,), timestep), context, torch.tensor([True, False]))
        cond, uncond = model.unet(call, None)
        x = x + (uncond + 7.0 * (cond - uncond)) * (following - sigma)
    torch.testing.assert_close(x, final_latents(case).reshape(x.shape), rtol=0, atol=2e-3)


@over_cases(".npy", ".png", where=lambda case: case.name in DECODED)
def test_vae_decodes_to_a1111s_picture(case: Case, model_of: Callable[[Case], LoadedModel]) -> None:
    pixels = model_of(case).vae.decode(final_latents(case))
    assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
    picture = (pixels[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy().astype(int)
    assert np.abs(picture[:: case.every, :: case.every] - case.pixels(0)).max() <= 1


def test_encoding_inverts_decoding_in_scale(tiny: Models) -> None:
    """Encoded latents have the scale of the UNet: the same factor is applied on the way in and out."""
    model = tiny.load("tiny-sd1")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    latents = model.vae.encode(images)
    assert latents.shape == (2, 4, 8, 8)
    raw = model.vae.module.encode(images[:1] * 2 - 1).latent_dist.mode()
    torch.testing.assert_close(latents[:1], raw * 0.18215)


def test_another_vae_keeps_the_unet_and_the_models_scale(tiny: Models) -> None:
    model = tiny.load("tiny-sd1")
    checkpoint = tiny.library.checkpoint("tiny-sd1")
    file = tiny.library.vae("tiny-vae.safetensors", checkpoint)
    switched = tiny.cache.get(checkpoint, file)
    assert switched.unet is model.unet
    assert switched.vae is not model.vae
    assert switched.vae.scale == 0.18215
    same = load_vae(tiny.library, checkpoint, file, model.spec, CPU, torch.float32)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(switched.vae.decode(latents), same.decode(latents))


FACTS = {  # of A1111's tiny checkpoints: family, channels the UNet takes, what it predicts
    "tiny-sd1": ("sd1", 4, "epsilon"),
    "tiny-sd1-b": ("sd1", 4, "epsilon"),
    "tiny-vpred": ("sd1", 4, "v"),
    "tiny-inpaint": ("sd1", 9, "epsilon"),
    "tiny-ip2p": ("sd1", 8, "epsilon"),
    "tiny-sd2": ("sd2", 4, "epsilon"),
    "tiny-sd2-v": ("sd2", 4, "v"),
    "tiny-xl": ("sdxl", 4, "epsilon"),
    "tiny-xl-v": ("sdxl", 4, "v"),
    "tiny-xl-inpaint": ("sdxl", 9, "epsilon"),
    "tiny-xl-refiner": ("sdxl_refiner", 4, "epsilon"),
}


def test_every_tiny_model_is_recognised(
    reference_models_dir: Path, tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = 0
    for folder in (reference_models_dir, tiny_models_dir):
        library = ModelLibrary(folder, tmp_path_factory.mktemp("cache"), FAMILIES)
        for file in library.checkpoints():
            spec = library.spec(file)
            assert (spec.family.name, spec.in_channels, spec.prediction) == FACTS[file.path.stem], file.path
            assert spec.inpaints == (spec.in_channels == 9)
            assert spec.vae is not None
            found += 1
    assert found >= len(FACTS)
