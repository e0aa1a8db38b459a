"""The language of wildcards, pure: a text, a source of lines and a source of choices give a text. Opens no files.

    __name__      a line of name.txt; `*` in the name stands for anything
    {a|b|c}       one of them; {2$$a|b|c} two of them, {1-2$$a|b} one or two, {2$$ and $$a|b|c} joined by " and "
    \\{ \\} \\_      the sign itself

The number may stand before any of the choices ({a|b|2$$c}). Braces with neither | nor $$ in them stay as they are.
"""

import hashlib
import re
from collections.abc import Callable, Sequence

from webui.extension_api import BadRequestError

MAX_DEPTH = 20
MAX_CHOICES = 2000  # made in one prompt
MAX_LENGTH = 100_000  # characters of a finished prompt
_NAME = re.compile(r"__((?:[^\W_]|\*)(?:[\w*./ -]*?(?:[^\W_]|\*))?)__")
_COUNT = re.compile(r"\s*(\d{1,3})(?:-(\d{1,3}))?\$\$")
_JOINT = ", "

Lines = Callable[[str], Sequence[str]]  # the lines behind a name; raises BadRequestError where there are none


class Chance:
    """Choices that depend on the seed alone: on every machine, in every version of Python."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn = 0

    def below(self, count: int) -> int:
        """A number of 0 .. count - 1.

        Raises:
            BadRequestError: more choices than a prompt may have.
        """
        if self._drawn >= MAX_CHOICES:
            raise BadRequestError("prompt", f"asks for more than {MAX_CHOICES} random choices; make it simpler")
        digest = hashlib.sha256(f"{self._seed}:{self._drawn}".encode()).digest()
        self._drawn += 1
        return int.from_bytes(digest[:8], "big") % count

    def some(self, count: int, among: int) -> list[int]:
        """`count` different numbers of 0 .. among - 1, in the order drawn."""
        left = list(range(among))
        return [left.pop(self.below(len(left))) for _ in range(min(count, among))]


def expanded(text: str, lines: Lines, chance: Chance) -> str:
    """The text with every random part decided, from left to right; what was chosen may hold further ones.

    Raises:
        BadRequestError: a name without a file, or a text that grows without end.
    """
    return _unescaped(_expanded(text, lines, chance, 0))


def _expanded(text: str, lines: Lines, chance: Chance, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise BadRequestError("prompt", f"wildcards lead to each other more than {MAX_DEPTH} deep; break the circle")
    done: list[str] = []
    at = length = 0
    pairs = _pairs(text)
    while at < len(text):
        piece, at = _next(text, at, pairs.get(at), lines, chance, depth)
        done.append(piece)
        length += len(piece)
        if length > MAX_LENGTH:
            raise BadRequestError("prompt", f"grows over {MAX_LENGTH} characters by its wildcards; make it simpler")
    return "".join(done)


def _next(text: str, at: int, end: int | None, lines: Lines, chance: Chance, depth: int) -> tuple[str, int]:
    """What the text gives from `at` on, and where it goes on; `end` closes a brace that opens at `at`."""
    if text[at] == "\\" and at + 1 < len(text):
        return text[at : at + 2], at + 2
    if end is not None:
        return _chosen(text[at + 1 : end], lines, chance, depth), end + 1
    if text[at] == "_" and (found := _NAME.match(text, at)):
        choices = lines(found[1].strip())
        return _expanded(choices[chance.below(len(choices))], lines, chance, depth + 1), found.end()
    plain = re.compile(r"[^\\{_]+").match(text, at)
    return (plain[0], plain.end()) if plain else (text[at], at + 1)


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


def _chosen(inner: str, lines: Lines, chance: Chance, depth: int) -> str:
    """What stands between two braces, decided."""
    options = _split(inner)
    least, most, joint, counted = 1, 1, _JOINT, False
    for place, option in enumerate(options):
        if count := _COUNT.match(option):
            least, most, counted = int(count[1]), int(count[2] or count[1]), True
            rest = option[count.end() :]
            joint, mark, last = rest.partition("$$")
            options[place], joint = (last, joint) if mark else (rest, _JOINT)
            break
    if len(options) == 1 and not counted:
        return f"{{{_expanded(inner, lines, chance, depth + 1)}}}"
    least, most = min(least, most), max(least, most)
    count_drawn = least + (chance.below(most - least + 1) if most > least else 0)
    picked = chance.some(count_drawn, len(options))
    return joint.join(_expanded(options[place], lines, chance, depth + 1) for place in picked)


def _split(inner: str) -> list[str]:
    """At every | that is in no inner braces or brackets: `[a|b]` alternates words in prompts."""
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(inner):
        if at and inner[at - 1] == "\\":
            continue
        if sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
        elif sign == "|" and depth <= 0:
            parts.append(inner[start:at])
            start = at + 1
    return [*parts, inner[start:]]


def _unescaped(text: str) -> str:
    """Only wildcards' own signs: \\( and \\) are the prompt's."""
    return re.sub(r"\\([{}_])", r"\1", text)
