"""The grammar of the values of an axis: CSV, ranges with a step or a count, permutations."""

import csv
import io
import itertools
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

Kind = Literal["int", "float", "text", "order"]
Value = int | float | str | tuple[str, ...]

MOST_VALUES = 1000
_WHOLE, _NUMBER = r"([+-]?\s*\d+)", r"([+-]?\s*\d+(?:\.\d*)?)"
_RANGE = re.compile(rf"\s*{_WHOLE}\s*-\s*{_WHOLE}(?:\s*\(([+-]\d+)\s*\))?\s*", re.ASCII)
_COUNT = re.compile(rf"\s*{_WHOLE}\s*-\s*{_WHOLE}(?:\s*\[(\d+)\s*\])?\s*", re.ASCII)
_FLOAT_RANGE = re.compile(rf"\s*{_NUMBER}\s*-\s*{_NUMBER}(?:\s*\(([+-]\d+(?:\.\d*)?)\s*\))?\s*", re.ASCII)
_FLOAT_COUNT = re.compile(rf"\s*{_NUMBER}\s*-\s*{_NUMBER}(?:\s*\[(\d+(?:\.\d*)?)\s*\])?\s*", re.ASCII)


def texts_of(text: str) -> tuple[str, ...]:
    """The cells of a CSV text, blanks around them cut off. Quotes protect commas."""
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    return tuple(cell.strip() for row in rows for cell in row)


def as_text(texts: Sequence[str]) -> str:
    """The way back of `texts_of`."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(texts)
    return out.getvalue()


def values_of(kind: Kind, texts: Sequence[str]) -> tuple[Value, ...]:
    """The values that texts stand for.

    Whole numbers: `1-5`, `1-9 (+2)`, `1-10 [5]` (so many, evenly spread), both ends included. Numbers alike, but a
    range runs on while it is less than its end plus a step, as in A1111: `0.2-0.8 (+0.3)` gives 0.2, 0.5, 0.8 and 1.1.

    Raises:
        ValueError: a text is no value of this kind, or there are too many.
    """
    found: list[Value] = []
    match kind:
        case "int":
            for text in filter(str.strip, texts):
                found += _wholes(text)
        case "float":
            for text in filter(str.strip, texts):
                found += _numbers(text)
        case "order":
            if len(texts) > 6:
                raise ValueError(f"has {len(texts)} parts, which have more than 720 orders; give at most 6")
            found += itertools.permutations(texts)
        case "text":
            found += texts
    if len(found) > MOST_VALUES:
        raise ValueError(f"stands for {len(found)} values; at most {MOST_VALUES} are taken")
    return tuple(found)


def _wholes(text: str) -> list[int]:
    if found := _RANGE.fullmatch(text):
        first, last, step = _int(found[1]), _int(found[2]), int(found[3] or 1)
        if step == 0:
            raise ValueError(f"{text!r} has a step of 0")
        return list(range(first, last + 1, step)[: MOST_VALUES + 1])
    if found := _COUNT.fullmatch(text):
        first, last, count = _int(found[1]), _int(found[2]), _bounded(int(found[3]), text)
        return [int(one) for one in np.linspace(first, last, count)]
    try:
        return [int(text)]
    except ValueError:
        raise ValueError(f"{text!r} is neither a whole number nor a range of such") from None


def _numbers(text: str) -> list[float]:
    if found := _FLOAT_RANGE.fullmatch(text):
        first, last, step = _float(found[1]), _float(found[2]), float(found[3] or 1)
        if step == 0:
            raise ValueError(f"{text!r} has a step of 0")
        _bounded(int(abs(last - first) / abs(step)), text)
        return [float(one) for one in np.arange(first, last + step, step)]
    if found := _FLOAT_COUNT.fullmatch(text):
        first, last, count = _float(found[1]), _float(found[2]), _bounded(int(float(found[3])), text)
        return [float(one) for one in np.linspace(first, last, count)]
    try:
        return [float(text)]
    except ValueError:
        raise ValueError(f"{text!r} is neither a number nor a range of such") from None


def _bounded(count: int, text: str) -> int:
    if count > MOST_VALUES:
        raise ValueError(f"{text!r} stands for {count} values; at most {MOST_VALUES} are taken")
    return count


def _int(text: str) -> int:
    return int(text.replace(" ", ""))


def _float(text: str) -> float:
    return float(text.replace(" ", ""))
