"""How Forge Couple's prompts are cut into regions: a line each, and the numbers of their places. Pure functions."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from .separators import Cell

ALONE, BESIDE_BACKGROUND = 1.25, 1.0  # the weight of a tile without and with a background
LEAST_BACKGROUND = 0.1
MOST_WEIGHT = 5.0
_BRACKETS: Mapping[str, str] = MappingProxyType({"{ }": "{}", "< >": "<>"})


@dataclass(frozen=True, slots=True)
class Tile:
    """Where a line acts, and how much it counts beside others there."""

    cell: Cell
    weight: float


def lines_of(prompt: str, separator: str, brackets: str, *, keeps_definitions: bool) -> tuple[str, ...]:
    """The texts of the regions, without empty ones.

    Args:
        separator: stands between them; "" or `\\n` is the end of a line.
        brackets: `{ }` or `< >`: `{name:text}` defines what `{name}` repeats; anything else: nothing is defined.
        keeps_definitions: whether a definition is read as its text where it stands.
    """
    between = separator.replace("\\n", "\n").strip(" ") or "\n"
    text = _with_common(prompt, _BRACKETS.get(brackets, ""), keeps_definitions)
    return tuple(line.strip() for line in text.split(between) if line.strip())


def tiles_of(count: int, *, is_vertical: bool, has_background: bool) -> tuple[Tile, ...]:
    """Equal tiles beside each other, or below each other where `is_vertical`."""
    weight = BESIDE_BACKGROUND if has_background else ALONE
    ends = [number / count for number in range(count + 1)]
    return tuple(
        Tile(Cell(0.0, start, 1.0, end) if is_vertical else Cell(start, 0.0, end, 1.0), weight)
        for start, end in pairwise(ends)
    )


def mapped_tiles(mapping: str) -> tuple[Tile, ...]:
    """The tiles of a mapping: JSON rows of [x1, x2, y1, y2, weight], shares of the picture's sides.

    Raises:
        ValueError: it is something else, with the number of the row.
    """
    try:
        rows = json.loads(mapping or "[]")
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("should be JSON: rows of [x1, x2, y1, y2, weight]") from None
    if not isinstance(rows, list):
        raise ValueError("should be a list of rows [x1, x2, y1, y2, weight]")
    return tuple(_tile(row, number) for number, row in enumerate(rows, 1))


def _tile(row: Any, number: int) -> Tile:
    is_numbers = isinstance(row, Sequence) and not isinstance(row, str) and len(row) == 5
    if not is_numbers or not all(isinstance(one, int | float) and math.isfinite(one) for one in row):
        raise ValueError(f"row {number} should be five numbers: x1, x2, y1, y2, weight")
    left, right, top, bottom, weight = map(float, row)
    if not (0 <= left <= right <= 1 and 0 <= top <= bottom <= 1 and 0 <= weight <= MOST_WEIGHT):
        raise ValueError(f"row {number}: x1 <= x2 and y1 <= y2 lie in 0..1, the weight in 0..{MOST_WEIGHT:g}")
    return Tile(Cell(left, top, right, bottom), weight)


def _with_common(prompt: str, brackets: str, keeps_definitions: bool) -> str:
    if not brackets:
        return prompt
    left, right = map(re.escape, brackets)
    found: dict[str, str] = {}

    def defined(match: re.Match[str]) -> str:
        found[match[1].strip()] = match[2].strip()
        return match[2].strip() if keeps_definitions else ""

    text = re.sub(rf"{left}([^{left}{right}:\n]+):([^{left}{right}]+){right}", defined, prompt)
    for name, value in found.items():
        text = text.replace(f"{brackets[0]}{name}{brackets[1]}", value)
    return text
