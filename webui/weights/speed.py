"""Makes networks faster by the memory layout of weights, and on a CPU by attention in blocks."""

from dataclasses import dataclass

import torch
from torch import nn

from webui.hardware.main_memory import total_main_memory
from webui.weights.blocked_attention import BlockedAttention
from webui.weights.gated_units import halve
from webui.weights.packed_convolutions import GIB, can_pack, pack_convolutions
from webui.weights.packed_linears import can_pack_linears, pack_linears
from webui.weights.resident import Resident

# Weights for tiles take 16/9 of the memory of those that they are made of, about as much as the rest of the network. It
# is the machine's memory that decides, not the free one: the same machine makes the same pictures.
ENOUGH = 14 * GIB


@dataclass(frozen=True, slots=True)
class FormatKernels:
    """The faster kernels of a processor for networks in one number format.

    Attributes:
        channels_last: lay weights out for convolutions, which then need no reordering between layers.
        packs_to: pixels, over all rows, up to which convolutions use weights that are laid out ahead; 0: none does.
        tiled_from: pixels of a row from which 3 x 3 convolutions are computed by tiles; 0: never.
        halves_gates: compute the halves of gated units one after the other.
        batches_texts: compute attention to a text for all heads at once.
        packs_linears: linear layers use weights that are laid out ahead.
        blocks_from: tokens from which self-attention in blocks is faster than torch's; None: it never is.
    """

    channels_last: bool = True
    blocks_from: int | None = None
    packs_to: int = 0
    tiled_from: int = 0
    halves_gates: bool = False
    packs_linears: bool = False
    batches_texts: bool = False


@dataclass(frozen=True, slots=True)
class CpuKernels:
    """The faster kernels of a processor.

    Attributes:
        plain: for float32.
        half: for bf16; None where the processor does not compute in it.
        prefers_half: whether bf16 is the faster of the two.
    """

    plain: FormatKernels = FormatKernels()
    half: FormatKernels | None = None
    prefers_half: bool = False

    def of(self, dtype: torch.dtype) -> FormatKernels:
        """Those for networks of a format."""
        return self.half or FormatKernels() if dtype == torch.bfloat16 else self.plain


def speed_up(unet: nn.Module, kernels: FormatKernels, resident: Resident | None = None) -> None:
    """Have a UNet computed with these kernels. Where the plain ones are the faster, it stays as diffusers makes it.

    Args:
        resident: tells when its weights may have been written; without it no other forms of them are kept.
    """
    form = torch.channels_last if kernels.channels_last else torch.contiguous_format
    unet.to(memory_format=form)  # type: ignore[call-overload]  # missing in torch's stubs
    if resident is not None:
        most = kernels.packs_to if can_pack() else 0
        tiled_from = kernels.tiled_from if total_main_memory() >= ENOUGH else 0
        if most or tiled_from:
            pack_convolutions(unet, resident, most=most, tiled_from=tiled_from)
        if kernels.packs_linears and can_pack_linears():
            pack_linears(unet, resident)
    if kernels.halves_gates:
        halve(unet)
    if kernels.blocks_from is not None or kernels.batches_texts:
        for module in unet.modules():
            if hasattr(module, "set_processor"):
                set_processor = module.set_processor
                processor = BlockedAttention(kernels.blocks_from, batches_texts=kernels.batches_texts)
                set_processor(processor)  # type: ignore[operator]  # Tensor or Module
