"""Takes comments, `<network:tags>` and AND parts out of a prompt, before its prompt schedule is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_COMMENT_LINE = re.compile(r"(?:\A|\n)#[^\n]*(?:\n|\Z)")
_COMMENT_TAIL = re.compile(r"(?P<tag><\w+:[^<>\n]+>)|#[^\n]*(?:\n|\Z)")
_TAG_START = re.compile(r"<(\w+):")
_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r"[-+]?(?:\d+\.?|\d*\.\d+)")


@dataclass(frozen=True, slots=True)
class NetworkTag:
    """`<kind:positional:...:name=value>`, for example `<lora:ink:0.8>`. Values are text, as written."""

    kind: str
    positional: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)


def strip_comments(text: str) -> str:
    """Replace every `#` and the rest of its line, the line's newlines included, by one newline.

    Inside a tag it is a part of a name: `<lora:ink #2:1>`.
    """
    return _COMMENT_TAIL.sub(lambda found: found["tag"] or "\n", _COMMENT_LINE.sub("\n", text))


def extra_networks(text: str) -> tuple[str, tuple[NetworkTag, ...]]:
    """Cut the tags `<kind:args>` out of a prompt.

    A tag reaches to the next `>`; between `<` and the colon there are only word characters. What surrounds the tag,
    spaces and commas included, stays.

    Returns:
        The text without tags, and the tags in the order written.
    """
    kept: list[str] = []
    tags: list[NetworkTag] = []
    position = 0
    while (start := _TAG_START.search(text, position)) is not None:
        end = text.find(">", start.end())
        if end < 0:
            break
        if end == start.end():  # no argument: not a tag
            kept.append(text[position:end])
            position = end
        else:
            kept.append(text[position : start.start()])
            tags.append(_tag(start.group(1), text[start.end() : end]))
            position = end + 1
    kept.append(text[position:])
    return "".join(kept), tuple(tags)


def _tag(kind: str, arguments: str) -> NetworkTag:
    positional: list[str] = []
    named: dict[str, str] = {}
    for argument in arguments.split(":"):
        if argument.count("=") == 1:
            key, value = argument.split("=")
            named[key] = value
        else:
            positional.append(argument)
    return NetworkTag(kind, tuple(positional), MappingProxyType(named))


def split_and(text: str) -> list[tuple[str, float]]:
    """Split at the word AND and read each part's weight, a trailing `: number` (arXiv:2206.01714).

    The weight is read without AND too: `12:30` is the text `12` with weight 30. Whitespace at the end of a part is
    removed.
    """
    return [_weighted(part) for part in _AND.split(text)]


def _weighted(part: str) -> tuple[str, float]:
    part = part.rstrip()
    before, colon, after = part.rpartition(":")
    number = after.strip()
    if colon and _WEIGHT.fullmatch(number):
        return before.rstrip(), float(number)
    return part, 1.0
