"""What a model file shows of itself in a list: name, what it puts into a prompt, description, preview picture.

Beside `name.safetensors` people keep `name.png` or `name.preview.png`, `name.txt` or `name.description.txt`, and
`name.json` with what they noted of it (A1111's names and keys).
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from webui.library.card_notes import Notes, read_notes
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.networks import alias_of, shown_names
from webui.library.pictures import is_picture

CardKind = Literal["checkpoint", "embedding", "lora", "hypernetwork", "vae"]
PREVIEWS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
PICTURES = (  # how the name of a card's picture ends behind the file's stem; the first that is there counts
    *(f"{middle}{suffix}" for middle in (".preview", "") for suffix in PREVIEWS), ".thumb.jpg", ".thumb.png",
)  # fmt: skip
MAX_TEXT = 64 * 1024  # bytes of a description or of notes
SHOWN = 500  # characters of a description


@dataclass(frozen=True, slots=True)
class Card:
    """Attributes:
    file: path inside its folder, which also names its preview.
    text: what a click puts into the prompt; "" for a checkpoint or a VAE, which is chosen.
    preview: the picture beside the file, or None.
    negative: what belongs into the negative prompt with it.
    base: the kind of checkpoint that the user noted for it; "" where nothing is noted.
    tag: the name that a tag in a prompt calls it by; "" where no tag does.
    weight: the weight that the user prefers; 0 where none is noted.
    """

    kind: CardKind
    name: str
    file: str
    text: str
    description: str = ""
    preview: Path | None = None
    negative: str = ""
    base: str = ""
    tag: str = ""
    weight: float = 0.0

    @property
    def id(self) -> str:
        """16 hex digits that stand for the file in addresses, so that these hold no paths."""
        return id_of(self.file)

    @property
    def folder(self) -> str:
        """The folder inside the kind's folder, with `/`; "" for the uppermost."""
        return self.file.rpartition("/")[0]


def id_of(file: str) -> str:
    """The id of the card of a file, by its path inside its folder."""
    return hashlib.sha256(file.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def cards(library: ModelLibrary, kind: CardKind, *, opens: bool = True) -> tuple[Card, ...]:
    """A card for each usable file of a kind, in the order of the list.

    Args:
        opens: as `networks.shown_names` takes it.
    """
    files = listed(library, kind)
    if kind == "lora":
        names = shown_names(library, files, opens=opens)
        aliased = {file for file in files if alias_of(library, file, opens=opens) != file.stem}
    else:
        names, aliased = {file: file.stem for file in files}, set()
    beside: dict[Path, frozenset[str]] = {}
    return tuple(_card(kind, file, names[file], beside, calls_itself=file in aliased) for file in files)


def listed(library: ModelLibrary, kind: CardKind) -> tuple[ModelFile, ...]:
    """The usable files of a kind."""
    files = {
        "checkpoint": library.checkpoints,
        "embedding": library.embeddings,
        "lora": library.loras,
        "hypernetwork": library.hypernetworks,
        "vae": library.vaes,
    }[kind]()
    return tuple(file for file in files if file.usable)


def preview_of(file: ModelFile) -> Path | None:
    """The picture beside a file."""
    return _preview(file, _names(file.path.parent))


def _card(
    kind: CardKind, file: ModelFile, name: str, beside: dict[Path, frozenset[str]], *, calls_itself: bool
) -> Card:
    """`calls_itself` says that its trainer gave it another name than the file has."""
    folder = file.path.parent
    if folder not in beside:
        beside[folder] = _names(folder)
    there = beside[folder]
    notes = read_notes(file) if f"{file.stem}.json" in there else Notes()
    description = notes.description or _description(file, there)
    if not description and calls_itself:
        description = file.stem
    base = "" if notes.base == "Unknown" else notes.base
    tag = tag_of(kind, file, name)
    text = text_of(kind, tag, name, notes.weight, notes.activation)
    return Card(
        kind, name, file.name, text, description[:SHOWN], _preview(file, there),
        notes.negative if kind == "lora" else "", base, tag, notes.weight,
    )  # fmt: skip


def tag_of(kind: CardKind, file: ModelFile, name: str) -> str:
    """The name that a tag in a prompt calls a file by; "" where no tag does."""
    return {"lora": file.stem if set(":<>") & set(name) else name, "hypernetwork": name}.get(kind, "")


def text_of(kind: CardKind, tag: str, name: str, weight: float, activation: str) -> str:
    """What a click on a card puts into the prompt. A weight of 0 means the usual one."""
    match kind:
        case "lora":
            return f"<lora:{tag}:{weight or 1:g}>{f' {activation}' if activation else ''}"
        case "hypernetwork":
            return f"<hypernet:{tag}:1>"
        case "embedding":
            return name
    return ""


def _preview(file: ModelFile, there: frozenset[str]) -> Path | None:
    """The picture that somebody chose (`.preview`) comes before one that lies there by the file's own name."""
    candidates = [f"{file.stem}{ending}" for ending in PICTURES]
    found = next((name for name in candidates if name in there), None)
    if found is not None:
        return file.path.parent / found
    return file.path if is_picture(file.path) else None


def _description(file: ModelFile, there: frozenset[str]) -> str:
    for name in (f"{file.stem}.txt", f"{file.stem}.description.txt"):
        if name in there:
            return _read(file.path.parent / name)
    return ""


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
