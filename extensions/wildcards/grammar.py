"""The language of wildcards: a text becomes a tree of parts. It opens no files and makes no choices.

    {a|b}  {2::a|b}       one option, by weight
    {2$$a|b|c}  {1-3$$ and $$a|b|c}       several, joined by "," or what is written
    {@a|b}  {~a|b}  {!a|b}       one after another, by chance, all of them
    __name__  __@name__  __name(x={a|b})__       a value of a file, with variables for it
    ${x=a}  ${x=!{a|b}}  ${x?=a}       set a variable: anew at each use, decided once, unless it is set
    ${x}  ${x:a}       use it; a where it is not set
    %{before ... after$$a}       puts a in the place of the dots
    \\{ \\} \\_      the sign itself

These are the forms of A1111's extension Dynamic Prompts. What has none of them stays as it is, `[a|b]` included.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal as OneOf

from webui.extension_api import BadRequestError

MAX_DEPTH = 20
JOINT = ","
Way = OneOf["random", "cyclical", "combinatorial"]
WAYS: Mapping[str, Way] = MappingProxyType({"~": "random", "@": "cyclical", "!": "combinatorial"})

_PLAIN = re.compile(r"[^\\{_$%]+")
_ESCAPED = "{}_"
_NAME = re.compile(
    r"__([~@!]?)(?=[^\s_])((?:\$\{[^{}]{1,100}\}|(?!__)[^(){}#\n]){1,200}?)\s{0,9}(?:\(([^)\n]{1,1000})\))?__"
)
_VARIABLE = re.compile(r"\s*([A-Za-z_-][\w-]*)\s*(\?=|=|:|\Z)(!?)\s*", re.ASCII)
_WAY = re.compile(r"\s*([~@!])")
_COUNT = re.compile(r"\s*(?:(\d{1,4})\s*-\s*(\d{1,4})|(-)\s*(\d{1,4})|(\d{1,4})\s*(-)?)\s*\$\$(?:([^${}]+)\$\$)?")
_WEIGHT = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*::")


@dataclass(frozen=True, slots=True)
class Text:
    """Words as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts one after another."""

    parts: tuple["Part", ...]


@dataclass(frozen=True, slots=True)
class Option:
    """One of several; `weight` is relative to those of the others."""

    value: "Part"
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Variant:
    """`least` to `most` of the options, joined by `joint`; `way` None: as what stands around it."""

    options: tuple[Option, ...]
    least: int = 1
    most: int = 1
    joint: str = JOINT
    way: Way | None = None


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A value of the files of that name. `given` are variables in it; `written` stays where there is no such file."""

    name: "Part"
    given: tuple[tuple[str, "Part"], ...]
    way: Way | None
    written: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """Sets a variable. `immediate`: it is decided once; `keeps`: an earlier value stays."""

    name: str
    value: "Part"
    immediate: bool
    keeps: bool


@dataclass(frozen=True, slots=True)
class Access:
    """The value of a variable."""

    name: str
    default: "Part | None"


@dataclass(frozen=True, slots=True)
class Wrap:
    """`inner` in the place of the dots of `wrapper`."""

    wrapper: "Part"
    inner: "Part"


Part = Text | Sequence | Variant | Wildcard | Assignment | Access | Wrap


def parsed(text: str) -> Part:
    """The tree of a text.

    Raises:
        BadRequestError: braces stand too deep in each other.
    """
    return _Parser(text).sequence(0, len(text), 0)


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = _pairs(text)

    def sequence(self, start: int, end: int, depth: int) -> Part:
        if depth > MAX_DEPTH:
            raise BadRequestError("prompt", f"has braces more than {MAX_DEPTH} deep in each other; make it simpler")
        parts: list[Part] = []
        words: list[str] = []
        at = start
        while at < end:
            found, after = self._part(at, end, depth)
            if isinstance(found, str):
                words.append(found)
            else:
                if words:
                    parts.append(Text("".join(words)))
                    words = []
                parts.append(found)
            at = after
        if words:
            parts.append(Text("".join(words)))
        return parts[0] if len(parts) == 1 and not isinstance(parts[0], Assignment) else Sequence(tuple(parts))

    def _part(self, at: int, end: int, depth: int) -> tuple[Part | str, int]:
        """What begins at `at`, and where it ends."""
        text, sign = self._text, self._text[at]
        if sign == "\\" and at + 1 < end:
            return text[at + 1 if text[at + 1] in _ESCAPED else at : at + 2], at + 2
        if sign == "{" and self._closes(at, end):
            return self._variant(at + 1, self._ends[at], depth), self._ends[at] + 1
        if sign in "$%" and self._closes(at + 1, end):
            close = self._ends[at + 1]
            found = self._variable(at + 2, close, depth) if sign == "$" else self._wrap(at + 2, close, depth)
            if found is not None:
                return found, close + 1
        if sign == "_" and (name := _NAME.match(text, at, end)):
            return _wildcard(name, depth), name.end()
        plain = _PLAIN.match(text, at, end)
        return (plain[0], plain.end()) if plain else (sign, at + 1)

    def _closes(self, at: int, end: int) -> bool:
        return self._ends.get(at, end) < end

    def _variant(self, start: int, end: int, depth: int) -> Variant:
        text = self._text
        way = _WAY.match(text, start, end)
        start = way.end() if way else start
        count = _COUNT.match(text, start, end)
        start = count.end() if count else start
        options = []
        for first, last in self._split(start, end, "|"):
            if count is None and (found := _COUNT.match(text, first, last)):  # it may stand before a later option
                count, first = found, found.end()
            weight = _WEIGHT.match(text, first, last)
            first = weight.end() if weight else _without_space(text, first, last)
            value = self.sequence(first, last, depth + 1)
            options.append(Option(value, float(weight[1]) if weight else 1.0))
        least, most = _bounds(count, len(options)) if count else (1, 1)
        joint = (count[7] if count else None) or JOINT
        return Variant(tuple(options), least, most, joint, WAYS[way[1]] if way else None)

    def _variable(self, start: int, end: int, depth: int) -> Part | None:
        """`x=value`, `x:default` or `x`; None where it is something else."""
        found = _VARIABLE.match(self._text, start, end)
        if found is None or (found[2] == "" and found.end() < end):
            return None
        name, sign, at = found[1], found[2], found.end()
        if sign == "":
            return Access(name, None)
        if sign == ":":
            return Access(name, self.sequence(found.start(3) if found[3] else at, end, depth + 1))
        return Assignment(name, self.sequence(at, end, depth + 1), found[3] == "!", sign == "?=")

    def _wrap(self, start: int, end: int, depth: int) -> Wrap | None:
        halves = list(self._split(start, end, "$$"))
        if len(halves) != 2:
            return None
        before, after = ((_without_space(self._text, first, last), last) for first, last in halves)
        return Wrap(self.sequence(*before, depth + 1), self.sequence(*after, depth + 1))

    def _split(self, start: int, end: int, mark: str) -> Iterator[tuple[int, int]]:
        """The pieces between marks that stand in no inner braces or brackets: `[a|b]` alternates words in prompts."""
        at, begin, brackets, text = start, start, 0, self._text
        while at < end:
            sign = text[at]
            if sign == "\\":
                at += 1
            elif sign == "{" and self._closes(at, end):
                at = self._ends[at]
            elif sign == "[" and text.find("]", at, end) > 0:
                brackets += 1
            elif sign == "]":
                brackets = max(0, brackets - 1)
            elif brackets == 0 and text.startswith(mark, at, end):
                yield begin, at
                begin = at + len(mark)
                at = begin - 1
            at += 1
        yield begin, end


def _wildcard(found: re.Match[str], depth: int) -> Wildcard:
    name = _Parser(found[2]).sequence(0, len(found[2]), depth + 1)
    parts = name.parts if isinstance(name, Sequence) else (name,)
    own = tuple(
        Access(one.name, one.default or Text(one.name)) if isinstance(one, Access) else one for one in parts
    )  # a name goes on with the variable's own name where it is not set
    given = tuple(_given(one, depth) for one in _listed(found[3] or ""))
    return Wildcard(Sequence(own), given, WAYS.get(found[1]), found[0])


def _given(text: str, depth: int) -> tuple[str, Part]:
    name, _, value = text.partition("=")
    value = value.strip()
    return name.strip(), _Parser(value).sequence(0, len(value), depth + 1)


def _listed(text: str) -> list[str]:
    """`a=1, b={x,y}` at the commas that stand in no braces."""
    pieces, depth, begin = [], 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            pieces.append(text[begin:at])
            begin = at + 1
    return [one for one in (*pieces, text[begin:]) if one.strip()]


def _bounds(count: re.Match[str], options: int) -> tuple[int, int]:
    """The smallest and largest number of options: `2`, `1-2`, `-2` (from 1) or `2-` (to all)."""
    if count[1]:
        least, most = int(count[1]), int(count[2])
    elif count[3]:
        least, most = 1, int(count[4])
    else:
        least, most = int(count[5]), options if count[6] else int(count[5])
    return min(least, most), max(least, most)


def _without_space(text: str, start: int, end: int) -> int:
    while start < end and text[start].isspace():
        start += 1
    return start


def _pairs(text: str) -> dict[int, int]:
    """Where each brace that is closed opens -> where it closes. One pass, whatever the text."""
    pairs: dict[int, int] = {}
    open_: list[int] = []
    at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            open_.append(at)
        elif text[at] == "}" and open_:
            pairs[open_.pop()] = at
        at += 1
    return pairs
