"""The files of wildcards: found by name among those that are there; a name is never joined to a path.

A text file has a value a line. A YAML or JSON file has values in lists, each named by the keys above it, or one list,
named as the file. The forms are those of A1111's extension Dynamic Prompts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from webui.extension_api import BadRequestError

from .draws import Value
from .structured import lists_of

MAX_BYTES = 4 * 1024 * 1024
_STRUCTURED = (".yaml", ".yml", ".json")
_LISTED = 20  # names in a text


class WildcardFiles:
    """The wildcards of a folder, read when they are asked for. One object serves one job.

    Attributes:
        missing: names for which nothing was found, in the order in which they were asked for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        paths = [
            path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.resolve().is_relative_to(folder.resolve())
        ]
        self._texts = {
            path.relative_to(folder).with_suffix("").as_posix(): path for path in paths if path.suffix == ".txt"
        }
        self._structured = [path for path in paths if path.suffix in _STRUCTURED]
        self._lists: Mapping[str, Sequence[Value]] | None = None
        self._read: dict[str, tuple[Value, ...]] = {}
        self.missing: dict[str, None] = {}

    def __call__(self, name: str) -> Sequence[Value]:
        """The values behind a name such as `colour`, `animals/cats` or `animals/*`, sorted, each once.

        Where there is no such name, files of that name in any folder count.

        Raises:
            BadRequestError: a file cannot be read.
        """
        name = name.strip()
        if name not in self._read:
            values = list(self._found(name)) or list(self._found(f"**/{name}"))
            self._read[name] = tuple(sorted(dict.fromkeys(values), key=lambda value: value.text))
        if not self._read[name]:
            self.missing[name] = None
        return self._read[name]

    @property
    def names(self) -> list[str]:
        """Every name that has values of its own, in order.

        Raises:
            BadRequestError: a YAML or JSON file cannot be read.
        """
        return sorted({*self._texts, *self._all()})

    @property
    def lack(self) -> str:
        """What was not found, as a sentence; "" where nothing is lacking."""
        if not self.missing:
            return ""
        names = ", ".join(f"__{name}__" for name in list(self.missing)[:_LISTED])
        there = ", ".join([*self._texts, *self._all()][:_LISTED]) or "no files"
        return f"{names} stays as it is: there are no such values in {self._folder.name}; there are: {there}"

    def _found(self, pattern: str) -> Iterator[Value]:
        for name, path in self._texts.items():
            if fnmatchcase(name, pattern):
                yield from _lines(_text_of(path))
        for name, values in self._all().items():
            if fnmatchcase(name, pattern):
                yield from values

    def _all(self) -> Mapping[str, Sequence[Value]]:
        """The lists of all YAML and JSON files, by name."""
        if self._lists is None:
            self._lists = dict(self._read_all())
        return self._lists

    def _read_all(self) -> Iterator[tuple[str, Sequence[Value]]]:
        for path in self._structured:
            above = path.relative_to(self._folder).parent.as_posix()
            for name, values in lists_of(path.name, _text_of(path)):
                yield (name if above == "." else f"{above}/{name}"), values


def _lines(text: str) -> Iterable[Value]:
    stripped = (line.strip() for line in text.splitlines())
    return (Value(line) for line in stripped if line and not line.startswith("#"))


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadRequestError("prompt", f"wildcards: {path.name} is larger than {MAX_BYTES >> 20} MiB")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise BadRequestError("prompt", f"wildcards: {path.name} cannot be read ({error})") from error
