"""Reads the keys of infotexts that extensions declare as theirs (`domain.dialect.Dialect`), as options of a request."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue

from webui.domain.dialect import NEEDS_EXTENSION, Codec, Item, Values, Word, placed
from webui.domain.extensions import ExtensionInfo

OF_EXTENSIONS = ("Face restoration",)  # keys of A1111 for what only extensions do here
NUMBER = "#"  # in a declared key
MAX_NUMBERED = 20
MAX_OBJECT = 20_000  # characters
_BETWEEN_ITEMS = re.compile(r",\s*(?=[A-Za-z])")  # `(0, 1)` is one value
_IN_LIST = re.compile(r"(?P<list>.+?)\.(?P<number>\d+)\.(?P<option>[^.]+)", re.ASCII)
_NUMBERS = re.compile(r"-?\d{1,20}(?:\.\d{1,20})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the keys of extensions say.

    Attributes:
        values: (key, dotted path in a request, value), in order; a later value of a path overrides.
        refused: (key, why it sets nothing, or what else is to be done).
        known: every key that an extension in use reads.
    """

    values: tuple[tuple[str, str, JsonValue], ...]
    refused: tuple[tuple[str, str], ...]
    known: frozenset[str] = frozenset()


def without_hidden(fields: Mapping[str, str], extensions: Sequence[ExtensionInfo]) -> dict[str, str]:
    """The fields without those that another key says better."""
    hidden = {key for info in _in_use(extensions) for word in _asked(info, fields) for key in word.hides}
    return {key: value for key, value in fields.items() if key not in hidden}


def read_keys(fields: Mapping[str, str], extensions: Sequence[ExtensionInfo]) -> Keys:
    """Read the keys that extensions in use declare; a key of A1111 that needs one which is not there is refused."""
    values: list[tuple[str, str, JsonValue]] = []
    refused: list[tuple[str, str]] = []
    known: set[str] = set()
    for info in _in_use(extensions):
        known |= {key for word in info.dialect.infotext for key in _keys(word)}
        if not _asked(info, fields):
            continue
        found: list[tuple[str, str, JsonValue]] = []
        for word in info.dialect.infotext:
            read = _read_list(word, fields, refused) if word.items else _read_or_refuse(word, fields, refused)
            found += [(key, f"extensions.{info.name}{path and '.'}{path}", value) for key, path, value in read]
            refused += [(key, word.reminder) for key in _keys(word) if word.reminder and key in fields]
        values += _with_lists(found)
    missing = [key for key in OF_EXTENSIONS if key in fields and key not in known]
    reasons = (*refused, *((key, f"{NEEDS_EXTENSION}; left out") for key in missing))
    return Keys(tuple(values), reasons, frozenset(known))


def _with_lists(values: Sequence[tuple[str, str, JsonValue]]) -> list[tuple[str, str, JsonValue]]:
    """The values, those in entries of a list (`extensions.x.units.0.weight`) as the whole list; its first key tells it.

    Entries of which no key is there are left out.
    """
    plain: list[tuple[str, str, JsonValue]] = []
    lists: dict[str, tuple[str, dict[int, dict[str, JsonValue]]]] = {}
    for key, path, value in values:
        split = _IN_LIST.fullmatch(path)
        if split is None:
            plain.append((key, path, value))
            continue
        _, entries = lists.setdefault(split["list"], (key, {}))
        entries.setdefault(int(split["number"]), {})[split["option"]] = value
    for path, (key, entries) in lists.items():
        plain.append((key, path, [entries[number] for number in sorted(entries)]))
    return plain


def _in_use(extensions: Sequence[ExtensionInfo]) -> list[ExtensionInfo]:
    return [info for info in extensions if info.state == "ok"]


def _asked(info: ExtensionInfo, fields: Mapping[str, str]) -> list[Word]:
    """The asking words of an extension whose keys are there."""
    return [word for word in info.dialect.infotext if word.asks and any(key in fields for key in _keys(word))]


def _keys(word: Word) -> list[str]:
    if NUMBER not in word.name:
        return [word.name]
    return [word.name.replace(NUMBER, str(number)) for number in range(MAX_NUMBERED)]


def _read_or_refuse(
    word: Word, fields: Mapping[str, str], refused: list[tuple[str, str]]
) -> list[tuple[str, str, JsonValue]]:
    try:
        return [(word.name, path, value) for path, value in _read(word, fields)]
    except (ValueError, OverflowError, RecursionError):
        refused.append((word.name, _no_value(fields[word.name])))
        return []


def _read(word: Word, fields: Mapping[str, str]) -> Iterator[tuple[str, JsonValue]]:
    """Options by path. Raises ValueError, OverflowError, RecursionError where the text is no such value."""
    text = fields.get(word.name)
    if word.none and text == word.none:
        text = None
    if word.meanings or word.otherwise is not None:
        yield from (_meaning(word, text) if text is not None else {}).items()
    if text is not None and word.keys:
        found = {word.keys[key]: value for key, value in _object(text).items() if key in word.keys}
        yield from ((option, _listed(value)) for option, value in found.items())
    elif text is not None and word.codec == "object":
        yield from ((f"{word.option}.{key}" if word.option else key, value) for key, value in _object(text).items())
    elif text is not None and word.parts:
        yield from zip(word.parts, map(float, text.split(",")), strict=False)
    elif word.option and text is not None:
        yield word.option, _CODECS[word.codec](text)
    elif word.option and word.default is not None:
        yield word.option, word.default


def _listed(value: JsonValue) -> JsonValue:
    """An object of objects as a list of these; all else as it is."""
    is_list = isinstance(value, dict) and value and all(isinstance(one, dict) for one in value.values())
    return list(value.values()) if isinstance(value, dict) and is_list else value


def _read_list(
    word: Word, fields: Mapping[str, str], refused: list[tuple[str, str]]
) -> list[tuple[str, str, JsonValue]]:
    """The list of entries that the keys of a word describe."""
    entries: list[JsonValue] = []
    first = ""
    for key in _keys(word):
        if key not in fields:
            continue
        entry: dict[str, Any] = {}
        for path, value in word.always.items():
            placed(entry, path, value)
        for part in _BETWEEN_ITEMS.split(fields[key]):
            name, _, text = part.partition(":")
            item = next((one for one in word.items if one.name.lower() == name.strip().lower()), None)
            if item is not None and text.strip() != item.none:
                _place_item(entry, item, text.strip(), key, refused)
        entries.append(entry)
        first = first or key
    return [(first, word.option, entries)] if entries else []


def _place_item(entry: dict[str, Any], item: Item, text: str, key: str, refused: list[tuple[str, str]]) -> None:
    texts = [text] if len(item.options) == 1 else _NUMBERS.findall(text)[: len(item.options)]
    try:
        for option, one in zip(item.options, texts, strict=False):
            placed(entry, option, _CODECS[item.codec](one))
    except (ValueError, OverflowError, RecursionError):
        refused.append((key, f"{item.name}: {_no_value(text)}"))


def _no_value(text: str) -> str:
    return f"{text[:40]!r} is not a value of this kind; left at its default"


def _meaning(word: Word, text: str) -> Values:
    wanted = text.strip().lower()
    found = next((values for name, values in word.meanings.items() if name.lower() == wanted), word.otherwise)
    if found is None:
        raise ValueError(text)
    return found


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))  # other programs write 20.0


def _boolean(text: str) -> bool:
    return text.strip().lower() not in ("false", "0", "")


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text) if len(text) <= MAX_OBJECT else None
    if not isinstance(found, dict) or any("." in key or not key for key in found):
        raise ValueError("no object of options")
    return found


def _objects(text: str) -> list[Any]:
    found = json.loads(text) if len(text) <= MAX_OBJECT else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("no list of objects")
    return found


_CODECS: Mapping[Codec, Callable[[str], JsonValue]] = MappingProxyType(
    {
        "text": str,
        "integer": _integer,
        "number": float,
        "boolean": _boolean,
        "object": _object,
        "objects": _objects,
    }
)
