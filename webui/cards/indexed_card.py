"""A card with all that is known of its file, put together from its header and from what lies beside it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from webui.cards.beside import Beside, Found, picture_beside
from webui.cards.card_store import Known
from webui.cards.header_facts import HeaderFacts
from webui.cards.sidecar_kinds import MAX_TEXT, MAX_WORDS
from webui.library.base_model import family_of_word
from webui.library.cards import SHOWN, Card, CardKind, tag_of, text_of
from webui.library.files import ModelFile

Source = Literal["notes", "file", "training"]
T = TypeVar("T")
_NO_BASE = ("", "Unknown", "Other")


@dataclass(frozen=True, slots=True)
class TriggerWord:
    """Attributes:
    source: "notes", "file" or "training". The last is a guess from the tags of the training pictures.
    """

    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class IndexedCard:
    """A card, its file, and what it is sorted and found by.

    Attributes:
        family: of the checkpoints that it fits; "" where that is not known.
        title: the name that its author gave it; "" where none did.
        words: trigger words, the most certain first.
        notes: what people noted of it, and what a source calls a hint for its use.
        names: those that a picture may call it by.
        created, modified: seconds since 1970.
        size: bytes.
        shown: when its picture was changed, in nanoseconds since 1970; 0 without one.
        text: everything that it is found by, in small letters.
    """

    card: Card
    file: ModelFile
    family: str
    title: str
    words: tuple[TriggerWord, ...]
    tags: tuple[str, ...]
    notes: str
    names: tuple[str, ...]
    created: float
    modified: float
    size: int
    shown: int
    text: str


def nothing_found() -> Found:
    """Of a file that went since it was listed."""
    return Found(0, 0)


def cards_of(
    kind: CardKind,
    files: Sequence[ModelFile],
    known: Mapping[Path, Known],
    there: Mapping[Path, Mapping[str, Found]],
) -> tuple[IndexedCard, ...]:
    """A card for each file, in their order. A LoRA has the name that its trainer gave it, if no other has the same."""
    aliases = {file.path: known[file.path].header.alias or file.stem for file in files}
    counts = Counter(alias.lower() for alias in aliases.values())
    names = {path: alias if counts[alias.lower()] == 1 else path.stem for path, alias in aliases.items()}
    return tuple(_card(kind, file, names[file.path], known[file.path], there[file.path.parent]) for file in files)


def _card(kind: CardKind, file: ModelFile, name: str, known: Known, there: Mapping[str, Found]) -> IndexedCard:
    header, beside = known.header, known.beside
    sources = (*beside.sources, header.told)
    notes = beside.notes
    base = next((one.base for one in beside.sources if one.base not in _NO_BASE), "") or header.base
    weight = _first(one.weight for one in sources) or 0.0
    description = _first(one.description for one in sources) or ""
    title = _first(one.title for one in sources) or ""
    noted = "\n".join(dict.fromkeys(one.notes for one in sources if one.notes))[:MAX_TEXT]
    tags = _first(one.tags for one in sources) or ()
    words = tuple(_words(beside, header))
    alias = header.alias if header.alias not in ("", file.stem) else ""
    if not description:
        description = title or (file.stem if alias else "")
    tag = tag_of(kind, file, name)
    found = there.get(file.path.name, nothing_found())
    picture = picture_beside(there, file)
    card = Card(
        kind, name, file.name, text_of(kind, tag, name, weight, notes.activation), description[:SHOWN],
        picture[0] if picture else None, notes.negative if kind == "lora" else "", base, tag, weight,
    )  # fmt: skip
    text = "\n".join(
        (file.name, name, alias, title, description, card.text, base, noted, *tags, *(word.text for word in words))
    )
    return IndexedCard(
        card, file, family_of_word(header.base) or family_of_word(base), title, words, tags, noted,
        tuple(dict.fromkeys(one for one in (file.stem, alias, file.model_name, file.name) if one)),
        found.created, found.modified / 1e9, found.size, picture[1].modified if picture else 0, text.casefold(),
    )  # fmt: skip


def _words(beside: Beside, header: HeaderFacts) -> Iterator[TriggerWord]:
    """Each word once, with the most certain of its sources."""
    own = beside.notes.activation
    sources: list[tuple[Source, Iterable[str]]] = [
        ("notes" if own and number == 0 else "file", one.words) for number, one in enumerate(beside.sources)
    ]
    sources += [("file", header.told.words), ("training", header.guesses)]
    seen: set[str] = set()
    for source, words in sources:
        for word in words:
            if len(seen) < MAX_WORDS and word.casefold() not in seen:
                seen.add(word.casefold())
                yield TriggerWord(word, source)


def _first(values: Iterable[T]) -> T | None:
    """The first that says something."""
    return next((value for value in values if value), None)
