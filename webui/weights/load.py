"""Loads a checkpoint: converts a pickle first, then lets its family build the networks, and builds the VAE."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from webui.domain.errors import NotFiniteError, UnusableFileError
from webui.library.family import ModelSpec
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.shapes import VaeShape, has_unet, require_vae
from webui.weights.accounted import AccountedTensors
from webui.weights.build import build_vae
from webui.weights.convert import ensure_safetensors
from webui.weights.families.contract import Built, networks_of
from webui.weights.model import LoadedModel
from webui.weights.speed import FormatKernels, speed_up
from webui.weights.tensors import TensorFile
from webui.weights.vae import VaeWrapper


def load_model(
    library: ModelLibrary,
    checkpoint: ModelFile,
    vae: ModelFile | None,
    device: torch.device,
    dtype: torch.dtype,
    *,
    vae_dtype: torch.dtype | None = None,
    fast_cpu: bool = False,
    store: torch.device | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> LoadedModel:
    """Read a checkpoint into memory.

    Args:
        vae: the VAE to use instead of the one inside; None: the one inside.
        vae_dtype: of the VAE on GPUs; None: `dtype`.
        fast_cpu: lay the network out for the CPU's faster paths.
        store: where the weights are put, if not on the device that they are for.
        progress: called with a few words before something that takes long.

    Raises:
        UnusableFileError: not a checkpoint, incomplete, or without a VAE while none is given.
        NotFiniteError: weights that are NaN or infinite.
    """
    path = ensure_safetensors(library, checkpoint, progress)
    spec = library.spec(checkpoint)
    if vae is None and spec.vae is None:
        raise UnusableFileError(f"{checkpoint.name}: has no VAE inside; choose one from models/VAE")
    try:
        with TensorFile(path) as file:
            source = AccountedTensors(file, checkpoint.name)
            if spec.vae is not None:  # it has an account of its own where it is the one that is read
                source.account.leave_out("the VAE is read apart", *spec.vae.keys.values())
            built = networks_of(spec.family).build(source, spec, store or device, dtype, fast_cpu=fast_cpu)
    except (UnusableFileError, NotFiniteError) as error:
        raise type(error)(f"{checkpoint.name}: {error}") from error
    if store is not None and store.type != device.type:
        _as_for(device, built, dtype)
    door = load_vae(library, checkpoint, vae, spec, device, vae_dtype or dtype, store=store, progress=progress)
    told = tuple(filter(None, (*built.spec.notices, source.account.told())))
    built_spec = replace(built.spec, notices=told)
    return LoadedModel(checkpoint, built_spec, vae, built.network, door, built.text, device, dtype, built.depth)


def load_vae(
    library: ModelLibrary,
    checkpoint: ModelFile,
    vae: ModelFile | None,
    spec: ModelSpec,
    device: torch.device,
    dtype: torch.dtype,
    *,
    store: torch.device | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> VaeWrapper:
    """Read a VAE: `vae`, or the one inside `checkpoint`.

    On a CPU it is float32, since half precision shows in pictures; and so is one that overflows in float16.

    Raises:
        UnusableFileError, NotFiniteError: as `load_model`.
    """
    file = vae or checkpoint
    path = ensure_safetensors(library, file, progress)
    overflows = dtype == torch.float16 and spec.family.vae_overflows
    vae_dtype = torch.float32 if device.type == "cpu" or overflows else dtype
    try:
        with TensorFile(path) as tensors:
            shapes = tensors.header.shapes
            shape = require_vae(shapes)
            _check_format(shape, spec)
            source = AccountedTensors(tensors, file.name, shape.keys.values() if has_unet(shapes) else None)
            module = build_vae(source, shape, store or device, vae_dtype)
    except (UnusableFileError, NotFiniteError) as error:
        raise type(error)(f"{file.name}: {error}") from error
    form = spec.latents
    return VaeWrapper(
        module,
        scale=form.scale,
        shift=form.shift,
        downscale=shape.downscale,
        name=f"VAE of {file.name}",
        told=source.account.told(),
    )


def _as_for(device: torch.device, built: Built, dtype: torch.dtype) -> None:
    """Give networks that were read to main memory the format and the layout that they have on their device."""
    for tower in built.text.encoders:
        for part in (getattr(tower, "module", None), getattr(tower, "projection", None)):
            if isinstance(part, nn.Module):
                part.to(dtype)
    module = built.network.module
    if device.type == "cuda" and isinstance(module, nn.Module):
        speed_up(module, FormatKernels())


def _check_format(shape: VaeShape, spec: ModelSpec) -> None:
    """Raises UnusableFileError where the latents of a VAE have another format than those of the checkpoint."""
    made, needed = shape.latent_channels, spec.latents.channels
    if made != needed:
        raise UnusableFileError(
            f"its VAE makes latents of {made} channels; checkpoints of the family {spec.family.name} have {needed}"
        )
