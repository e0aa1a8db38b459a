"""What users note of a model file, in the JSON file beside it (A1111's keys), and the preview picture that they choose.

Files in further folders belong to other programs and are never written to.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.domain.errors import BadRequestError, UnusableFileError, WebuiError
from webui.imaging.encoding import file_bytes
from webui.library.files import FOLDERS, ModelFile
from webui.library.json_object import read_json_object
from webui.library.library import ModelLibrary
from webui.library.unfinished import write_atomically

MAX_BYTES = 256 * 1024  # of a file of notes
MAX_TEXT = 32_000  # characters of a field
MOST_WEIGHT = 2.0
PREVIEW_SIDE = 768  # pixels
MAX_BASE = 40


@dataclass(frozen=True, slots=True)
class Notes:
    """Attributes:
    activation: the text that comes into the prompt with a LoRA.
    negative: the text that belongs into the negative prompt with it.
    weight: the preferred weight; 0 means the usual one.
    base: the kind of checkpoint it is for, by A1111's words; "" is not said.
    """

    description: str = ""
    notes: str = ""
    activation: str = ""
    negative: str = ""
    weight: float = 0.0
    base: str = ""


def read_notes(file: ModelFile) -> Notes:
    """The notes beside a file; empty ones where there are none, or where another program keeps something else there."""
    try:
        return notes_in(read_json_object(_place(file), MAX_BYTES))
    except (OSError, UnusableFileError):
        return Notes()


def notes_in(table: dict[str, Any]) -> Notes:
    """What a JSON object with A1111's keys says; what it does not say is empty."""
    return Notes(
        description=_text(table, "description"),
        notes=_text(table, "notes"),
        activation=_text(table, "activation text"),
        negative=_text(table, "negative text"),
        weight=_weight(table.get("preferred weight")),
        base=_text(table, "sd version"),
    )


def save_notes(library: ModelLibrary, file: ModelFile, notes: Notes) -> None:
    """Write the notes beside a file; what else stands in the JSON stays.

    Raises:
        BadRequestError: naming the field.
        WebuiError: the folder is only read, the file there is not one of notes, or it cannot be written.
    """
    _check(notes)
    _check_own(library, file)
    place = _place(file)
    try:
        before = read_json_object(place, MAX_BYTES)
    except FileNotFoundError:
        before = {}
    except (OSError, UnusableFileError) as error:
        raise WebuiError(f"{place.name} is there and holds something else than notes ({error}); it was kept") from error
    changed: dict[str, Any] = {
        "description": notes.description, "notes": notes.notes, "activation text": notes.activation,
        "negative text": notes.negative, "preferred weight": notes.weight, "sd version": notes.base,
    }  # fmt: skip
    kept = {key: value for key, value in changed.items() if value or key in before}
    text = json.dumps({**before, **kept}, indent=4, ensure_ascii=False)
    if len(text.encode()) > MAX_BYTES:
        raise BadRequestError("notes", f"all notes of a file together take at most {MAX_BYTES} bytes")
    _write(place, text.encode())


def save_preview(library: ModelLibrary, file: ModelFile, picture: Image.Image, infotext: str) -> Path:
    """Write `name.preview.png` beside a file: the picture at PREVIEW_SIDE pixels or less, with its infotext.

    Raises:
        WebuiError: the folder is only read, or it cannot be written.
    """
    _check_own(library, file)
    small = picture.convert("RGB")
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    told = PngInfo()
    if infotext:
        told.add_itxt("parameters", infotext)
    place = file.path.with_name(f"{file.stem}.preview.png")
    _write(place, file_bytes(small, "PNG", pnginfo=told))
    return place


def may_write(library: ModelLibrary, file: ModelFile) -> bool:
    """Whether it lies in a folder of this program, not in one that is only read."""
    return any(file.path.is_relative_to(library.models_dir / folder) for folder in FOLDERS[file.kind])


def _check_own(library: ModelLibrary, file: ModelFile) -> None:
    if not may_write(library, file):
        raise WebuiError(f"{file.name} lies in a folder that is only read: {file.path.parent}; nothing was written")


def _check(notes: Notes) -> None:
    for field in ("description", "notes", "activation", "negative"):
        text: str = getattr(notes, field)
        if len(text) > MAX_TEXT or "\0" in text:
            raise BadRequestError(field, f"at most {MAX_TEXT} characters, and no NUL")
    if not 0 <= notes.weight <= MOST_WEIGHT:
        raise BadRequestError("weight", f"from 0 (the usual one) to {MOST_WEIGHT:g}")
    if len(notes.base) > MAX_BASE or not notes.base.isprintable():
        raise BadRequestError("base", f"a word of at most {MAX_BASE} characters, such as SD1 or SDXL")


def _place(file: ModelFile) -> Path:
    return file.path.with_suffix(".json")


def _weight(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value <= MOST_WEIGHT else 0.0


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _write(place: Path, content: bytes) -> None:
    try:
        write_atomically(place, content)
    except OSError as error:
        raise WebuiError(f"{place} cannot be written: {error.strerror}") from error
