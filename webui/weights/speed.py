"""Makes networks faster by the memory layout of weights, and on a CPU by attention in blocks."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from webui.weights.packed_convolutions import can_pack, pack_small
from webui.weights.resident import Resident

QUERY_BLOCK = 512  # queries at once, few enough that their scores stay in the cache (measured in benchmarks/)


@dataclass(frozen=True, slots=True)
class FormatKernels:
    """The faster kernels of a processor for networks in one number format.

    Attributes:
        channels_last: lay weights out for convolutions, which then need no reordering between layers.
        packs_to: pixels up to which convolutions use weights that are laid out ahead; 0: none does.
        blocks_from: tokens from which self-attention in blocks is faster than torch's; None: it never is.
    """

    channels_last: bool = True
    blocks_from: int | None = None
    packs_to: int = 0


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


class BlockedAttention:
    """Attention head by head and in blocks of queries.

    On some processors torch's own kernel gains nothing from bf16; two matrix products and a softmax on blocks that fit
    the cache then take down to half its time. With AMX torch's kernel is the faster one, so it is used where it was
    measured to gain (`kernel_timing.py`). An attention processor of diffusers (`Attention.set_processor`).
    """

    def __init__(self, blocks_from: int) -> None:
        """`blocks_from`: of shorter sequences, and of attention to a text, torch's kernel makes more."""
        self._blocks_from = blocks_from

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """(B, S, D) queries, (B, T, D') context or None for self-attention -> (B, S, D)."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query = in_heads(attn.to_q(hidden_states), attn.heads).contiguous()  # every head is multiplied separately
        key, value = (one.contiguous() for one in keys_and_values(attn, context))
        return out_of(attn, self.mixed(query, key, value, attention_mask).transpose(1, 2).flatten(2))

    def mixed(self, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None) -> Tensor:
        """softmax(q kT / sqrt(d)) v of contiguous (B, H, S, d) and (B, H, T, d)."""
        if min(query.shape[2], key.shape[2]) < self._blocks_from or attention_mask is not None:
            return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        return blocked_attention(query, key, value)


def blocked_attention(query: Tensor, key: Tensor, value: Tensor, block: int = QUERY_BLOCK) -> Tensor:
    """softmax(q kT / sqrt(d)) v for (B, H, S, d) and (B, H, T, d), one head and one block of queries at a time."""
    out = torch.empty_like(query)
    scale = query.shape[-1] ** -0.5
    for row in range(query.shape[0]):
        for head in range(query.shape[1]):
            keys = (key[row, head] * scale).transpose(0, 1)
            for start in range(0, query.shape[2], block):
                scores = query[row, head, start : start + block] @ keys
                out[row, head, start : start + block] = scores.softmax(dim=-1) @ value[row, head]
    return out


def speed_up(unet: nn.Module, kernels: FormatKernels, resident: Resident | None = None) -> None:
    """Have a UNet computed with these kernels. Where the plain ones are the faster, it stays as diffusers makes it.

    Args:
        resident: tells when its weights may have been written; without it nothing is laid out ahead.
    """
    form = torch.channels_last if kernels.channels_last else torch.contiguous_format
    unet.to(memory_format=form)  # type: ignore[call-overload]  # missing in torch's stubs
    if kernels.packs_to and resident is not None and can_pack():
        pack_small(unet, kernels.packs_to, resident)
    if kernels.blocks_from is not None:
        for module in unet.modules():
            if hasattr(module, "set_processor"):
                set_processor = module.set_processor
                set_processor(BlockedAttention(kernels.blocks_from))  # type: ignore[operator]  # Tensor or Module


def in_heads(tensor: Tensor, heads: int) -> Tensor:
    """(B, S, H x d) -> (B, H, S, d)."""
    batch, length, width = tensor.shape
    return tensor.view(batch, length, heads, width // heads).transpose(1, 2)


def keys_and_values(attn: Any, context: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values (B, H, T, d) of a context (B, T, D) by the projections of a layer."""
    return in_heads(attn.to_k(context), attn.heads), in_heads(attn.to_v(context), attn.heads)


def out_of(attn: Any, mixed: Tensor) -> Tensor:
    """What a layer answers, (B, S, D), to mixed values (B, S, H x d)."""
    projected: Tensor = attn.to_out[0](mixed)
    return projected if attn.rescale_output_factor == 1 else projected / attn.rescale_output_factor
