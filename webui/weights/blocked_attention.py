"""Attention on a CPU, head by head and in blocks of queries, where that is faster than torch's own kernel."""

import math
from typing import Any

import torch
from torch import Tensor, nn

QUERY_BLOCK = 256  # queries at once, few enough that their scores stay in the cache (measured in benchmarks/)
# A sum over 2^20 keys of powers of two up to this one, times values of that size, stays far below float32's and bf16's
# largest number, 2^127.
SAFE_EXPONENT = 64.0
LONGEST_TEXT = 320  # tokens; four parts of a prompt have 308
_LANES = 16  # kernels for products compute so many columns at once


class BlockedAttention:
    """Attention head by head and in blocks of queries, and to short texts all heads at once.

    On some processors torch's own kernel gains nothing from bf16; two matrix products and a softmax on blocks that fit
    the cache then take down to half its time. With AMX torch's kernel is the faster one, so each is used where it was
    measured to gain (`kernel_timing.py`). An attention processor of diffusers (`Attention.set_processor`).
    """

    def __init__(self, blocks_from: int | None, *, batches_texts: bool = False) -> None:
        """Args:
        blocks_from: of shorter sequences torch's kernel makes more, of all if None.
        batches_texts: compute attention to a text for all heads at once.
        """
        self._blocks_from = blocks_from
        self._longest_text = LONGEST_TEXT if batches_texts else 0

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
        query = in_heads(attn.to_q(hidden_states), attn.heads)
        key, value = keys_and_values(attn, context)
        return out_of(attn, self.mixed(query, key, value, attention_mask).transpose(1, 2).flatten(2))

    def mixed(self, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None) -> Tensor:
        """softmax(q kT / sqrt(d)) v of (B, H, S, d) and (B, H, T, d)."""
        trains = torch.is_grad_enabled() and any(one.requires_grad for one in (query, key, value))
        if not trains and attention_mask is None:
            if self._blocks_from is not None and min(query.shape[2], key.shape[2]) >= self._blocks_from:
                return blocked_attention(query, key, value)
            if key.shape[2] <= self._longest_text:
                return batched_attention(query, key, value)
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)


def blocked_attention(query: Tensor, key: Tensor, value: Tensor, block: int = QUERY_BLOCK) -> Tensor:
    """softmax(q kT / sqrt(d)) v for (B, H, S, d) and (B, H, T, d), one head and one block of queries at a time.

    The sum that the softmax divides by is one more column of the product with the values, and the division comes after
    it. A softmax stays the same if a number is taken from all scores of a query: this is done, with the largest, only
    where scores could be so large that their powers overflow. The answer lies in memory as (B, S, H, d).
    """
    rows, heads, count, width = query.shape
    out = query.new_empty((rows, count, heads, width)).transpose(1, 2)
    factor = width**-0.5 * math.log2(math.e)  # powers of two are the faster ones
    largest = (_longest(query) * _longest(key) * factor).tolist()
    values = value.new_zeros((key.shape[2], _lanes(width + 1)))
    values[:, width] = 1
    for row in range(rows):
        for head in range(heads):
            keys = (key[row, head] * factor).transpose(0, 1)
            values[:, :width] = value[row, head]
            for start in range(0, count, block):
                part = slice(start, start + block)
                scores = query[row, head, part] @ keys
                if not largest[row][head] <= SAFE_EXPONENT:
                    scores -= scores.amax(dim=-1, keepdim=True)
                mixed = scores.exp2_() @ values
                torch.div(mixed[:, :width], mixed[:, width : width + 1], out=out[row, head, part])
    return out


def batched_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """As `blocked_attention`, of all heads and queries at once, for few keys.

    Further keys are made up, to as many as a kernel computes at once; they count for nothing, as they have neither
    values nor a share in the sum.
    """
    rows, heads, count, width = query.shape
    length, factor = key.shape[2], width**-0.5 * math.log2(math.e)
    keys = key.new_zeros((rows, heads, _lanes(length), width))
    torch.mul(key, factor, out=keys[:, :, :length])
    values = value.new_zeros((rows, heads, _lanes(length), _lanes(width + 1)))
    values[:, :, :length, :width] = value
    values[:, :, :length, width] = 1
    scores = torch.bmm(query.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2))
    if not float((_longest(query) * _longest(key)).max()) * factor <= SAFE_EXPONENT:
        scores -= scores[..., :length].amax(dim=-1, keepdim=True)
        scores[..., length:].fill_(-math.inf)
    mixed = torch.bmm(scores.exp2_(), values.flatten(0, 1)).view(rows, heads, count, -1)
    out = query.new_empty((rows, count, heads, width)).transpose(1, 2)
    torch.div(mixed[..., :width], mixed[..., width : width + 1], out=out)
    return out


def _lanes(number: int) -> int:
    """The next multiple of what a kernel computes at once."""
    return -(-number // _LANES) * _LANES


def _longest(vectors: Tensor) -> Tensor:
    """(B, H, S, d) -> (B, H), the length of the longest vector of each head in float32."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1, dtype=torch.float32)
    return lengths.amax(dim=-1)


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
