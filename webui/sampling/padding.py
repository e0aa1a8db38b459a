"""Prompts of different lengths in one batch: stacking and padding their contexts."""

import torch
from torch import Tensor

from webui.domain.request import Guidance
from webui.prompt.conditioning import Span


def stack_spans(spans: list[Span]) -> Span:
    """Stack (T_i, D) contexts to (N, T, D); the shorter ones repeat their last vector. `until` of the result is 0 and
    means nothing.
    """
    longest = max(len(span.context) for span in spans)
    context = torch.stack([_extended(span.context, longest) for span in spans])
    vectors = [span.vector for span in spans if span.vector is not None]
    return Span(0, context, torch.stack(vectors) if vectors else None)


def match_lengths(positive: Span, negative: Span, empty: Tensor | None, options: Guidance) -> tuple[Span, Span, bool]:
    """Pad stacked prompts to one length where the options want that. The third value says whether any was padded.

    `pad_conds` appends the encoded empty prompt; `pad_conds_v0` repeats the negative prompt's last vector or cuts it
    to the prompt's length, as A1111 did for DDIM before 1.6.
    """
    here, there = positive.context.shape[1], negative.context.shape[1]
    if here == there or not (options.pad_conds or options.pad_conds_v0):
        return positive, negative, False
    if options.pad_conds_v0:
        context = torch.stack([_extended(one, here)[:here] for one in negative.context])
        return positive, Span(0, context, negative.vector), True
    if empty is None:
        return positive, negative, False
    if here < there:
        return Span(0, _with_empty(positive.context, there, empty), positive.vector), negative, True
    return positive, Span(0, _with_empty(negative.context, here, empty), negative.vector), True


def _extended(context: Tensor, length: int) -> Tensor:
    missing = max(0, length - len(context))
    return torch.cat([context, context[-1:].expand(missing, -1)])


def _with_empty(context: Tensor, length: int, empty: Tensor) -> Tensor:
    repeats = (length - context.shape[1]) // len(empty)
    return torch.cat([context, empty.repeat(repeats, 1).expand(len(context), -1, -1)], dim=1)
