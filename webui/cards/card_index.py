"""The cards of a kind in memory, to be searched, sorted and handed out a piece at a time.

A look at each folder tells which files have changed. Headers, and what lies beside files, are slow to read where there
are thousands: what nobody has read yet is read a while at a time (`read_on`), and is kept from one start to the next.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from webui.cards.beside import NOTHING, Folder, Spot, folders_of, read_beside, spot_of, version_of
from webui.cards.card_store import FILE, CardStore, Known
from webui.cards.header_facts import header_facts
from webui.cards.indexed_card import CardEntry, IndexedCard, entries_of
from webui.domain.errors import UnusableFileError
from webui.library.cards import CardKind, id_of, listed
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary

Order = Literal["name", "path", "created", "modified", "size", "used"]
OPEN_SECONDS = 0.2  # for files that nobody has read yet, in a question
MANY = 300  # files that nobody has read yet, from which on a question does not wait for any of them
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
    total: how many were found.
    cards: the piece of them that was asked for.
    folders: every folder of the kind.
    bases: every word that tells for which checkpoints cards of the kind are.
    unread: how many files of the kind nobody has looked into yet.
    """

    total: int
    cards: tuple[IndexedCard, ...]
    folders: tuple[str, ...]
    bases: tuple[str, ...]
    unread: int = 0


@dataclass(frozen=True)
class _Shelf:
    """Attributes:
    listed: as the library lists them.
    known: by path, as it was read at some time.
    versions: by path, of the file and of what lies beside it, as they are now.
    there: what was seen in the folders, and `looked` when, by a clock that runs on.
    """

    listed: tuple[ModelFile, ...]
    files: tuple[tuple[ModelFile, Spot], ...]
    known: Mapping[str, Known]
    versions: Mapping[str, tuple[str, str]]
    there: Mapping[str, Folder]
    entries: tuple[CardEntry, ...]
    unread: tuple[tuple[ModelFile, Spot], ...]
    looked: float

    @cached_property
    def by_id(self) -> Mapping[str, CardEntry]:
        return MappingProxyType({id_of(one.file.name): one for one in self.entries})

    @cached_property
    def folders(self) -> tuple[str, ...]:
        places = {one.file.name.rpartition("/")[0] for one in self.entries}
        return tuple(sorted({part for place in places for part in _with_parents(place)}, key=str.casefold))


class CardIndex:
    """Cards by kind. They follow the library's list, and the files beside it within a few seconds. Thread-safe."""

    def __init__(self, library: ModelLibrary, last_used: Callable[[CardKind], Uses] = lambda kind: {}) -> None:
        """Args:
        last_used: when files were used last; asked where cards are sorted by that.
        """
        self.library = library
        self._last_used = last_used
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._shelves: Mapping[CardKind, _Shelf] = MappingProxyType({})

    def find(
        self, kind: CardKind, query: CardQuery = CardQuery(), offset: int = 0, limit: int | None = None
    ) -> FoundCards:
        """A piece of the cards of a kind that a query means, in its order; None: all from `offset` on."""
        shelf = self._shelf(kind)
        words = query.words.casefold().split()
        shown = [one for one in shelf.entries if _is_meant(one, query, words)]
        uses = self._last_used(kind) if query.order == "used" else {}
        shown.sort(key=lambda one: _sort_key(one, query.order, uses), reverse=query.descending)
        end = None if limit is None else offset + limit
        return FoundCards(
            len(shown),
            tuple(one.indexed for one in shown[offset:end]),
            shelf.folders,
            tuple(sorted({one.base for one in shelf.entries if one.base})),
            len(shelf.unread),
        )

    def get(self, kind: CardKind, card_id: str) -> IndexedCard | None:
        """The card of that id; None where there is none (any more)."""
        found = self._shelf(kind).by_id.get(card_id)
        return found.indexed if found is not None else None

    def of_file(self, kind: CardKind, name: str) -> IndexedCard | None:
        """The card of a file by its name in the list."""
        return self.get(kind, id_of(name))

    def read_on(self, kind: CardKind, seconds: float) -> int:
        """Read files that were not read yet, for about so long. Answers how many are left."""
        self._shelf(kind)
        with self._reading:  # who comes second finds more of it done
            return len(self._read_more(kind, self._shelves[kind], seconds).unread)

    def forget(self) -> None:
        """Look at the folders again at the next question: something beside the files was changed."""
        with self._lock:
            self._shelves = MappingProxyType(
                {kind: replace(shelf, looked=-FRESH_SECONDS) for kind, shelf in self._shelves.items()}
            )

    @property
    def _store(self) -> CardStore:
        return CardStore(self.library.cache_dir / FILE)

    def _shelf(self, kind: CardKind) -> _Shelf:
        files = listed(self.library, kind)
        now = time.monotonic()
        with self._lock:
            shelf = self._shelves.get(kind)
            if shelf is not None and shelf.listed == files and now - shelf.looked < FRESH_SECONDS:
                return shelf
            made = self._looked_at(kind, files, shelf)
            self._shelves = MappingProxyType({**self._shelves, kind: made})
        if made.unread and len(made.unread) < MANY:
            with self._reading:
                made = self._read_more(kind, made, OPEN_SECONDS)
        return made

    def _looked_at(self, kind: CardKind, now: tuple[ModelFile, ...], before: _Shelf | None) -> _Shelf:
        """The cards as the folders are now."""
        files = tuple((file, spot_of(file.path)) for file in now)
        there = folders_of(spot for _, spot in files)
        if before is not None and before.listed == now and before.there == there:
            return replace(before, looked=time.monotonic())
        known = dict(before.known) if before is not None else self._store.load(kind)
        versions = {}
        for file, spot in files:
            folder = there[spot.folder]
            versions[str(file.path)] = self._version(folder, file, spot), version_of(folder, spot.stem)
        self._store.save(kind, {}, known.keys() - versions.keys())
        known = {path: known.get(path, Known()) for path in versions}
        return _shelf_of(kind, now, files, known, versions, there)

    def _read_more(self, kind: CardKind, shelf: _Shelf, seconds: float) -> _Shelf:
        """Read files of a shelf for a while, without keeping others from asking meanwhile."""
        end = time.monotonic() + seconds
        read: dict[str, Known] = {}
        for file, spot in shelf.unread:
            if read and time.monotonic() > end:
                break
            path = str(file.path)
            one, (version, beside) = shelf.known[path], shelf.versions[path]
            if one.beside_version != beside:
                one = one.with_beside(beside, read_beside(spot, shelf.there[spot.folder]))
            if one.version != version:
                one = one.with_header(version, header_facts(self.library, file))
            read[path] = one
        if not read:
            return shelf
        with self._lock:
            now = self._shelves.get(kind, shelf)
            known = {path: read.get(path, one) for path, one in now.known.items()}
            made = _shelf_of(kind, now.listed, now.files, known, now.versions, now.there)
            made = replace(made, looked=now.looked)
            self._shelves = MappingProxyType({**self._shelves, kind: made})
        self._store.save(kind, read)
        return made

    def _version(self, folder: Folder, file: ModelFile, spot: Spot) -> str:
        """Changes when the file does, and when a pickle was converted."""
        found = folder.get(spot.name, NOTHING)
        converted = ""
        if file.is_pickle:
            with suppress(UnusableFileError):
                converted = str(self.library.safetensors(file) != file.path)
        return f"{RULES} {found.size}:{found.modified}{converted}"


def _shelf_of(
    kind: CardKind,
    now: tuple[ModelFile, ...],
    files: tuple[tuple[ModelFile, Spot], ...],
    known: Mapping[str, Known],
    versions: Mapping[str, tuple[str, str]],
    there: Mapping[str, Folder],
) -> _Shelf:
    read = {path: (one.version, one.beside_version) for path, one in known.items()}
    unread = tuple((file, spot) for file, spot in files if read[str(file.path)] != versions[str(file.path)])
    entries = entries_of(kind, files, known, there)
    return _Shelf(now, files, MappingProxyType(dict(known)), versions, there, entries, unread, time.monotonic())


def _is_meant(one: CardEntry, query: CardQuery, words: list[str]) -> bool:
    name = one.file.name
    inside = not query.folder or name.startswith(f"{query.folder}/")
    fits = not query.base or one.base in ("", query.base)
    hidden = (name.startswith(".") or "/." in name) and "/" in name and len(query.words) < HIDDEN_SEARCH
    return inside and fits and not hidden and (not words or all(word in one.indexed.text for word in words))


def _sort_key(one: CardEntry, order: Order, uses: Uses) -> tuple[float, str, str]:
    number = 0.0
    if order in ("created", "modified", "size"):
        number = float(getattr(one.found, order))
    elif order == "used":
        number = max((uses.get(name, 0.0) for name in one.names), default=0.0)
    text = one.name if order == "name" else one.file.name
    return number, text.casefold(), one.file.name


def _with_parents(folder: str) -> list[str]:
    """`a/b` -> `a`, `a/b`."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]
