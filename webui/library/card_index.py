"""The cards of a kind in memory, to be searched, sorted and handed out a piece at a time."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from webui.library.base_model import FACT, base_of
from webui.library.cards import Card, CardKind, cards, listed
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary

Order = Literal["name", "path", "created", "modified"]
OPEN_SECONDS = 1.0  # for files that nobody has looked into; those that are left over come with the next question
HIDDEN_SEARCH = 4  # characters that find what lies in a folder whose name begins with a dot, as in A1111


@dataclass(frozen=True, slots=True)
class IndexedCard:
    """A card, its file, and what it is sorted and found by. `created` and `modified` are seconds since 1970."""

    card: Card
    file: ModelFile
    created: float
    modified: float
    words: str


@dataclass(frozen=True, slots=True)
class CardQuery:
    """Attributes:
    words: all must occur in path, name, description or text, without regard to case.
    folder: cards of this folder and of those in it; "" for all.
    base: the kind of checkpoint that they are for; those that say none are shown too. "" for all.
    """

    words: str = ""
    folder: str = ""
    base: str = ""
    order: Order = "path"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class FoundCards:
    """Attributes:
    cards: that were found, all of them.
    folders: every folder of the kind.
    bases: every word that tells for which checkpoints cards of the kind are.
    """

    cards: tuple[IndexedCard, ...]
    folders: tuple[str, ...]
    bases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Shelf:
    files: tuple[ModelFile, ...]
    cards: tuple[IndexedCard, ...]
    complete: bool


class CardIndex:
    """Cards by kind, made anew when the list of files changes and after `forget`. Safe for several threads."""

    def __init__(self, library: ModelLibrary) -> None:
        self.library = library
        self._lock = threading.Lock()
        self._shelves: Mapping[CardKind, _Shelf] = MappingProxyType({})

    def find(self, kind: CardKind, query: CardQuery = CardQuery()) -> FoundCards:
        """The cards of a kind that a query means, in its order."""
        shelf = self._shelf(kind)
        words = query.words.casefold().split()
        shown = [one for one in shelf.cards if _is_meant(one, query, words)]
        shown.sort(key=lambda one: _sort_key(one, query.order), reverse=query.descending)
        folders = {part for one in shelf.cards for part in _with_parents(one.card.folder)}
        bases = {one.card.base for one in shelf.cards if one.card.base}
        return FoundCards(tuple(shown), tuple(sorted(folders, key=str.casefold)), tuple(sorted(bases)))

    def get(self, kind: CardKind, card_id: str) -> IndexedCard | None:
        """The card of that id; None where there is none (any more)."""
        return next((one for one in self._shelf(kind).cards if one.card.id == card_id), None)

    def forget(self) -> None:
        """Read everything again at the next question: something beside the files was changed."""
        with self._lock:
            self._shelves = MappingProxyType({})

    def _shelf(self, kind: CardKind) -> _Shelf:
        files = listed(self.library, kind)
        with self._lock:
            shelf = self._shelves.get(kind)
            if shelf is None or not shelf.complete or shelf.files != files:
                shelf = self._made(kind, files)
                self._shelves = MappingProxyType({**self._shelves, kind: shelf})
            return shelf

    def _made(self, kind: CardKind, files: tuple[ModelFile, ...]) -> _Shelf:
        deadline = time.monotonic() + OPEN_SECONDS
        bases: dict[str, str] = {}
        complete = True
        for file in files:
            if self.library.fact(file, FACT) is None and time.monotonic() > deadline:
                complete = False
            else:
                bases[file.name] = base_of(self.library, file)
        by_name = {file.name: file for file in files}
        made = []
        for card in cards(self.library, kind, opens=complete):
            if card.file in by_name:
                base = card.base or bases.get(card.file, "")
                made.append(_indexed(replace(card, base=base), by_name[card.file]))
        return _Shelf(files, tuple(made), complete)


def _indexed(card: Card, file: ModelFile) -> IndexedCard:
    try:
        status = file.path.stat()
        created = float(getattr(status, "st_birthtime", status.st_ctime))
        modified = float(status.st_mtime)
    except OSError:  # it went since it was listed
        created = modified = 0.0
    words = "\n".join((card.file, card.name, card.description, card.text)).casefold()
    return IndexedCard(card, file, created, modified, words)


def _is_meant(one: IndexedCard, query: CardQuery, words: list[str]) -> bool:
    card = one.card
    inside = not query.folder or card.folder == query.folder or card.folder.startswith(f"{query.folder}/")
    fits = not query.base or card.base in ("", query.base)
    hidden = any(part.startswith(".") for part in card.folder.split("/")) and len(query.words) < HIDDEN_SEARCH
    return inside and fits and not hidden and all(word in one.words for word in words)


def _sort_key(one: IndexedCard, order: Order) -> tuple[float, str, str]:
    number = {"created": one.created, "modified": one.modified}.get(order, 0.0)
    text = one.card.name if order == "name" else one.card.file
    return number, text.casefold(), one.card.file


def _with_parents(folder: str) -> list[str]:
    """`a/b` -> `a`, `a/b`."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]
