"""Opening the database file (SQLite): sound, of the newest form, or moved aside where it is damaged."""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from webui.database.migrating import migrate, refuse_newer
from webui.database.schema_check import schema_fault
from webui.domain.errors import WebuiError

PATIENCE = 30.0  # seconds to wait for another program that has locked the file

log = logging.getLogger(__name__)


def open_database(path: Path, scripts: tuple[str, ...]) -> tuple[sqlite3.Connection, Path | None]:
    """Open or create it. A damaged file is moved aside (`<name>.damaged-<time>`) and a new one begun.

    Args:
        scripts: those that make its forms; see `migrating.py`.

    Returns:
        The connection, in which single statements are transactions of their own, and where a damaged file went.

    Raises:
        WebuiError: a newer version of the program has written it, or it cannot be brought to the newest form.
        sqlite3.Error: it cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(path, scripts), None
    except sqlite3.DatabaseError as error:
        if not (_damaged(error) or path.is_dir()):
            raise
        aside = _move_aside(path)
        log.warning("%s is damaged (%s); it was moved to %s", path, error, aside.name)
        return _open(path, scripts), aside


@contextlib.contextmanager
def telling(path: Path, what: str = "database") -> Iterator[None]:
    """Errors of sqlite3 as the program's own: the library stays in the rooms of databases.

    Args:
        what: how an error names the file.

    Raises:
        WebuiError: sqlite3 failed.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise WebuiError(f"{what} {path.name}: {error}") from error


def _open(path: Path, scripts: tuple[str, ...]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        _prepare(connection, path, scripts)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, scripts: tuple[str, ...]) -> None:
    refuse_newer(connection, path, scripts)  # before anything is written
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: sound after a crash or power cut
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _DamagedError(verdict)
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    if fault := schema_fault(connection, form, scripts):
        raise _DamagedError(fault)
    migrate(connection, path, scripts)
    connection.execute("PRAGMA foreign_keys = ON")


class _DamagedError(sqlite3.DatabaseError):
    """SQLite found the file's pages or indexes inconsistent."""


def _damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is broken; a locked file or a full disk must never be taken for that."""
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, _DamagedError) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _move_aside(path: Path) -> Path:
    """Rename the file and its companions; they stay together, so that they can be repaired by hand."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    return aside
