"""Reads a csv file of tags as users of tag autocompletion have them, and packs it for the page.

A line is `name,category,count,"alias,alias"` (the lists of danbooru, e621 and derpibooru); a count that is no number is
a text that is shown instead of it. A first line that names the columns, as in e621's own export, is read, too.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from webui.domain.errors import UnusableFileError

MAX_BYTES = 64 * 1024 * 1024
MAX_TAGS = 500_000
MAX_NAME = 200  # characters
MAX_ALIASES = 60  # of a tag
_COLUMNS = ("name", "category", "count", "aliases")
_OTHER_NAMES = MappingProxyType({"tag": "name", "type": "category", "post_count": "count", "antecedents": "aliases"})


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag.

    Attributes:
        category: a number whose meaning depends on the list; 0 is "general" in all of them.
        count: how many pictures have it; 0 where it is not known.
        note: what is shown instead of the count; "" for nothing.
    """

    name: str
    category: int = 0
    count: int = 0
    aliases: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class TagFile:
    """The tags of a file, those with the highest counts first, and how many of its lines are none."""

    tags: tuple[Tag, ...]
    left_out: int = 0


def read_tags(path: Path) -> TagFile:
    """Read a list.

    Raises:
        UnusableFileError: it cannot be read, is too large, or no line of it is a tag.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnusableFileError(f"{path.name}: a list of tags may have {MAX_BYTES >> 20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnusableFileError(f"{path.name} cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"{path.name} is no UTF-8 text (byte {error.start}); save it as UTF-8") from None
    tags: dict[str, Tag] = {}
    left_out = 0
    for found in _tags(path.name, text):
        if found is None or len(tags) >= MAX_TAGS:
            left_out += 1
        else:
            tags.setdefault(found.name, found)
    if not tags:
        raise UnusableFileError(f"{path.name}: no line is a tag; a line should be name,category,count,aliases")
    return TagFile(tuple(sorted(tags.values(), key=lambda tag: -tag.count)), left_out)


def packed(file: TagFile) -> bytes:
    """The list as the page reads it: a line of JSON with the numbers, then a line `name<tab>alias<tab>...` a tag."""
    numbers = {
        "categories": [tag.category for tag in file.tags],
        "counts": [tag.count for tag in file.tags],
        "notes": {place: tag.note for place, tag in enumerate(file.tags) if tag.note},
        "left_out": file.left_out,
    }
    lines = ("\t".join((tag.name, *tag.aliases)) for tag in file.tags)
    return "\n".join((json.dumps(numbers, ensure_ascii=False, separators=(",", ":")), *lines)).encode()


def _tags(name: str, text: str) -> Iterator[Tag | None]:
    """A tag, or None, for each line that is not empty."""
    places: tuple[int | None, ...] = (0, 1, 2, 3)
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for number, row in enumerate(row for row in reader if any(row)):
            columns = _head(row) if number == 0 else None
            if columns is not None:
                places = columns
            else:
                yield _tag(row, places)
    except csv.Error as error:
        raise UnusableFileError(f"{name}, line {reader.line_num}: {error}") from None


def _head(row: list[str]) -> tuple[int | None, ...] | None:
    """Which column is what, in the order of `_COLUMNS`, where a row says so."""
    named = [_OTHER_NAMES.get(cell.strip().lower(), cell.strip().lower()) for cell in row]
    if "name" not in named or not {"category", "count", "aliases"} & set(named):
        return None
    return tuple(named.index(column) if column in named else None for column in _COLUMNS)


def _tag(row: list[str], places: tuple[int | None, ...]) -> Tag | None:
    name, category, count, aliases = (
        "" if place is None or place >= len(row) else row[place].strip() for place in places
    )
    if not _is_name(name):
        return None
    is_number = count.isascii() and count.isdigit() and len(count) <= 12
    return Tag(
        name,
        int(category) if category.lstrip("-").isdigit() and len(category) <= 3 else 0,
        int(count) if is_number else 0,
        tuple(dict.fromkeys(_aliases(aliases.split(","), name)))[:MAX_ALIASES] if aliases else (),
        "" if is_number else count[:MAX_NAME],
    )


def _aliases(texts: Iterable[str], name: str) -> Iterator[str]:
    for text in texts:
        alias = text.strip()
        if _is_name(alias) and alias != name:
            yield alias


def _is_name(text: str) -> bool:
    return 0 < len(text) <= MAX_NAME and text.isprintable()
