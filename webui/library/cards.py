"""What a model file shows of itself in a list: name, what it puts into a prompt, description, preview picture.

Beside `name.safetensors` people keep `name.png` or `name.preview.png`, `name.txt` or `name.description.txt`, and
`name.json` with what they noted of it (A1111's names and keys).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.networks import alias_of, shown_names
from webui.library.pictures import is_picture

CardKind = Literal["checkpoint", "embedding", "lora", "hypernetwork"]
PREVIEWS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MAX_TEXT = 64 * 1024  # bytes of a description or of notes
SHOWN = 500  # characters of a description


@dataclass(frozen=True, slots=True)
class Card:
    """Attributes:
    file: path inside its folder, which also names its preview.
    text: what a click puts into the prompt; "" for a checkpoint, which is chosen.
    preview: the picture beside the file, or None.
    """

    kind: CardKind
    name: str
    file: str
    text: str
    description: str = ""
    preview: Path | None = None


def cards(library: ModelLibrary, kind: CardKind) -> tuple[Card, ...]:
    """A card for each usable file of a kind, in the order of the list."""
    files = listed(library, kind)
    names = shown_names(library, files) if kind == "lora" else {file: file.stem for file in files}
    beside: dict[Path, frozenset[str]] = {}
    return tuple(_card(library, kind, file, names[file], beside) for file in files)


def listed(library: ModelLibrary, kind: CardKind) -> tuple[ModelFile, ...]:
    """The usable files of a kind."""
    files = {
        "checkpoint": library.checkpoints,
        "embedding": library.embeddings,
        "lora": library.loras,
        "hypernetwork": library.hypernetworks,
    }[kind]()
    return tuple(file for file in files if file.usable)


def preview_of(file: ModelFile) -> Path | None:
    """The picture beside a file."""
    return _preview(file, _names(file.path.parent))


def _card(
    library: ModelLibrary, kind: CardKind, file: ModelFile, name: str, beside: dict[Path, frozenset[str]]
) -> Card:
    folder = file.path.parent
    if folder not in beside:
        beside[folder] = _names(folder)
    there = beside[folder]
    notes = _notes(file.path.with_suffix(".json")) if f"{file.stem}.json" in there else {}
    description = str(notes.get("description") or "") or _description(file, there)
    if kind == "lora" and not description and alias_of(library, file) != file.stem:
        description = file.stem
    return Card(kind, name, file.name, _text(kind, file, name, notes), description[:SHOWN], _preview(file, there))


def _text(kind: CardKind, file: ModelFile, name: str, notes: Mapping[str, Any]) -> str:
    match kind:
        case "lora":
            tag_name = file.stem if set(":<>") & set(name) else name
            activation = str(notes.get("activation text") or "")
            return f"<lora:{tag_name}:{_weight(notes)}>{f' {activation}' if activation else ''}"
        case "hypernetwork":
            return f"<hypernet:{name}:1>"
        case "embedding":
            return name
    return ""


def _weight(notes: Mapping[str, Any]) -> str:
    weight = notes.get("preferred weight")
    return f"{weight:g}" if isinstance(weight, int | float) and 0 < weight <= 2 else "1"


def _preview(file: ModelFile, there: frozenset[str]) -> Path | None:
    if is_picture(file.path):
        return file.path
    candidates = (f"{file.stem}{middle}{suffix}" for suffix in PREVIEWS for middle in ("", ".preview"))
    found = next((name for name in candidates if name in there), None)
    return file.path.parent / found if found else None


def _description(file: ModelFile, there: frozenset[str]) -> str:
    for name in (f"{file.stem}.txt", f"{file.stem}.description.txt"):
        if name in there:
            return _read(file.path.parent / name)
    return ""


def _notes(path: Path) -> Mapping[str, Any]:
    try:
        notes = json.loads(_read(path) or "{}")
    except (ValueError, RecursionError):
        return {}  # other programs write other things there
    return notes if isinstance(notes, dict) else {}


def _read(path: Path) -> str:
    """The text of a small file; "" where it cannot be read, since it only decorates."""
    try:
        with path.open("rb") as content:
            return content.read(MAX_TEXT).decode("utf-8", "replace")
    except OSError:
        return ""


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()
