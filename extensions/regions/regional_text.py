"""The text of a batch with regions: for each row of the network the chunks of its regions behind each other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from webui.extension_api.tensors import Conditioning, Part, PromptTexts, Row, Span, span_at

from .divisions import Division, divided
from .options import KEEPS_AND, RegionsOptions
from .region_rules import runs_apart
from .separators import without_words

_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r":\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*\Z")
Lengths = tuple[int, ...]  # tokens of base and regions in a row's context


@dataclass(frozen=True, slots=True)
class RowRegions:
    """The regions of a row of the network.

    Attributes:
        division: None where its prompt has no regions.
        lengths: how many tokens of the context are each region's, in their order.
        spans: the text of each alone.
    """

    division: Division | None
    lengths: Lengths
    spans: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True)
class RegionalText:
    """The text of a batch.

    Attributes:
        conditioning: what the network is asked with: all regions behind each other, or the first one alone where each
            has a run of its own.
        plain: the same without regions, for passes in which they do not act.
        positive: for each part of each image.
        negative: for each image.
    """

    conditioning: Conditioning
    plain: Conditioning
    positive: tuple[RowRegions, ...]
    negative: tuple[RowRegions, ...]

    def of(self, row: Row) -> RowRegions:
        """The regions of a row of the network."""
        if not row.positive:
            return self.negative[row.image]
        before = sum(len(parts) for parts in self.conditioning.positive[: row.image])
        return self.positive[before + row.part]


def encoded(conditioning: Conditioning, texts: PromptTexts, options: RegionsOptions) -> RegionalText | None:
    """The text of a batch with its regions; None where no prompt has any.

    Args:
        conditioning: of the prompts as they stand, for the weights of AND.

    Raises:
        BadRequestError: see `divisions.divided`.
    """
    keeps = KEEPS_AND in options.options and options.mode != "Lines"
    is_apart = runs_apart(options)
    known: dict[tuple[str, str], Division | None] = {}
    encoder = _Encoded(texts)
    positive: list[tuple[Part, ...]] = []
    negative: list[tuple[Span, ...]] = []
    rows: list[RowRegions] = []
    against: list[RowRegions] = []
    for number, (prompt, opposite) in enumerate(zip(texts.prompts, texts.negatives, strict=True)):
        made: list[Part] = []
        first: Division | None = None
        for place, text in enumerate(_parts(prompt) if keeps else [prompt]):
            if (text, opposite) not in known:
                known[text, opposite] = divided(text, opposite, options)
            division = known[text, opposite]
            first = first or division
            weight, row = encoder.row((text,) if division is None else division.texts, division)
            weight = conditioning.positive[number][place].weight if keeps else weight
            made.append(Part(weight, row.spans[0] if is_apart else joined(row.spans)))
            rows.append(row)
        whole = (opposite,) if first is None else first.negatives
        _, row = encoder.row(whole, first if len(whole) > 1 else None, is_negative=True)
        positive.append(tuple(made))
        negative.append(joined(row.spans))
        against.append(row)
    if not any(known.values()):
        return None
    whole_text = Conditioning(tuple(positive), tuple(negative), encoder.empty)
    plain = conditioning if keeps else texts.encode(list(map(_in_one, texts.prompts)), texts.negatives)
    return RegionalText(whole_text, plain, tuple(rows), tuple(against))


def joined(each: Sequence[tuple[Span, ...]]) -> tuple[Span, ...]:
    """Several texts behind each other, each in chunks of its own. SDXL's vector is that of the first."""
    ends = sorted({span.until for spans in each for span in spans})
    at = [[span_at(spans, end) for spans in each] for end in ends]
    return tuple(
        Span(end, torch.cat([span.context for span in spans]), spans[0].vector)
        for end, spans in zip(ends, at, strict=True)
    )


def _in_one(prompt: str) -> str:
    """A prompt whose regions are chunks of one text."""
    return without_words(_AND.sub("BREAK", prompt))


def _parts(prompt: str) -> list[str]:
    """The parts of AND, without their weights."""
    return [_WEIGHT.sub("", part.rstrip()) for part in _AND.split(prompt)]


class _Encoded:
    """Encodes texts of regions, each once."""

    def __init__(self, texts: PromptTexts) -> None:
        self._texts = texts
        self._known: dict[tuple[str, bool], tuple[float, tuple[Span, ...]]] = {}
        self._rows: dict[tuple[tuple[str, ...], int, bool], tuple[float, RowRegions]] = {}

    @property
    def empty(self) -> Tensor:
        """(W, D) of the empty prompt, for padding."""
        return self._one("", False)[1][0].context

    def row(
        self, texts: tuple[str, ...], division: Division | None, *, is_negative: bool = False
    ) -> tuple[float, RowRegions]:
        """A row with these texts, and the weight that the last one gives it. Equal rows are one object."""
        key = (texts, id(division), is_negative)
        if key not in self._rows:
            each = [self._one(text, is_negative) for text in texts]
            spans = tuple(spans for _, spans in each)
            row = RowRegions(division, tuple(len(one[0].context) for one in spans), spans)
            self._rows[key] = each[-1][0], row
        return self._rows[key]

    def _one(self, text: str, is_negative: bool) -> tuple[float, tuple[Span, ...]]:
        key = (text, is_negative)
        if key not in self._known:
            made = self._texts.encode([_plain("" if is_negative else text)], [text if is_negative else ""])
            part = made.positive[0][0]
            self._known[key] = (1.0, made.negative[0]) if is_negative else (part.weight, part.spans)
        return self._known[key]


def _plain(text: str) -> str:
    return _AND.sub("and", text)
