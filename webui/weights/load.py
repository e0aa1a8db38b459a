"""Loads a checkpoint: converts a pickle first, then builds UNet, VAE, text encoders and depth network from tensors."""

from collections.abc import Callable
from dataclasses import replace

import torch

from webui.domain.errors import NotFiniteError, UnusableFileError
from webui.library.detect import ModelSpec
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.shapes import require_vae
from webui.weights.build import build_unet, build_vae
from webui.weights.convert import ensure_safetensors
from webui.weights.midas import build_midas
from webui.weights.model import LoadedModel
from webui.weights.precision import cpu_has_amx
from webui.weights.speed import speed_up
from webui.weights.tensors import TensorFile
from webui.weights.text_encoders import build_text_stack
from webui.weights.unet import UnetDoor
from webui.weights.vae import VaeDoor

_SD2_CONTEXT = 1024  # the threshold is known for the real SD2 only
_V_THRESHOLD = -1.0  # mean(answer - sample) of a v-model at the last timestep; an epsilon model answers about 0


def load_model(
    library: ModelLibrary,
    checkpoint: ModelFile,
    vae: ModelFile | None,
    device: torch.device,
    dtype: torch.dtype,
    *,
    vae_dtype: torch.dtype | None = None,
    fast_cpu: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> LoadedModel:
    """Read a checkpoint into memory.

    Args:
        vae: the VAE to use instead of the one inside; None: the one inside.
        vae_dtype: of the VAE on GPUs; None: `dtype`.
        fast_cpu: lay the UNet out for the CPU's faster paths.
        progress: told in a few words what takes long.

    Raises:
        UnusableFileError: not a checkpoint, incomplete, or without a VAE while none is given.
        NotFiniteError: weights that are NaN or infinite.
    """
    path = ensure_safetensors(library, checkpoint, progress)
    spec = library.spec(checkpoint)
    if vae is None and spec.vae is None:
        raise UnusableFileError(f"{checkpoint.name}: has no VAE inside; choose one from models/VAE")
    text_dtype = torch.float32 if device.type == "cpu" else dtype  # small, and every step stands on it
    try:
        with TensorFile(path) as source:
            module = build_unet(source, spec.unet, spec.heads, device, dtype)
            text = build_text_stack(source, spec.family, spec.sidecar, device, text_dtype)
            depth = build_midas(source, spec.depth, device) if spec.depth else None
    except (UnusableFileError, NotFiniteError) as error:
        raise type(error)(f"{checkpoint.name}: {error}") from error
    if fast_cpu and device.type == "cpu":
        speed_up(module, half=dtype == torch.bfloat16 and not cpu_has_amx())
    unet = UnetDoor(module, spec.unet)
    if needs_probe(spec):
        spec = replace(spec, prediction="v" if answers_v(unet, spec) else "epsilon")
    door = load_vae(library, checkpoint, vae, spec, device, vae_dtype or dtype, progress=progress)
    return LoadedModel(checkpoint, spec, vae, unet, door, text, device, dtype, depth)


def load_vae(
    library: ModelLibrary,
    checkpoint: ModelFile,
    vae: ModelFile | None,
    spec: ModelSpec,
    device: torch.device,
    dtype: torch.dtype,
    *,
    progress: Callable[[str], None] = lambda text: None,
) -> VaeDoor:
    """Read a VAE: `vae`, or the one inside `checkpoint`. On a CPU it is float32: half precision shows in pictures.

    Raises:
        UnusableFileError, NotFiniteError: as `load_model`.
    """
    file = vae or checkpoint
    path = ensure_safetensors(library, file, progress)
    vae_dtype = torch.float32 if device.type == "cpu" else dtype
    try:
        with TensorFile(path) as source:
            shape = require_vae(source.header.shapes)
            module = build_vae(source, shape, device, vae_dtype)
    except (UnusableFileError, NotFiniteError) as error:
        raise type(error)(f"{file.name}: {error}") from error
    return VaeDoor(module, scale=spec.latent_scale, downscale=shape.downscale, name=f"VAE of {file.name}")


def needs_probe(spec: ModelSpec) -> bool:
    """SD2 comes as epsilon (512) and v (768) with equal shapes: when nothing states it, the weights must tell."""
    is_plain = spec.in_channels == 4 and spec.unet.vector_width is None and spec.unet.context_width == _SD2_CONTEXT
    return spec.family == "sd2" and spec.prediction_source == "default" and is_plain


@torch.no_grad()
def answers_v(unet: UnetDoor, spec: ModelSpec) -> bool:
    """Ask the UNet at pure noise level (t = 999) about a constant latent of 0.5: an epsilon model returns it, a
    v model the negative of the clean image (arXiv:2202.00512). Test and threshold are A1111's.
    """
    sample = torch.full((1, 4, 8, 8), 0.5, device=unet.device, dtype=unet.dtype)
    context = torch.full((1, 2, spec.unet.context_width), 0.5, device=unet.device, dtype=unet.dtype)
    timestep = torch.full((1,), 999.0, device=unet.device)
    answer = unet.module(sample, timestep, context, return_dict=False)[0]
    return bool((answer - sample).float().mean() < _V_THRESHOLD)
