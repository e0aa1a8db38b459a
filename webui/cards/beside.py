"""What lies beside a model file: which files, in which version, and what they say together."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from webui.cards.sidecar_kinds import MAX_TEXT, SIDECARS, Told, plain, words_in
from webui.domain.errors import UnusableFileError
from webui.library.card_notes import MAX_BYTES, Notes, notes_in
from webui.library.cards import PICTURES
from webui.library.files import ModelFile
from webui.library.json_object import read_json_object
from webui.library.pictures import is_picture

MAX_SIDECAR = 4 * 1024 * 1024  # bytes
NOTES = ".json"
TEXTS = (".txt", ".description.txt")
_READ = (NOTES, *SIDECARS, *TEXTS)
_NOTHING: Mapping[str, "Found"] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Found:
    """A file in a folder: its size in bytes, and when it was changed in nanoseconds since 1970."""

    size: int
    modified: int
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class Beside:
    """What belongs to one model file.

    Attributes:
        sources: what each file says, in the order in which they count; the user's own notes come first.
    """

    notes: Notes = field(default_factory=Notes)
    sources: tuple[Told, ...] = ()


def folders_of(files: Iterable[ModelFile]) -> Mapping[Path, Mapping[str, Found]]:
    """The files in the folders of these, by name. A folder that cannot be read counts as empty."""
    folders = dict.fromkeys(file.path.parent for file in files)
    return MappingProxyType({folder: _names(folder) for folder in folders})


def version_of(there: Mapping[str, Found], stem: str) -> str:
    """Another text whenever a file that is read beside a model file comes, goes or changes; "" where there is none."""
    found = ((ending, there.get(stem + ending)) for ending in _READ)
    return " ".join(f"{ending}:{one.size}:{one.modified}" for ending, one in found if one is not None)


def picture_beside(there: Mapping[str, Found], file: ModelFile) -> tuple[Path, Found] | None:
    """The picture of a card, the chosen one (`.preview`) before one that lies there by the file's own name."""
    stem = file.stem
    names = (stem + ending for ending in PICTURES)
    name = next((name for name in names if name in there), None)
    if name is None and is_picture(file.path):
        name = file.path.name
    return None if name is None or name not in there else (file.path.parent / name, there[name])


def read_beside(folder: Path, stem: str, there: Mapping[str, Found]) -> Beside:
    """What the files beside a model file say. What cannot be read, or is no JSON object, says nothing."""
    own = _table(folder / f"{stem}{NOTES}", MAX_BYTES) if stem + NOTES in there else {}
    notes = notes_in(own)
    sources = [Told(words_in([notes.activation]), notes.base, notes.weight, "", notes.description, notes.notes)]
    for ending, read in SIDECARS.items():
        if stem + ending in there:
            sources.append(read(_table(folder / f"{stem}{ending}", MAX_SIDECAR)))
    for ending in TEXTS:
        if stem + ending in there:
            sources.append(Told(description=_text(folder / f"{stem}{ending}")))
    return Beside(notes, tuple(one for one in sources if one != Told()))


def _table(path: Path, most: int) -> dict[str, object]:
    try:
        return read_json_object(path, most)
    except (OSError, UnusableFileError):
        return {}


def _text(path: Path) -> str:
    try:
        with path.open("rb") as content:
            return plain(content.read(4 * MAX_TEXT).decode("utf-8", "replace"))
    except OSError:
        return ""


def _names(folder: Path) -> Mapping[str, Found]:
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:  # it went, or is a link to nowhere
                    continue
                created = float(getattr(status, "st_birthtime", status.st_ctime))
                found[entry.name] = Found(status.st_size, status.st_mtime_ns, created)
    except OSError:
        return _NOTHING
    return found
