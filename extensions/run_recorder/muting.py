"""Words that a picture is made without. There are two depths.

*Its tokens alone*: they are taken out of cross-attention before the softmax. What went to them goes to the other
tokens, in the proportions that those have among each other, as in a text that lacks them. The output stays a mean of
values, which the layers after it were trained on; with values set to zero after the softmax it would be smaller than
any that they have seen. The picture hardly changes: every token behind the word, and the end of the text above all, has
read the word in the text encoder, and says it too.

*The word*: the text encoder does not read it either. Because it reads from left to right, and cross-attention does not
know the order of its keys, that is the text without the word.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from webui.extension_api.tensors import Attend, Attention, AttentionLayer, ModelCall, TakePart


def muted_parts(layers: Mapping[str, AttentionLayer], call: ModelCall, tokens: Collection[int]) -> dict[str, TakePart]:
    """Who takes part in the cross-attention of a call so that tokens are muted.

    Args:
        layers: those of cross-attention.
        tokens: places in the context of the prompt's first part; those that it does not have count for nothing.
    """
    part = Deafness(tokens, tuple(row.positive and row.part == 0 for row in call.rows))
    return dict.fromkeys(layers, part)


class Deafness:
    """Takes part in cross-attention: some rows do not hear some tokens."""

    def __init__(self, tokens: Collection[int], concerns: Sequence[bool]) -> None:
        """`concerns`: of each row of the call, whether it is one of those."""
        self._tokens = frozenset(tokens)
        self._concerns = tuple(concerns)

    def __call__(self, attention: Attention, attend: Attend) -> Tensor:
        """(rows, S, H x d)."""
        count = attention.key.shape[2]
        heard = [token for token in range(count) if token not in self._tokens]
        mine = [place for place, row in enumerate(attention.rows) if self._concerns[row]]
        if not mine or not heard or len(heard) == count:
            return attend(attention)
        fewer = attention.of(mine)
        answer = attend(replace(fewer, key=fewer.key[:, :, heard], value=fewer.value[:, :, heard]))
        others = [place for place, row in enumerate(attention.rows) if not self._concerns[row]]
        if not others:
            return answer
        whole = answer.new_empty(len(attention.rows), *answer.shape[1:])
        whole[mine], whole[others] = answer, attend(attention.of(others))
        return whole


def shares_of_heard(maps: Tensor, tokens: Collection[int]) -> Tensor:
    """Maps (T, ...) whose shares sum to 1 over T, as they are where some tokens are muted."""
    heard = torch.ones(len(maps), dtype=maps.dtype, device=maps.device)
    heard[[token for token in tokens if token < len(maps)]] = 0
    kept = maps * heard.view(-1, *[1] * (maps.ndim - 1))
    return kept / kept.sum(0, keepdim=True).clamp(min=1e-8)


def text_without(text: str, words: Sequence[str]) -> str:
    """The text without some words, wherever they stand as words of their own; case does not count."""
    for word in words:
        before = r"(?<!\w)" if word[:1].isascii() and word[:1].isalnum() else ""
        behind = r"(?!\w)" if word[-1:].isascii() and word[-1:].isalnum() else ""
        text = re.sub(f"{before}{re.escape(word)}{behind}", "", text, flags=re.IGNORECASE)
    return re.sub(r" {2,}", " ", text).strip() if words else text
