"""Reads the keys of infotexts that extensions declare as theirs (`domain.dialect.Dialect`), as options of a request."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import JsonValue

from webui.domain.dialect import NEEDS_EXTENSION, Codec, Values, Word
from webui.domain.extensions import ExtensionInfo

OF_EXTENSIONS = ("Face restoration",)  # keys of A1111 for what only extensions do here


@dataclass(frozen=True, slots=True)
class Keys:
    """What the keys of extensions say.

    Attributes:
        values: (key, dotted path in a request, value), in order; a later value of a path overrides.
        refused: (key, why it sets nothing).
    """

    values: tuple[tuple[str, str, JsonValue], ...]
    refused: tuple[tuple[str, str], ...]


def read_keys(fields: Mapping[str, str], extensions: Sequence[ExtensionInfo]) -> Keys:
    """Read the keys that extensions in use declare; a key of A1111 that needs one which is not there is refused."""
    values: list[tuple[str, str, JsonValue]] = []
    refused: list[tuple[str, str]] = []
    in_use = [info for info in extensions if info.state == "ok"]
    for info in in_use:
        words = info.dialect.infotext
        for word in words if any(word.asks and word.name in fields for word in words) else ():
            try:
                values += [(word.name, f"extensions.{info.name}.{path}", value) for path, value in _read(word, fields)]
            except (ValueError, OverflowError):
                text = fields[word.name][:40]
                refused.append((word.name, f"{text!r} is not a value of this kind; left at its default"))
    known = {word.name for info in in_use for word in info.dialect.infotext}
    missing = [key for key in OF_EXTENSIONS if key in fields and key not in known]
    return Keys(tuple(values), (*refused, *((key, f"{NEEDS_EXTENSION}; left out") for key in missing)))


def _read(word: Word, fields: Mapping[str, str]) -> Iterator[tuple[str, JsonValue]]:
    """Options by path. Raises ValueError, OverflowError where the text is no such value."""
    text = fields.get(word.name)
    if word.meanings or word.otherwise is not None:
        yield from (_meaning(word, text) if text is not None else {}).items()
    if word.option and text is not None:
        yield word.option, _CODECS[word.codec](text)
    elif word.option and word.default is not None:
        yield word.option, word.default


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


_CODECS: Mapping[Codec, Callable[[str], JsonValue]] = MappingProxyType(
    {"text": str, "integer": _integer, "number": float, "boolean": _boolean}
)
