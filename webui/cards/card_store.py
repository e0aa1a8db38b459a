"""What was read of model files and of what lies beside them, kept in a file (SQLite) from one start to the next.

The file can be made anew from the model files at any time: losing it costs time and nothing else. So nothing here
raises; what goes wrong is in the log. One process at a time uses it.
"""

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from webui.cards.beside import Beside
from webui.cards.header_facts import HeaderFacts
from webui.database.opening import open_database
from webui.domain.errors import WebuiError

FILE = "cards.sqlite3"  # in the cache folder
MOST_GONE = 2_000  # rows of files that are gone, which may come back with their drive
_CARDS = """
CREATE TABLE cards (
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    version TEXT NOT NULL,
    alias TEXT NOT NULL,
    base TEXT NOT NULL,
    header TEXT NOT NULL,
    beside_version TEXT NOT NULL,
    beside_base TEXT NOT NULL,
    beside TEXT NOT NULL,
    PRIMARY KEY (kind, path)
) WITHOUT ROWID;
"""
SCRIPTS: Final = (_CARDS,)
_COLUMNS = "version, alias, base, header, beside_version, beside_base, beside"
_HEADER = TypeAdapter(HeaderFacts)
_BESIDE = TypeAdapter(Beside)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one file. The facts are JSON until somebody wants to see them, since thousands are loaded.

    Attributes:
        version: of the file whose header was read; "" where it was not read yet.
        alias, base: those of its header.
        beside_version: of the files beside it.
        beside_base: the word that they say for its kind of checkpoint.
    """

    version: str = ""
    alias: str = ""
    base: str = ""
    header: str = ""
    beside_version: str = ""
    beside_base: str = ""
    beside: str = ""

    def with_header(self, version: str, facts: HeaderFacts) -> "Known":
        """After the header was read."""
        return replace(
            self, version=version, alias=facts.alias, base=facts.base, header=_HEADER.dump_json(facts).decode()
        )

    def with_beside(self, version: str, beside: Beside) -> "Known":
        """After the files beside it were read."""
        return replace(self, beside_version=version, beside_base=beside.base, beside=_BESIDE.dump_json(beside).decode())

    @property
    def header_facts(self) -> HeaderFacts:
        """Nothing where the header was not read yet, or where the row was damaged."""
        try:
            return _HEADER.validate_json(self.header) if self.header else HeaderFacts()
        except ValidationError:
            return HeaderFacts()

    @property
    def facts_beside(self) -> Beside:
        """Nothing where the row was damaged."""
        try:
            return _BESIDE.validate_json(self.beside) if self.beside else Beside()
        except ValidationError:
            return Beside()


class CardStore:
    """The file. Thread-safe, as each call opens it for itself."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, kind: str) -> dict[str, Known]:
        """What is known of the files of a kind, by path; nothing where the store is new, damaged or cannot be read."""
        try:
            with closing(self._opened()) as connection:
                connection.row_factory = None
                rows = connection.execute(f"SELECT path, {_COLUMNS} FROM cards WHERE kind = ?", (kind,)).fetchall()
        except (sqlite3.Error, OSError, WebuiError) as error:
            log.warning("%s cannot be read (%s); the model files are read again", self._path.name, error)
            return {}
        return {path: Known(*values) for path, *values in rows if all(type(one) is str for one in values)}

    def save(self, kind: str, known: Mapping[str, Known], gone: Iterable[str] = ()) -> None:
        """Keep what was read, and forget files that are gone once there are many."""
        rows = [
            (kind, path, one.version, one.alias, one.base, one.header, one.beside_version, one.beside_base, one.beside)
            for path, one in known.items()
            if _is_text(path, one.alias, one.base, one.beside_base)
        ]
        left = [(kind, path) for path in gone]
        if not rows and len(left) <= MOST_GONE:
            return
        try:
            with closing(self._opened()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                if len(left) > MOST_GONE:
                    connection.executemany("DELETE FROM cards WHERE kind = ? AND path = ?", left)
                connection.executemany(
                    f"INSERT OR REPLACE INTO cards (kind, path, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
                )
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError, WebuiError) as error:
            log.warning("%s cannot be written (%s); model files are read again at the next start", self._path, error)

    def _opened(self) -> sqlite3.Connection:
        return open_database(self._path, SCRIPTS)[0]


def _is_text(*texts: str) -> bool:
    """Whether texts can be stored; names of other encodings, and some JSON, hold lone surrogates."""
    return all(text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text) for text in texts)
