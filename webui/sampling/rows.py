"""The rows of a call of the network: which text and which image each has. They lie on the device, and are laid out anew
only when prompt editing changes a text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from webui.domain.request import Guidance
from webui.prompt.conditioning import Conditioning, Span, at_call
from webui.sampling.padding import match_lengths, stack_spans
from webui.sampling.steps import Row
from webui.sampling.transfer import uploaded

_KEPT = 4  # layouts; `[a|b]` alternates between two


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of one call.

    Attributes:
        context: (rows, T, D).
        vector: (rows, D_y), or None.
        positive: (rows,) bool; False where the row belongs to the negative prompt.
        repeats: how often the batch stands below itself in the rows.
        images: (rows,) the image of each row, where that is not the batch repeated; else None.
        told: whose each row is.
    """

    context: Tensor
    vector: Tensor | None
    positive: Tensor
    repeats: int
    images: Tensor | None
    told: tuple[Row, ...]

    def of(self, batch: Tensor) -> Tensor:
        """For each row what belongs to its image, from a tensor (B, C, h, w)."""
        if self.images is not None:
            return batch[self.images]
        return batch if self.repeats == 1 else batch.repeat(self.repeats, *[1] * (batch.dim() - 1))


class Layout:
    """The texts of one call of the denoiser as rows.

    Attributes:
        weights: for each image the weights of its AND parts.
        is_single: whether every image has one part.
    """

    def __init__(
        self, text: Conditioning, spans: Sequence[Span], negative: Sequence[Span], options: Guidance,
        device: torch.device,
    ) -> None:  # fmt: skip
        """Args:
        spans: of every AND part, image by image; `negative` one for each image.
        """
        self.weights = [[part.weight for part in parts] for parts in text.positive]
        self.is_single = all(len(parts) == 1 for parts in self.weights)
        self._spans, self._negative = tuple(spans), tuple(negative)
        self._empty, self._options, self._device = text.empty, options, device
        self._owner_numbers = [image for image, parts in enumerate(self.weights) for _ in parts]

    @property
    def parts(self) -> int:
        """How many AND parts there are in all (R)."""
        return len(self._owner_numbers)

    def of_parts(self, batch: Tensor) -> Tensor:
        """For each AND part what belongs to its image: (B, C, h, w) -> (R, C, h, w)."""
        return batch if self._owners is None else batch[self._owners]

    def first_of(self, rows: Tensor) -> Tensor:
        """Of estimates for all parts (R, C, h, w) those for each image's first (B, C, h, w)."""
        return rows if self._firsts is None else rows[self._firsts]

    @cached_property
    def _owners(self) -> Tensor | None:
        """(R,) for each AND part the index of its image; None where every image has one."""
        return None if self.is_single else self._index(self._owner_numbers)

    @cached_property
    def _firsts(self) -> Tensor | None:
        """(B,) for each image the row of its first part; None where it has only that."""
        return None if self.is_single else self._index([self._owner_numbers.index(i) for i in range(len(self.weights))])

    @cached_property
    def alone(self) -> Rows:
        """The prompts without the negative prompt."""
        return self._rows([self._stacked], [True], 1, self._owners)

    @cached_property
    def negatives(self) -> Rows:
        """The negative prompts alone, one row an image."""
        return self._rows([self._against], [False], 1, None)

    @cached_property
    def together(self) -> Rows | None:
        """Prompts, then negative prompts; None where their lengths differ, so that they need two calls."""
        positive, negative, _ = self._matched
        if positive.context.shape[1] != negative.context.shape[1]:
            return None
        images = self._index([*self._owner_numbers, *range(len(self.weights))])
        return self._rows([positive, negative], [True, False], 2, None if self.is_single else images)

    @property
    def padded(self) -> bool:
        """Whether prompt or negative prompt was padded to the length of the other."""
        return self._matched[2]

    @cached_property
    def apart(self) -> tuple[Rows, Rows]:
        """Prompts and negative prompts as two calls."""
        positive, negative, _ = self._matched
        return self._rows([positive], [True], 1, self._owners), self._rows([negative], [False], 1, None)

    @cached_property
    def _stacked(self) -> Span:
        return stack_spans(list(self._spans))

    @cached_property
    def _against(self) -> Span:
        return stack_spans(list(self._negative))

    @cached_property
    def _matched(self) -> tuple[Span, Span, bool]:
        return match_lengths(self._stacked, self._against, self._empty, self._options)

    def _rows(self, stacks: list[Span], signs: list[bool], repeats: int, images: Tensor | None) -> Rows:
        context = torch.cat([one.context for one in stacks])
        vectors = [one.vector for one in stacks if one.vector is not None]
        positive = [sign for one, sign in zip(stacks, signs, strict=True) for _ in range(len(one.context))]
        return Rows(
            uploaded(context, self._device),
            uploaded(torch.cat(vectors), self._device) if vectors else None,
            uploaded(torch.tensor(positive), self._device),
            repeats,
            images,
            tuple(row for sign in signs for row in self._told(sign)),
        )

    def _told(self, positive: bool) -> Iterator[Row]:
        """Whose the rows of the prompts, or of the negative prompts, are."""
        for image, parts in enumerate(self.weights):
            for part in range(len(parts) if positive else 1):
                yield Row(image, positive, part)

    def _index(self, numbers: list[int]) -> Tensor:
        return uploaded(torch.tensor(numbers), self._device)


class Layouts:
    """The layouts of a run, by the texts that are due."""

    def __init__(self, options: Guidance) -> None:
        self._options = options
        self._kept: dict[tuple[int, ...], tuple[Conditioning, Layout]] = {}

    def at(self, text: Conditioning, call: int, device: torch.device) -> Layout:
        """The layout for a call of the denoiser, of which so many were made before."""
        spans = [at_call(part.spans, call) for parts in text.positive for part in parts]
        negative = [at_call(one, call) for one in text.negative]
        key = (id(text), *map(id, spans), *map(id, negative))
        if key not in self._kept:
            if len(self._kept) == _KEPT:
                self._kept.clear()
            # the text is kept with its layout, so that no other object gets the same id
            self._kept[key] = text, Layout(text, spans, negative, self._options, device)
        return self._kept[key][1]
