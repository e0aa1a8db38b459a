"""What lies beside a model file: which files, in which version, and what they say together."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from webui.cards.sidecar_kinds import MAX_TEXT, SIDECARS, Told, plain, words_in
from webui.domain.errors import UnusableFileError
from webui.library.card_notes import MAX_BYTES, Notes, notes_in
from webui.library.cards import PICTURES
from webui.library.json_object import read_json_object

MAX_SIDECAR = 4 * 1024 * 1024  # bytes
NOTES = ".json"
TEXTS = (".txt", ".description.txt")
UNKNOWN_BASES = ("", "Unknown", "Other")
_READ = (NOTES, *SIDECARS, *TEXTS)


class Spot(NamedTuple):
    """Where a model file lies: its folder, its name there, and the name without the extension."""

    folder: str
    name: str
    stem: str


class Found(NamedTuple):
    """A file in a folder: its size in bytes, and when it was changed (nanoseconds) and made (seconds) since 1970."""

    size: int
    modified: int
    created: float


Folder = Mapping[str, Found]  # by name
NOTHING = Found(0, 0, 0.0)  # of a file that went since it was listed
_EMPTY: Folder = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Beside:
    """What belongs to one model file.

    Attributes:
        sources: what each file says, in the order in which they count; the user's own notes come first.
    """

    notes: Notes = field(default_factory=Notes)
    sources: tuple[Told, ...] = ()

    @property
    def base(self) -> str:
        """The word for the kind of checkpoint that the first of them names; "" where none does."""
        return next((one.base for one in self.sources if one.base not in UNKNOWN_BASES), "")


def spot_of(path: Path) -> Spot:
    """Where a file lies. Texts, as thousands of them are compared."""
    folder, name = os.path.split(path)
    return Spot(folder, name, os.path.splitext(name)[0])


def folders_of(spots: Iterable[Spot]) -> Mapping[str, Folder]:
    """The files in the folders of these. A folder that cannot be read counts as empty."""
    return MappingProxyType({folder: _names(folder) for folder in dict.fromkeys(spot.folder for spot in spots)})


def version_of(there: Folder, stem: str) -> str:
    """Another text whenever a file that is read beside a model file comes, goes or changes; "" where there is none."""
    found = [(ending, there[stem + ending]) for ending in _READ if stem + ending in there]
    return " ".join(f"{ending}:{one.size}:{one.modified}" for ending, one in found) if found else ""


def picture_beside(there: Folder, spot: Spot, *, is_picture: bool) -> str:
    """The name of the picture of a card, the chosen one (`.preview`) before one that lies there by the file's own
    name; "" where there is none.

    Args:
        is_picture: whether the model file itself is one.
    """
    found = next((spot.stem + ending for ending in PICTURES if spot.stem + ending in there), "")
    return found or (spot.name if is_picture and spot.name in there else "")


def read_beside(spot: Spot, there: Folder) -> Beside:
    """What the files beside a model file say. What cannot be read, or is no JSON object, says nothing."""
    folder, stem = Path(spot.folder), spot.stem
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


def _names(folder: str) -> Folder:
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:  # it went, or is a link to nowhere
                    continue
                created = getattr(status, "st_birthtime", status.st_ctime)
                found[entry.name] = Found(status.st_size, status.st_mtime_ns, created)
    except OSError:
        return _EMPTY
    return found
