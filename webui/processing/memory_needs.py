"""How much memory of the device a job is expected to need at once, and what is said where there is less."""

from collections.abc import Callable

from webui.domain.errors import MemoryShortError
from webui.domain.memory_state import MemoryState
from webui.domain.request import GenerationRequest
from webui.weights.estimates import decoder_activations, unet_activations_of
from webui.weights.model import LoadedModel
from webui.weights.recovery import give_memory_back
from webui.weights.residency import Residency
from webui.weights.unet import UnetWrapper


def expected_bytes(model: LoadedModel, request: GenerationRequest, size: tuple[int, int]) -> int:
    """Bytes of weights and activations while the job samples or decodes, whichever needs more.

    Args:
        size: width and height of its largest pass, in pixels.
    """
    width, height = size
    vae = model.vae
    decoding = vae.resident.bytes + decoder_activations(
        height, width, vae.module.decoder.conv_out.in_channels, vae.dtype
    )
    network = model.network
    if not isinstance(network, UnetWrapper):
        return decoding
    cells = model.spec.latents.grid(width, height)
    rows = request.batch_size if request.cfg_scale == 1 else 2 * request.batch_size
    sampling = unet_activations_of(rows, *cells, network.shape.levels[0].channels, network.dtype)
    return max(decoding, network.resident.bytes + sampling)


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
