"""What was read of model files and of what lies beside them, kept in a file (SQLite) from one start to the next.

The file can be made anew from the model files at any time: losing it costs time and nothing else. So nothing here
raises; what goes wrong is in the log. One process at a time uses it.
"""

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
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
    header TEXT NOT NULL,
    beside_version TEXT NOT NULL,
    beside TEXT NOT NULL,
    PRIMARY KEY (kind, path)
) WITHOUT ROWID;
"""
SCRIPTS: Final = (_CARDS,)
_HEADER = TypeAdapter(HeaderFacts)
_BESIDE = TypeAdapter(Beside)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one file.

    Attributes:
        version: of the file whose header was read; "" where it was not read yet.
        beside_version: of the files beside it.
    """

    version: str = ""
    header: HeaderFacts = field(default_factory=HeaderFacts)
    beside_version: str = ""
    beside: Beside = field(default_factory=Beside)


class CardStore:
    """The file. Thread-safe, as each call opens it for itself."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, kind: str) -> dict[Path, Known]:
        """What is known of the files of a kind; nothing where the store is new, damaged or cannot be read."""
        try:
            with closing(self._opened()) as connection:
                rows = connection.execute(
                    "SELECT path, version, header, beside_version, beside FROM cards WHERE kind = ?", (kind,)
                ).fetchall()
        except (sqlite3.Error, OSError, WebuiError) as error:
            log.warning("%s cannot be read (%s); the model files are read again", self._path.name, error)
            return {}
        found = {}
        for path, version, header, beside_version, beside in map(tuple, rows):
            try:
                found[Path(path)] = Known(
                    version, _HEADER.validate_json(header), beside_version, _BESIDE.validate_json(beside)
                )
            except (ValidationError, TypeError):
                continue  # it is read again
        return found

    def save(self, kind: str, known: Mapping[Path, Known], gone: Iterable[Path] = ()) -> None:
        """Keep what was read, and forget files that are gone once there are many."""
        rows = [
            (
                kind, str(path), one.version, _HEADER.dump_json(one.header).decode(), one.beside_version,
                _BESIDE.dump_json(one.beside).decode(),
            )
            for path, one in known.items()
            if _is_text(str(path))
        ]  # fmt: skip
        left = [(kind, str(path)) for path in gone]
        if not rows and len(left) <= MOST_GONE:
            return
        try:
            with closing(self._opened()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                if len(left) > MOST_GONE:
                    connection.executemany("DELETE FROM cards WHERE kind = ? AND path = ?", left)
                connection.executemany("INSERT OR REPLACE INTO cards VALUES (?, ?, ?, ?, ?, ?)", rows)
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError, WebuiError) as error:
            log.warning(
                "%s cannot be written (%s); the model files are read again at the next start", self._path, error
            )

    def _opened(self) -> sqlite3.Connection:
        return open_database(self._path, SCRIPTS)[0]


def _is_text(path: str) -> bool:
    """Whether a path can be stored; names of other encodings hold lone surrogates."""
    return path.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in path)
