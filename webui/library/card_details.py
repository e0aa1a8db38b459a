"""What can be told of one model file: trigger words and where they were read, its header's metadata. All bounded.

Header and files beside it were written by strangers: every text is cut, every list is cut, nothing in them is followed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webui.domain.errors import UnusableFileError, WebuiError
from webui.library.card_notes import Notes
from webui.library.files import ModelFile
from webui.library.headers import read_header
from webui.library.json_object import json_value, read_json_object
from webui.library.library import ModelLibrary

MAX_ENTRIES = 200  # of metadata
MAX_VALUE = 2_000  # characters of an entry's value
MAX_KEY = 200
MAX_SIDECAR = 4 * 1024 * 1024  # bytes
MAX_COUNTS = 4 * 1024 * 1024  # characters of the table of tags in a header
MAX_WORDS = 60
MAX_WORD = 300  # characters
OFTEN = 0.9  # share of a folder's pictures from which on a tag is taken for a trigger word
_REPEATS = re.compile(r"\d+_(?P<word>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TriggerWord:
    """Attributes:
    source: "notes", "file" or "training". The last is a guess from the tags of the training pictures.
    """

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a header's metadata; `cut` says that the value was longer."""

    key: str
    value: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Details:
    """Attributes:
    left_out: how many entries of the metadata are not among `metadata`.
    problem: why the header cannot be read; "" where it can.
    """

    words: tuple[TriggerWord, ...]
    metadata: tuple[Entry, ...]
    left_out: int = 0
    problem: str = ""


def details_of(library: ModelLibrary, file: ModelFile, notes: Notes) -> Details:
    """All that file, header and the files beside it tell. Never raises for what stands in them."""
    problem = ""
    metadata: Mapping[str, str] = {}
    try:
        metadata = read_header(library.safetensors(file)).metadata
    except UnusableFileError as error:
        problem = str(error)
    entries = tuple(
        Entry(key[:MAX_KEY], value[:MAX_VALUE], len(value) > MAX_VALUE)
        for key, value in sorted(metadata.items())[:MAX_ENTRIES]
    )
    return Details(_words(file, notes, metadata), entries, max(0, len(metadata) - MAX_ENTRIES), problem)


def _words(file: ModelFile, notes: Notes, metadata: Mapping[str, str]) -> tuple[TriggerWord, ...]:
    """Each word once, with the most certain of its sources."""
    found: dict[str, TriggerWord] = {}
    sources = (
        ("notes", (notes.activation,)),
        ("file", _told_beside(file.path)),
        ("file", (metadata.get("modelspec.trigger_phrase", ""),)),
        ("training", _often(metadata.get("ss_tag_frequency", ""))),
    )
    for source, texts in sources:
        for word in _split(texts):
            if len(found) < MAX_WORDS:
                found.setdefault(word.casefold(), TriggerWord(word, source))
    return tuple(found.values())


def _split(texts: Iterable[object]) -> Iterator[str]:
    """The parts between commas; an entry may itself be such a list."""
    for text in texts:
        if isinstance(text, str):
            for part in text[: MAX_WORDS * MAX_WORD].split(","):
                if word := " ".join(part.split())[:MAX_WORD]:
                    yield word


def _told_beside(path: Path) -> list[object]:
    """Trigger words in what downloaders keep beside a file: `.civitai.info`, and LoRA Manager's `.metadata.json`."""
    told: list[object] = []
    for ending in (".civitai.info", ".metadata.json"):
        try:
            table = read_json_object(path.with_name(path.stem + ending), MAX_SIDECAR)
        except (OSError, WebuiError):
            continue
        inner = table.get("civitai")
        for place in (table, inner if isinstance(inner, dict) else {}):
            words = place.get("trainedWords")
            told += words[:MAX_WORDS] if isinstance(words, list) else []
    return told


def _often(table: str) -> list[str]:
    """Tags of (nearly) every training picture, and the words of the folders, of kohya's `ss_tag_frequency`."""
    if not table or len(table) > MAX_COUNTS:
        return []
    try:
        folders = json_value("ss_tag_frequency", table)
    except UnusableFileError:
        return []
    if not isinstance(folders, dict):
        return []
    words: list[str] = []
    for folder, tags in list(folders.items())[:MAX_WORDS]:
        counts = _counts(tags)
        if named := _REPEATS.fullmatch(folder):
            words.append(named["word"])
        most = max(counts.values(), default=0)
        words += [tag for tag, count in counts.items() if count >= OFTEN * most][:MAX_WORDS]
    return words


def _counts(tags: Any) -> dict[str, int]:
    pairs = tags.items() if isinstance(tags, dict) else ()
    return {tag.strip(): count for tag, count in pairs if type(count) is int and count > 0 and tag.strip()}
