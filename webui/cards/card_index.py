"""The cards of a kind in memory, to be searched, sorted and handed out a piece at a time.

What lies beside files is read whenever it has changed, which costs a look at each folder. Headers are slow to read:
those that nobody has opened yet are read a while at a time (`read_on`), and are kept from one start to the next.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from webui.cards.beside import Found, folders_of, read_beside, version_of
from webui.cards.card_store import FILE, CardStore, Known
from webui.cards.header_facts import header_facts
from webui.cards.indexed_card import IndexedCard, cards_of, nothing_found
from webui.domain.errors import UnusableFileError
from webui.library.cards import CardKind, listed
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary

Order = Literal["name", "path", "created", "modified", "size", "used"]
OPEN_SECONDS = 0.4  # for headers that nobody has read yet, in the first question
FRESH_SECONDS = 3.0  # for which what was seen in the folders counts
HIDDEN_SEARCH = 4  # characters that find what lies in a folder whose name begins with a dot, as in A1111
RULES = "1"  # another one when headers are read differently, so that they are read again
Uses = Mapping[str, float]  # by a name that pictures call a file by: when it was used last, in seconds since 1970


@dataclass(frozen=True, slots=True)
class CardQuery:
    """Attributes:
    words: all must occur in path, names, description, tags, trigger words or notes, without regard to case.
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
    unread: how many files of the kind nobody has looked into yet.
    """

    cards: tuple[IndexedCard, ...]
    folders: tuple[str, ...]
    bases: tuple[str, ...]
    unread: int = 0


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Attributes:
    files: as the library lists them.
    looked: when the folders were looked at, by a clock that runs on.
    """

    files: tuple[ModelFile, ...]
    known: Mapping[Path, Known]
    there: Mapping[Path, Mapping[str, Found]]
    cards: tuple[IndexedCard, ...]
    by_id: Mapping[str, IndexedCard]
    unread: tuple[ModelFile, ...]
    looked: float


class CardIndex:
    """Cards by kind. They follow the library's list, and the files beside it within a few seconds. Thread-safe."""

    def __init__(self, library: ModelLibrary, last_used: Callable[[CardKind], Uses] = lambda kind: {}) -> None:
        """Args:
        last_used: when files were used last; asked where cards are sorted by that.
        """
        self.library = library
        self._last_used = last_used
        self._store = CardStore(library.cache_dir / FILE)
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._shelves: Mapping[CardKind, _Shelf] = MappingProxyType({})

    def find(self, kind: CardKind, query: CardQuery = CardQuery()) -> FoundCards:
        """The cards of a kind that a query means, in its order."""
        shelf = self._shelf(kind)
        words = query.words.casefold().split()
        shown = [one for one in shelf.cards if _is_meant(one, query, words)]
        uses = self._last_used(kind) if query.order == "used" else {}
        shown.sort(key=lambda one: _sort_key(one, query.order, uses), reverse=query.descending)
        folders = {part for one in shelf.cards for part in _with_parents(one.card.folder)}
        bases = {one.card.base for one in shelf.cards if one.card.base}
        return FoundCards(
            tuple(shown), tuple(sorted(folders, key=str.casefold)), tuple(sorted(bases)), len(shelf.unread)
        )

    def get(self, kind: CardKind, card_id: str) -> IndexedCard | None:
        """The card of that id; None where there is none (any more)."""
        return self._shelf(kind).by_id.get(card_id)

    def read_on(self, kind: CardKind, seconds: float) -> int:
        """Read headers that were not read yet, for about so long. Answers how many are left."""
        self._shelf(kind)
        with self._reading:  # who comes second finds more of it done
            return len(self._read_more(kind, self._shelves[kind], seconds).unread)

    def forget(self) -> None:
        """Look at the folders again at the next question: something beside the files was changed."""
        with self._lock:
            self._shelves = MappingProxyType(
                {kind: replace(shelf, looked=-FRESH_SECONDS) for kind, shelf in self._shelves.items()}
            )

    def _shelf(self, kind: CardKind) -> _Shelf:
        files = listed(self.library, kind)
        now = time.monotonic()
        with self._lock:
            shelf = self._shelves.get(kind)
            if shelf is not None and shelf.files == files and now - shelf.looked < FRESH_SECONDS:
                return shelf
            known = dict(shelf.known) if shelf is not None else self._store.load(kind)
            made = self._looked_at(kind, files, known, shelf)
            self._shelves = MappingProxyType({**self._shelves, kind: made})
        if made.unread:
            with self._reading:
                made = self._read_more(kind, made, OPEN_SECONDS)
        return made

    def _looked_at(
        self, kind: CardKind, files: tuple[ModelFile, ...], known: dict[Path, Known], before: _Shelf | None
    ) -> _Shelf:
        """The cards as the folders are now."""
        there = folders_of(files)
        if before is not None and before.files == files and before.there == there:
            return replace(before, looked=time.monotonic())
        changed: dict[Path, Known] = {}
        for file in files:
            folder, now = there[file.path.parent], known.get(file.path, Known())
            version, beside = self._version(folder, file), version_of(folder, file.stem)
            if now.version not in ("", version):
                now = replace(now, version="")
            if now.beside_version != beside:
                changed[file.path] = now = replace(
                    now, beside_version=beside, beside=read_beside(file.path.parent, file.stem, folder)
                )
            known[file.path] = now
        gone = known.keys() - {file.path for file in files}
        self._store.save(kind, changed, gone)
        unread = tuple(file for file in files if not known[file.path].version)
        cards = cards_of(kind, files, known, there)
        return _Shelf(files, MappingProxyType(known), there, cards, _by_id(cards), unread, time.monotonic())

    def _read_more(self, kind: CardKind, shelf: _Shelf, seconds: float) -> _Shelf:
        """Read headers of a shelf for a while, without keeping others from asking meanwhile."""
        end = time.monotonic() + seconds
        read: dict[Path, Known] = {}
        for file in shelf.unread:
            if read and time.monotonic() > end:
                break
            version = self._version(shelf.there[file.path.parent], file)
            known = shelf.known.get(file.path, Known())
            read[file.path] = replace(known, version=version, header=header_facts(self.library, file))
        if not read:
            return shelf
        self._store.save(kind, read)
        with self._lock:
            now = self._shelves.get(kind, shelf)
            known_now = dict(now.known)
            for path, one in read.items():
                before = known_now.get(path, one)
                known_now[path] = replace(before, version=one.version, header=one.header)
            unread = tuple(file for file in now.files if not known_now[file.path].version)
            cards = cards_of(kind, now.files, known_now, now.there)
            made = replace(now, known=MappingProxyType(known_now), unread=unread, cards=cards, by_id=_by_id(cards))
            self._shelves = MappingProxyType({**self._shelves, kind: made})
            return made

    def _version(self, folder: Mapping[str, Found], file: ModelFile) -> str:
        """Changes when the file does, and when a pickle was converted."""
        found = folder.get(file.path.name, nothing_found())
        converted = ""
        if file.is_pickle:
            with suppress(UnusableFileError):
                converted = str(self.library.safetensors(file) != file.path)
        return f"{RULES} {found.size}:{found.modified}{converted}"


def _by_id(cards: tuple[IndexedCard, ...]) -> Mapping[str, IndexedCard]:
    return MappingProxyType({one.card.id: one for one in cards})


def _is_meant(one: IndexedCard, query: CardQuery, words: list[str]) -> bool:
    card = one.card
    inside = not query.folder or card.folder == query.folder or card.folder.startswith(f"{query.folder}/")
    fits = not query.base or card.base in ("", query.base)
    hidden = any(part.startswith(".") for part in card.folder.split("/")) and len(query.words) < HIDDEN_SEARCH
    return inside and fits and not hidden and all(word in one.text for word in words)


def _sort_key(one: IndexedCard, order: Order, uses: Uses) -> tuple[float, str, str]:
    number = {"created": one.created, "modified": one.modified, "size": float(one.size)}.get(order, 0.0)
    if order == "used":
        number = max((uses.get(name, 0.0) for name in one.names), default=0.0)
    text = one.card.name if order == "name" else one.card.file
    return number, text.casefold(), one.card.file


def _with_parents(folder: str) -> list[str]:
    """`a/b` -> `a`, `a/b`."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]
