"""The networks against tensors recorded from A1111: first UNet calls, whole Euler runs, decoded pictures."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from webui.library import ModelLibrary
from webui.sampling.steps import ModelCall, Step
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_vae
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel

GOLDENS = Path(__file__).parents[2].parent / "shared" / "goldens"
CPU = torch.device("cpu")
Loaded = Callable[[str], LoadedModel]
ANY_STEP = Step(0, 1, torch.tensor(1.0), torch.tensor(0.0))

pytestmark = pytest.mark.skipif(not GOLDENS.is_dir(), reason="the goldens are not on this machine")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    return ModelLibrary(GOLDENS / "models", tmp_path_factory.mktemp("cache"), FAMILIES)


@pytest.fixture(scope="module")
def models(library: ModelLibrary) -> ModelCache:
    return ModelCache(library, CPU, torch.float32, 1)


@pytest.fixture(scope="module")
def loaded(library: ModelLibrary, models: ModelCache) -> Loaded:
    return lambda name: models.get(library.checkpoint(name), None)


def recorded(case: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDENS / "cases" / f"{case}.extra.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def model_of(case: str) -> str:
    payload = json.loads((GOLDENS / "cases" / f"{case}.json").read_text())["payload"]
    return payload["override_settings"]["sd_model_checkpoint"]


@pytest.mark.parametrize(
    "case", ["sd2_euler", "sd2v_euler", "xl_euler_12", "xl_crop_16_48", "xlv_euler", "xl_refiner_alone"]
)
def test_unet_answers_as_a1111(case: str, loaded: Loaded) -> None:
    model = loaded(model_of(case))
    tensors = recorded(case)
    call = ModelCall(
        step=ANY_STEP, sample=tensors["unet0_x"], timestep=tensors["unet0_t"], context=tensors["unet0_context"],
        positive=torch.tensor([True, False]), vector=tensors.get("unet0_y"),
    )  # fmt: skip
    answer = model.unet(call, None)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, tensors["unet0_out"], rtol=0, atol=1.5e-4)


@pytest.mark.parametrize("case", ["prompt_nested", "prompt_escape"])
def test_sd1_euler_run_ends_at_a1111s_latents(case: str, loaded: Loaded) -> None:
    """SD1 has no recorded single call, so run Euler with recorded noise, levels and text conditioning."""
    model = loaded("tiny-sd1")
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
    expected = torch.from_numpy(np.load(GOLDENS / "cases" / f"{case}.npy")).reshape(x.shape)
    torch.testing.assert_close(x, expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("case", ["prompt_nested", "sd2_euler", "xl_euler_12", "xl_refiner_alone"])
def test_vae_decodes_to_a1111s_picture(case: str, loaded: Loaded) -> None:
    vae = loaded(model_of(case)).vae
    pixels = vae.decode(torch.from_numpy(np.load(GOLDENS / "cases" / f"{case}.npy")))
    assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
    picture = (pixels[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy().astype(int)
    expected = np.asarray(Image.open(GOLDENS / "cases" / f"{case}.png").convert("RGB")).astype(int)
    assert np.abs(picture - expected).max() <= 1


def test_encoding_inverts_decoding_in_scale(loaded: Loaded) -> None:
    """Encoded latents have the scale of the UNet: the same factor is applied on the way in and out."""
    model = loaded("tiny-sd1")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    latents = model.vae.encode(images)
    assert latents.shape == (2, 4, 8, 8)
    raw = model.vae.module.encode(images[:1] * 2 - 1).latent_dist.mode()
    torch.testing.assert_close(latents[:1], raw * 0.18215)


def test_another_vae_keeps_the_unet_and_the_models_scale(
    loaded: Loaded, library: ModelLibrary, models: ModelCache
) -> None:
    model = loaded("tiny-xl")
    checkpoint = library.checkpoint("tiny-xl")
    file = library.vae("other-xl-vae.safetensors", checkpoint)
    switched = models.get(checkpoint, file)
    assert switched.unet is model.unet
    assert switched.vae is not model.vae
    assert switched.vae.scale == 0.13025
    same = load_vae(library, checkpoint, file, model.spec, CPU, torch.float32)
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(switched.vae.decode(latents), same.decode(latents))


@pytest.mark.parametrize(
    ("name", "family", "channels", "prediction"),
    [
        ("tiny-sd1", "sd1", 4, "epsilon"),
        ("tiny-sd1-b", "sd1", 4, "epsilon"),
        ("tiny-vpred", "sd1", 4, "v"),
        ("tiny-inpaint", "sd1", 9, "epsilon"),
        ("tiny-ip2p", "sd1", 8, "epsilon"),
        ("tiny-sd2", "sd2", 4, "epsilon"),
        ("tiny-sd2-v", "sd2", 4, "v"),
        ("tiny-xl", "sdxl", 4, "epsilon"),
        ("tiny-xl-v", "sdxl", 4, "v"),
        ("tiny-xl-inpaint", "sdxl", 9, "epsilon"),
        ("tiny-xl-refiner", "sdxl_refiner", 4, "epsilon"),
    ],
)
def test_every_tiny_model_is_recognised(
    name: str, family: str, channels: int, prediction: str, library: ModelLibrary
) -> None:
    spec = library.spec(library.checkpoint(f"{name}.safetensors"))
    assert (spec.family.name, spec.in_channels, spec.prediction) == (family, channels, prediction)
    assert spec.inpaints == (channels == 9)
    assert spec.vae is not None
