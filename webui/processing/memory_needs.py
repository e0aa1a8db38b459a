"""How much memory of the device a job is expected to need at once, and what is said where there is less."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from webui.domain.errors import MemoryShortError
from webui.domain.memory_state import MemoryState
from webui.domain.request import GenerationRequest
from webui.weights.estimates import decoder_activations, unet_activations_of
from webui.weights.model import LoadedModel
from webui.weights.recovery import give_memory_back
from webui.weights.residency import Residency
from webui.weights.unet import UnetWrapper


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the memory of a job follows from.

    Attributes:
        network, vae: bytes of weights, of the network with those that are asked beside it.
        channels: of the first level of its UNet; 0 for other networks.
        decoder: channels of the VAE's first level.
        dtype, vae_dtype: what they compute in.
    """

    network: int
    vae: int
    channels: int
    decoder: int
    dtype: torch.dtype
    vae_dtype: torch.dtype


def sampling_bytes(sizes: Sizes, request: GenerationRequest, cells: tuple[int, int]) -> int:
    """Bytes that a call of the network computes, prompt and negative prompt together.

    Args:
        cells: height and width of a latent.
    """
    rows = request.batch_size if request.cfg_scale == 1 else 2 * request.batch_size
    return unet_activations_of(rows, *cells, sizes.channels, sizes.dtype)


def decoding_bytes(sizes: Sizes, size: tuple[int, int]) -> int:
    """Bytes that it takes to decode a picture of that width and height."""
    width, height = size
    return decoder_activations(height, width, sizes.decoder, sizes.vae_dtype)


def expected_bytes(model: LoadedModel, request: GenerationRequest, size: tuple[int, int]) -> int:
    """Bytes of weights and activations while the job samples or decodes, whichever needs more.

    Args:
        size: width and height of its largest pass, in pixels.
    """
    return needed_at_once(sizes_of(model), request, size, model.spec.latents.grid(*size))


def needed_at_once(sizes: Sizes, request: GenerationRequest, size: tuple[int, int], cells: tuple[int, int]) -> int:
    """The same where the networks need not be in memory."""
    decoding = sizes.vae + decoding_bytes(sizes, size)
    return max(decoding, sizes.network + sampling_bytes(sizes, request, cells)) if sizes.channels else decoding


def sizes_of(model: LoadedModel) -> Sizes:
    """Those of a checkpoint in memory."""
    network, vae = model.network, model.vae
    return Sizes(
        network=network.resident.bytes if isinstance(network, UnetWrapper) else 0,
        vae=vae.resident.bytes,
        channels=network.shape.levels[0].channels if isinstance(network, UnetWrapper) else 0,
        decoder=vae.module.decoder.conv_out.in_channels,
        dtype=network.dtype,
        vae_dtype=vae.dtype,
    )


def watched(residency: Residency, needs: int) -> Callable[[], MemoryState | None]:
    """What tells of the device's memory while a job runs that is expected to need so many bytes; None is told where
    networks stay where they are.
    """
    residency.expect(needs)
    return lambda: residency.state() if residency.moves else None


def shortage(request: GenerationRequest) -> MemoryShortError:
    """The error of a job that no way of saving memory could help; what the failed attempt held is given back."""
    give_memory_back()
    work = f"making pictures of {request.width} x {request.height}"
    return MemoryShortError(f"memory ran out while {work}; lower width and height or the batch size")
