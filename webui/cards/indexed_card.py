"""A card with all that is known of its file, put together from its header and from what lies beside it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

from webui.cards.beside import NOTHING, Beside, Folder, Found, Spot, picture_beside
from webui.cards.card_store import Known
from webui.cards.header_facts import HeaderFacts
from webui.cards.sidecar_kinds import MAX_TEXT, MAX_WORDS
from webui.library.base_model import family_of_word
from webui.library.cards import SHOWN, Card, CardKind, tag_of, text_of
from webui.library.files import ModelFile
from webui.library.pictures import is_picture

Source = Literal["notes", "file", "training"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TriggerWord:
    """Attributes:
    source: "notes", "file" or "training". The last is a guess from the tags of the training pictures.
    """

    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class IndexedCard:
    """A card, its file, and what it is found by.

    Attributes:
        family: of the checkpoints that it fits; "" where that is not known.
        title: the name that its author gave it; "" where none did.
        words: trigger words, the most certain first.
        notes: what people noted of it, and what a source calls a hint for its use.
        modified: seconds since 1970.
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
    modified: float
    size: int
    shown: int
    text: str


class CardEntry:
    """A file in the list of cards. What takes time is worked out when it is first asked for: of thousands of cards a
    few dozen are in view.

    Attributes:
        name: that is shown: of a LoRA the one that its trainer gave it, if no other has the same.
        base: the word for the kind of checkpoint that it is for.
    """

    def __init__(self, kind: CardKind, file: ModelFile, spot: Spot, name: str, known: Known, there: Folder) -> None:
        self.file = file
        self.name = name
        self.base = known.beside_base or known.base
        self._kind: CardKind = kind
        self._spot = spot
        self._known = known
        self._there = there

    @property
    def found(self) -> Found:
        """Size and times of the file."""
        return self._there.get(self._spot.name, NOTHING)

    @property
    def names(self) -> tuple[str, ...]:
        """Those that a picture may call it by."""
        return self._spot.stem, self._known.alias, self.file.model_name, self.file.name

    @cached_property
    def indexed(self) -> IndexedCard:
        """The whole card."""
        return _card(self._kind, self, self._spot, self._known, self._there)


def entries_of(
    kind: CardKind, files: Sequence[tuple[ModelFile, Spot]], known: Mapping[str, Known], there: Mapping[str, Folder]
) -> tuple[CardEntry, ...]:
    """An entry for each file, in their order.

    Args:
        known: by path.
        there: the folders of the files.
    """
    told = [known[str(file.path)] for file, _ in files]
    aliases = [one.alias or spot.stem for one, (_, spot) in zip(told, files, strict=True)]
    counts = Counter(alias.lower() for alias in aliases)
    return tuple(
        CardEntry(kind, file, spot, alias if counts[alias.lower()] == 1 else spot.stem, one, there[spot.folder])
        for (file, spot), one, alias in zip(files, told, aliases, strict=True)
    )


def _card(kind: CardKind, entry: CardEntry, spot: Spot, known: Known, there: Folder) -> IndexedCard:
    file, name, header, beside = entry.file, entry.name, known.header_facts, known.facts_beside
    sources, notes = (*beside.sources, header.told), beside.notes
    weight = _first(one.weight for one in sources) or 0.0
    title = _first(one.title for one in sources) or ""
    description = _first(one.description for one in sources) or title
    noted = "\n".join(dict.fromkeys(one.notes for one in sources if one.notes))[:MAX_TEXT]
    tags = _first(one.tags for one in sources) or ()
    words = tuple(_words(beside, header))
    alias = header.alias if header.alias not in ("", spot.stem) else ""
    if not description and alias:
        description = spot.stem
    tag = tag_of(kind, file, name)
    picture = picture_beside(there, spot, is_picture=is_picture(file.path))
    card = Card(
        kind, name, file.name, text_of(kind, tag, name, weight, notes.activation), description[:SHOWN],
        Path(spot.folder, picture) if picture else None, notes.negative if kind == "lora" else "", entry.base, tag,
        weight,
    )  # fmt: skip
    text = "\n".join(
        (file.name, name, alias, title, description, card.text, entry.base, noted, *tags, *(one.text for one in words))
    )
    return IndexedCard(
        card, file, family_of_word(header.base) or family_of_word(entry.base), title, words, tags, noted,
        entry.found.modified / 1e9, entry.found.size, there[picture].modified if picture else 0, text.casefold(),
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
