"""Parses the attention syntax of a prompt: `(more)`, `[less]`, `(weight:1.3)`, escapes and BREAK. It works on text
alone.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from webui.domain.errors import BadRequestError

MAX_DEPTH = 100
ROUND = 1.1
SQUARE = 1 / 1.1

_BREAK_WORD = re.compile(r"\bBREAK\b")
_SCAN = re.compile(
    r"(?P<escape>\\[()\[\]\\]?)"
    r"|(?P<round>\()"
    r"|(?P<square>\[)"
    r"|(?P<weighted>:\s*(?P<number>[+-]?[.\d]+)\s*\))"
    r"|(?P<end_round>\))"
    r"|(?P<end_square>\])"
    r"|(?P<text>[^\\()\[\]:]+|:)"
)


class Segment(NamedTuple):
    """A piece of text and the factor that multiplies its encoded tokens."""

    text: str
    weight: float

    @property
    def is_break(self) -> bool:
        """Whether it is the BREAK marker. Inside brackets BREAK has another weight than -1 and counts as ordinary
        text.
        """
        return self.text == "BREAK" and self.weight == -1


def parse_attention(text: str, *, field: str = "prompt") -> list[Segment]:
    r"""Split a prompt into weighted segments; neighbours of equal weight are one segment.

    `(x)` multiplies by 1.1, `[x]` by 1 / 1.1, `(x:n)` by n; nested brackets multiply. A backslash makes the next
    character literal. Unmatched closers are literal, unclosed openers reach to the end of the text. Round and square
    brackets are independent of each other. Beyond 100 open brackets of a kind the deeper ones have no
    effect, which keeps the time linear in the length.

    Args:
        field: name for errors.

    Raises:
        BadRequestError: a weight that is not a number, such as `(a:1.2.3)`.
    """
    texts: list[str] = []
    weights: list[float] = []
    round_starts: list[int] = []
    square_starts: list[int] = []

    def close(starts: list[int], factor: float) -> None:
        start = starts.pop()
        if len(starts) < MAX_DEPTH:
            for index in range(start, len(weights)):
                weights[index] *= factor

    for match in _SCAN.finditer(text):
        kind, found = match.lastgroup, match.group()
        if kind == "escape":
            texts.append(found[1:])
            weights.append(1.0)
        elif kind == "round":
            round_starts.append(len(texts))
        elif kind == "square":
            square_starts.append(len(texts))
        elif kind == "weighted" and round_starts:
            close(round_starts, _number(match.group("number"), field))
        elif kind == "end_round" and round_starts:
            close(round_starts, ROUND)
        elif kind == "end_square" and square_starts:
            close(square_starts, SQUARE)
        else:
            for piece in _split_breaks(found):
                texts.append(piece.text)
                weights.append(piece.weight)
    while round_starts:
        close(round_starts, ROUND)
    while square_starts:
        close(square_starts, SQUARE)
    return _merge(texts, weights)


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequestError(field, f"the weight ':{text})' is not a number; write it like ':1.2)'") from None


def _split_breaks(text: str) -> Iterator[Segment]:
    """Cut at the word BREAK, which is removed with the whitespace on both sides."""
    pieces = _BREAK_WORD.split(text)
    for index, piece in enumerate(pieces):
        if index > 0:
            yield Segment("BREAK", -1.0)
            piece = piece.lstrip()
        yield Segment(piece.rstrip() if index < len(pieces) - 1 else piece, 1.0)


def _merge(texts: list[str], weights: list[float]) -> list[Segment]:
    merged: list[Segment] = []
    start = 0
    for index in range(1, len(texts) + 1):
        if index == len(texts) or weights[index] != weights[start]:
            merged.append(Segment("".join(texts[start:index]), weights[start]))
            start = index
    return merged if texts else [Segment("", 1.0)]
