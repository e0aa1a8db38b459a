"""Regions by words: a region lies where the last word of its text shows, by the attention that the picture pays to it.

Each cross-attention asks the base prompt first. How much each cell attends to a word is summed up over layers and
steps; where the sum, against its highest value, is above a threshold, the region's text is asked from the next call on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from webui.extension_api.tensors import Attend, Attention, ModelCall, Place, TakePart

from .coverage import nearest, with_base
from .options import RegionsOptions
from .regional_text import RegionalText, RowRegions

POWER, POWER_SDXL = 1.2, 4.0
MOST_TOKENS = 64 * 64  # of a layer whose attention is looked at
WHOLE = 0.4  # the threshold where none is given


@dataclass
class WordMaps:
    """How much the cells of each image attend to the words, in one run of the sampler.

    Attributes:
        sums: by image, (N, h, w) of the latents, on the CPU.
    """

    options: RegionsOptions
    sums: dict[int, Tensor] = field(default_factory=dict)
    _masks: dict[int, Tensor] = field(default_factory=dict)
    _latest: Place | None = None

    def begin(self, call: ModelCall) -> None:
        """A call begins: what was seen until now decides it. The first call of a run has seen nothing."""
        if call.place == self._latest:
            return  # the negative prompt, asked apart
        self._latest = call.place
        if call.place.call == 0:
            self.sums.clear()
        power = POWER if call.vector is None else POWER_SDXL
        self._masks = {image: self._mask(total, power) for image, total in self.sums.items()}

    def note(self, image: int, seen: Tensor, cells: tuple[int, int]) -> None:
        """(N, h, w): what a layer attends to the words."""
        large = functional.interpolate(seen[None], size=cells, mode="bilinear", align_corners=False)[0]
        self.sums[image] = self.sums[image] + large if image in self.sums else large

    def shares(self, image: int, bases: Sequence[float], size: tuple[int, int]) -> Tensor | None:
        """(1 + N, h, w): the shares of base and regions; None while nothing was seen."""
        if image not in self._masks:
            return None
        own = nearest(self._masks[image], *size)
        return with_base(own / own.sum(dim=0).clamp(min=1), bases)

    def _mask(self, total: Tensor, power: float) -> Tensor:
        """(N, h, w) of 0 and 1; where the later one wins, one at most in each cell."""
        highest = total.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
        mask = ((total / highest) ** power > _thresholds(self.options.threshold, len(total))).float()
        if self.options.prompt_mode == "Prompt-Ex":
            for number in range(len(mask) - 1):
                mask[number] *= 1 - mask[number + 1 :].amax(dim=0)
        return mask


def target_word(text: str) -> str:
    """The word of a region's text that says where it lies: the last one behind a comma."""
    return text.rpartition(",")[2].strip()


def _thresholds(text: str, regions: int) -> Tensor:
    """(N, 1, 1) numbers in 0..1: one for all, or one for each region."""
    numbers: list[float] = []
    for one in text.split(","):
        try:
            number = float(one)
        except ValueError:
            continue
        numbers += [min(1.0, max(0.0, number))] if math.isfinite(number) else []
    numbers = numbers or [WHOLE]
    return torch.tensor([numbers[min(at, len(numbers) - 1)] for at in range(regions)])[:, None, None]


def parts_by_words(
    call: ModelCall, text: RegionalText, maps: WordMaps, words: Mapping[int, Sequence[Sequence[int]]]
) -> dict[str, TakePart]:
    """Who takes part in the attention of a call.

    Args:
        words: by image, for each region the tokens of its word in the base prompt.
    """
    if len(call.rows) != len(call.sample) or call.windows:
        return {}  # parts of the picture do not show where a word lies
    maps.begin(call)
    part = _ByWords(call, text, maps, words)
    return {name: part.answer for name, layer in call.layers.items() if layer.kind == "cross"}


class _ByWords:
    """The regions of one call in all its layers."""

    def __init__(
        self, call: ModelCall, text: RegionalText, maps: WordMaps, words: Mapping[int, Sequence[Sequence[int]]]
    ) -> None:
        self._call = call
        self._text = text
        self._maps = maps
        self._words = words

    def answer(self, attention: Attention, attend: Attend) -> Tensor:
        """(rows, S, width): each row with its own regions."""
        out = torch.empty_like(attention.query.transpose(1, 2).flatten(2))
        for place, number in enumerate(attention.rows):
            told = self._call.rows[number]
            row = self._text.of(told)
            own = attention if len(attention.rows) == 1 else attention.of([place])
            if len(row.lengths) == 1 or row.division is None:
                out[place] = attend(own)[0]
                continue
            if told.positive and told.part == 0:
                self._look(own, row, told.image, self._call.context[number : number + 1, : row.lengths[0]])
            out[place] = self._mixed(own, attend, row, told.image, number)[0]
        return out

    def _mixed(self, own: Attention, attend: Attend, row: RowRegions, image: int, number: int) -> Tensor:
        context = self._call.context[number : number + 1]
        whole = attend(own.about(context[:, : row.lengths[0]]))
        bases = row.division.bases if row.division is not None else None
        shares = self._maps.shares(image, bases or (), own.size)
        if shares is None:
            return whole
        shares = shares.flatten(1).to(own.query)
        out = whole * shares[0][:, None]
        start = row.lengths[0]
        for share, length in zip(shares[1:], row.lengths[1:], strict=True):
            if bool(share.any()):
                out = out + attend(own.about(context[:, start : start + length])) * share[:, None]
            start += length
        return out

    def _look(self, own: Attention, row: RowRegions, image: int, base: Tensor) -> None:
        """Note how much the queries attend to the words."""
        if own.query.shape[2] > MOST_TOKENS or image not in self._words:
            return
        key = own.about(base).key
        scores = own.query.float() @ key.float().transpose(-1, -2) / math.sqrt(own.query.shape[-1])
        seen = scores.softmax(dim=-1).mean(dim=1)[0]  # (S, T)
        maps = [
            seen[:, list(tokens)].mean(dim=-1) if tokens else torch.zeros_like(seen[:, 0])
            for tokens in self._words[image]
        ]
        self._maps.note(image, torch.stack(maps).view(-1, *own.size).cpu(), self._call.cells)
