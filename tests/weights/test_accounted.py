"""Every tensor of a checkpoint is used, left out for a reason, or told; scales beside weights are multiplied in."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.library.small import small_checkpoint, small_vae
from tests.narrowing import untyped
from webui.domain.errors import UnusableFileError
from webui.library.idle_tensors import idle_reason
from webui.library.library import ModelLibrary
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_model
from webui.weights.model import LoadedModel

CPU = torch.device("cpu")
LAYER = "model.diffusion_model.time_embed.0"
IDLE = (
    "model_ema.diffusion_modeltime_embed0weight", "model_ema.decay", "optimizer_states.0.exp_avg", "global_step",
    "loss.logvar", "first_stage_model.loss.discriminator.main.0.weight", "betas", "alphas_cumprod",
    "sqrt_alphas_cumprod", "posterior_mean_coef1", "model_sampling.sigmas", "denoiser.sigmas", "ztsnr", "scaled_fp8",
    "cond_stage_model.transformer.text_model.embeddings.position_ids", "cond_stage_model.logit_scale",
    f"{LAYER}.scale_input",
)  # fmt: skip
IDLE_ELSEWHERE = (
    "cond_stage_model.model.text_projection", "cond_stage_model.model.visual.conv1.weight", "embedder.model.ln.weight",
    "conditioner.embedders.0.transformer.text_projection.weight", "conditioner.embedders.1.model.logit_scale",
)  # fmt: skip
STRANGE = ("model.diffusion_model.extra_block.weight", "edm_mean", "lora_te.weight", "model_emanation")


def loaded(folder: Path, tensors: dict[str, Tensor], vae: dict[str, Tensor] | None = None) -> LoadedModel:
    places = folder / "models" / "Stable-diffusion", folder / "models" / "VAE"
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, places[0] / "small.safetensors")
    if vae:
        save_file(vae, places[1] / "other.safetensors")
    library = ModelLibrary(folder / "models", folder / "cache", FAMILIES)
    return load_model(library, library.checkpoint("small"), library.vaes()[0] if vae else None, CPU, torch.float32)


def test_what_is_understood_is_not_told(tmp_path: Path) -> None:
    tensors = small_checkpoint(1) | {name: torch.ones(1) for name in IDLE}
    assert loaded(tmp_path, tensors).notices == ()
    assert loaded(tmp_path, tensors, small_vae()).notices == ()


def test_what_nobody_reads_is_told_with_its_number_and_names(tmp_path: Path) -> None:
    (told,) = loaded(tmp_path, small_checkpoint(1) | {name: torch.ones(1) for name in STRANGE}).notices
    assert told.startswith("small.safetensors: 4 tensors were not understood")
    assert "edm_mean" in told


def test_a_vae_has_an_account_of_its_own(tmp_path: Path) -> None:
    strange = {"first_stage_model.strange.weight": torch.ones(1)}
    (told,) = loaded(tmp_path, small_checkpoint(1) | strange).notices
    assert "first_stage_model.strange.weight" in told
    (told,) = loaded(tmp_path, small_checkpoint(1) | strange, small_vae() | {"odd": torch.ones(1)}).notices
    assert told.startswith("other.safetensors: 1 tensor was")


@pytest.mark.parametrize("name", IDLE_ELSEWHERE)
def test_the_text_encoders_of_other_families_have_idle_tensors(name: str) -> None:
    assert idle_reason(name)


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_is_idle_only_as_a_whole(name: str) -> None:
    assert not idle_reason(name)


def per_tensor(weight: Tensor) -> Tensor:
    return weight.abs().max() / 200


def per_row(weight: Tensor) -> Tensor:
    return weight.abs().flatten(1).amax(dim=1) / 200


def per_row_of_its_rank(weight: Tensor) -> Tensor:
    return per_row(weight).reshape(-1, *[1] * (weight.dim() - 1))


@pytest.mark.parametrize("spelling", [".scale_weight", ".weight_scale", ".weight_scale_inv"])
@pytest.mark.parametrize("stored", [torch.float8_e4m3fn, torch.float8_e5m2])
@pytest.mark.parametrize("scaling", [per_tensor, per_row, per_row_of_its_rank])
def test_float8_is_multiplied_by_the_scale_beside_it(
    tmp_path: Path, spelling: str, stored: torch.dtype, scaling: Callable[[Tensor], Tensor]
) -> None:
    tensors = small_checkpoint(1, dtype=torch.float32)
    layers = [LAYER, "model.diffusion_model.input_blocks.1.0.in_layers.2", "first_stage_model.decoder.conv_in"]
    whole = {layer: tensors[f"{layer}.weight"].clone() for layer in layers}
    for layer, weight in whole.items():
        scale = scaling(weight)
        rows = scale.reshape(-1, *[1] * (weight.dim() - 1)) if scale.numel() > 1 else scale
        tensors[f"{layer}.weight"] = (weight / rows).to(stored)
        tensors[f"{layer}{spelling}"] = scale
    if spelling == ".scale_weight":
        tensors["scaled_fp8"] = torch.zeros(2).to(stored)
    model = loaded(tmp_path, tensors)
    assert model.notices == ()
    module = untyped(model.unet.module)
    got = (
        module.time_embedding.linear_1.weight,
        module.down_blocks[0].resnets[0].conv1.weight,
        model.vae.module.decoder.conv_in.weight,
    )
    for read, weight in zip(got, whole.values(), strict=True):
        assert float((read - weight).norm() / weight.norm()) < (0.04 if stored == torch.float8_e4m3fn else 0.08)


@pytest.mark.parametrize(
    ("name", "shape", "why"),
    [
        ("model.diffusion_model.nowhere.scale_weight", (), "belongs to no tensor"),
        (f"{LAYER}.weight_scale", (7,), "does not fit"),
        (f"{LAYER}.weight_scale_inv", (1, 32), "does not fit"),
    ],
)
def test_a_scale_that_fits_nothing_refuses_the_file(
    tmp_path: Path, name: str, shape: tuple[int, ...], why: str
) -> None:
    with pytest.raises(UnusableFileError, match=rf"small.safetensors: the scale {name}.* {why}"):
        loaded(tmp_path, small_checkpoint(1) | {name: torch.ones(shape)})


def test_two_scales_of_one_tensor_refuse_the_file(tmp_path: Path) -> None:
    both = {f"{LAYER}.weight_scale": torch.ones(()), f"{LAYER}.scale_weight": torch.ones(())}
    with pytest.raises(UnusableFileError, match="has two scales"):
        loaded(tmp_path, small_checkpoint(1) | both)


@pytest.mark.parametrize("width", [256, 32])
def test_the_layer_that_is_told_the_guidance_is_used(tmp_path: Path, width: int) -> None:
    told = {"model.diffusion_model.time_embed.cond_proj.weight": torch.randn(32, width)}
    model = loaded(tmp_path, small_checkpoint(1) | told)
    assert model.notices == ()
    assert model.spec.takes_guidance
    assert model.unet.shape.guidance_width == width
