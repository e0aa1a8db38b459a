"""How Regional Prompter's prompts are cut into regions: the words between them, and the numbers of their sizes.

The words are `BREAK`, `AND`, `ADDCOL` and `ADDROW` between regions, `ADDCOMM` behind the part that all regions begin
with, `ADDBASE` behind the part that is mixed into all. Pure functions of text.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

COMMON, BASE = "ADDCOMM", "ADDBASE"
_WORD = re.compile(r"\bADDP\b")  # between regions that lie where words show
_AND, _BREAK = re.compile(r"\bAND\b"), re.compile(r"\bBREAK\b")
_BETWEEN_CELLS = re.compile(r"\b(ADDCOL|ADDROW)\b")
_ANY = re.compile(r"\b(BREAK|ADDCOL|ADDROW|ADDCOMM|ADDBASE|AND|ADDP)\b")
_WITHIN = re.compile(r"\b(ADDCOL|ADDROW|ADDCOMM|ADDBASE|ADDP)\b")
MOST_REGIONS = 64  # of a ratio text, and of a prompt


@dataclass(frozen=True, slots=True)
class Rules:
    """How the words are understood.

    Attributes:
        is_rows: the first cut is into columns (`Rows`), not into rows (`Columns`).
        uses_base, uses_common: the first part is a base, or is common, even where the prompt does not say so.
        keeps_and: AND means what it does without regions.
        keeps_break: BREAK only begins a new chunk of tokens.
        flips: `,` and `;` of the numbers change places.
        reverses: the texts of the regions are dealt out from the last one.
    """

    is_rows: bool = False
    uses_base: bool = False
    uses_common: bool = False
    keeps_and: bool = False
    keeps_break: bool = False
    flips: bool = False
    reverses: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """A prompt in its parts.

    Attributes:
        base: the text that is mixed into every region, with the common part in front; None without.
        lines: the texts of the regions by the lines of the matrix that they stand in, with the common part in front.
        has_cells: whether ADDCOL or ADDROW says which line a region stands in.
    """

    base: str | None
    lines: tuple[tuple[str, ...], ...]
    has_cells: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """Of all regions, in their order."""
        return tuple(text for line in self.lines for text in line)


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a region lies, as shares of the picture's sides in 0..1."""

    left: float
    top: float
    right: float
    bottom: float


def has_regions(prompt: str) -> bool:
    """Whether a prompt has a word that separates regions."""
    return _ANY.search(prompt) is not None


def cut(prompt: str, rules: Rules) -> Parts:
    """Cut a prompt at the words that separate regions."""
    text = _WORD.sub("BREAK", prompt if rules.keeps_and else _AND.sub("BREAK", prompt))
    common = _first(text, COMMON, rules.uses_common)
    head, text = common if common else ("", text)
    base = _first(text, BASE, rules.uses_base)
    mixed, text = (base[0].strip(), base[1]) if base else (None, text)
    inner, outer = ("ADDROW", "ADDCOL") if rules.is_rows else ("ADDCOL", "ADDROW")
    has_cells = _BETWEEN_CELLS.search(text) is not None
    if not has_cells and not rules.keeps_break:
        text = _BREAK.sub(inner, text)
    lines = [[one.strip() for one in _split(line, inner)] for line in _split(text, outer)]
    if rules.reverses:
        lines = _dealt([one for line in lines for one in line][::-1], [len(line) for line in lines])
    whole = tuple(tuple(_behind(head, one) for one in line) for line in lines)
    return Parts(None if mixed is None else _behind(head, mixed), whole, has_cells)


def without_words(prompt: str) -> str:
    """A prompt whose parts are chunks of one text."""
    return _WITHIN.sub("BREAK", prompt)


def cells_of(ratios: str, parts: Parts, rules: Rules) -> tuple[Cell, ...]:
    """Where the regions of a prompt lie.

    Args:
        ratios: `1,2,1` divides one line; in `1,2,1,1;2,4,6` each `;` begins a line, whose first number is its own size.
            A missing number counts as 1.
    """
    groups = _groups(ratios, rules)
    counts = [len(line) for line in parts.lines]
    if not parts.has_cells and len(groups) > 1:
        counts = _counts(groups, sum(counts))
    cells: list[Cell] = []
    several = len(counts) > 1
    numbers = [*groups, *[[1.0]] * len(counts)]  # a line without numbers is as large as one of 1
    for line, (start, end) in enumerate(_edges([numbers[line][0] for line in range(len(counts))])):
        own = numbers[line][1:] if several else groups[0]
        for left, right in _edges([_size(own, number) for number in range(counts[line])]):
            cells.append(Cell(start, left, end, right) if rules.is_rows else Cell(left, start, right, end))
    return tuple(cells)


def base_shares(ratios: str, regions: int) -> tuple[float, ...]:
    """How much of each region is the base, 0..1: one number for all, or one for each in their order."""
    numbers = [_number(one, 0.0) for one in re.split("[,;]", ratios) if one.strip()] or [0.0]
    return tuple(min(1.0, max(0.0, numbers[min(number, len(numbers) - 1)])) for number in range(regions))


def _first(text: str, word: str, is_used: bool) -> tuple[str, str] | None:
    """What stands before and behind the first such word; behind the first BREAK where there is none and one is used."""
    found = re.search(rf"\b{word}\b", text) or (_BREAK.search(text) if is_used else None)
    return (text[: found.start()], text[found.end() :]) if found else None


def _split(text: str, word: str) -> list[str]:
    return re.split(rf"\b{word}\b", text)


def _behind(head: str, text: str) -> str:
    return f"{head.strip()}, {text}" if head.strip() else text


def _dealt(texts: Sequence[str], counts: Sequence[int]) -> list[list[str]]:
    left = iter(texts)
    return [[next(left) for _ in range(count)] for count in counts]


def _groups(ratios: str, rules: Rules) -> list[list[float]]:
    if rules.flips:
        ratios = ratios.translate({ord(","): ";", ord(";"): ","})
    lines = ratios.split(";")[:MOST_REGIONS]
    return [[_number(one, 1.0) for one in line.split(",")[:MOST_REGIONS]] for line in lines]


def _counts(groups: Sequence[Sequence[float]], regions: int) -> list[int]:
    """How many regions stand in each line where the numbers alone say it; the last line takes what is left."""
    counts: list[int] = []
    for group in groups:
        room = regions - sum(counts)
        if room > 0:
            counts.append(min(room, max(1, len(group) - 1)))
    counts[-1] += regions - sum(counts)
    return counts


def _number(text: str, otherwise: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return otherwise
    return number if math.isfinite(number) and number >= 0 else otherwise


def _size(numbers: Sequence[float], number: int) -> float:
    return numbers[number] if number < len(numbers) else 1.0


def _edges(sizes: Sequence[float]) -> list[tuple[float, float]]:
    """Where each of several pieces begins and ends, of a length of 1."""
    total = sum(sizes) or 1.0
    ends = list(accumulate(size / total for size in sizes))
    ends[-1] = 1.0
    return list(zip([0.0, *ends[:-1]], ends, strict=True))
