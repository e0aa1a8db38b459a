"""Makes networks faster by the memory layout of weights, and on a CPU by attention in blocks."""

from typing import Any

import torch
from torch import Tensor, nn

QUERY_BLOCK = 512  # queries at once, few enough that their scores stay in the cache (measured in benchmarks/)
BLOCKS_FROM = 1024  # for shorter sequences blocks gain nothing


class BlockedAttention:
    """Attention head by head and in blocks of queries, for half precision on a CPU.

    torch's own kernel gains nothing from bf16 there; two matrix products and a softmax on blocks that fit the cache
    take less than half its time. It is used only without AMX, with which torch's kernel is faster. An attention
    processor of diffusers (`Attention.set_processor`).
    """

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
        query = _heads(attn.to_q(hidden_states), attn.heads)
        key, value = _heads(attn.to_k(context), attn.heads), _heads(attn.to_v(context), attn.heads)
        out = self.mixed(query, key, value, attention_mask)
        projected: Tensor = attn.to_out[0](out.transpose(1, 2).flatten(2))
        return projected if attn.rescale_output_factor == 1 else projected / attn.rescale_output_factor

    @staticmethod
    def mixed(query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None) -> Tensor:
        """softmax(q kT / sqrt(d)) v of contiguous (B, H, S, d) and (B, H, T, d)."""
        if query.shape[2] < BLOCKS_FROM or attention_mask is not None:
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


def speed_up(unet: nn.Module, *, half: bool) -> None:
    """Lay a UNet's weights out for convolutions (channels last), and where it is in half precision on a CPU use blocked
    attention.
    """
    unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    if half:
        for module in unet.modules():
            if hasattr(module, "set_processor"):
                set_processor = module.set_processor
                set_processor(BlockedAttention())  # type: ignore[operator]  # typed as Tensor or Module


def _heads(tensor: Tensor, heads: int) -> Tensor:
    """(B, S, H x d) -> (B, H, S, d), contiguous, since every head is multiplied separately."""
    batch, length, width = tensor.shape
    return tensor.view(batch, length, heads, width // heads).transpose(1, 2).contiguous()
