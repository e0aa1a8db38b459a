"""The jobs and images on disk (SQLite), so that a queue outlives a crash and a history is kept.

Order is that of `seq`, never of the clock.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import JobState

FORM = 1  # PRAGMA user_version of this schema
PATIENCE = 30.0  # seconds to wait for another program that has locked the file

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    created REAL NOT NULL,
    request TEXT NOT NULL,
    save INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX jobs_by_state ON jobs (state, seq);
CREATE TABLE images (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    path TEXT NOT NULL,
    infotext TEXT NOT NULL,
    seed INTEGER NOT NULL,
    created REAL NOT NULL
);
CREATE INDEX images_by_job ON images (job_id);
"""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A row of `jobs`.

    Attributes:
        request: None where the stored text is no request of this version.
        attempts: how often it was begun.
    """

    id: str
    state: JobState
    created: float
    request: GenerationRequest | None
    save: bool
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A row of `images`; `seq` grows with each and serves as a bookmark."""

    seq: int
    job_id: str
    path: str
    infotext: str
    seed: int
    created: float


class JobStore:
    """The database. Thread-safe; one process at a time may own it (the caller holds the data folder's lock).

    Every method raises WebuiError when the disk or the file fails.
    """

    def __init__(self, path: Path) -> None:
        """Open or create it. A damaged file is moved aside (`<name>.damaged-<time>`) and a new one begun.

        Raises:
            WebuiError: it cannot be opened, or a newer version of the program has written it.
        """
        self.path = path
        self.moved_aside: Path | None = None
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._telling():
            try:
                self._connection = _open(path)
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                self.moved_aside = _move_aside(path)
                log.warning("%s is damaged (%s); it was moved to %s", path, error, self.moved_aside.name)
                self._connection = _open(path)

    def add(self, job_id: str, request: GenerationRequest, *, save: bool, created: float) -> None:
        """Append a queued job.

        Raises:
            BadRequestError: there was a job of that id before.
        """
        with self._writing() as connection:
            try:
                connection.execute(
                    "INSERT INTO jobs (id, state, created, request, save) VALUES (?, 'queued', ?, ?, ?)",
                    (job_id, created, request.model_dump_json(), int(save)),
                )
            except sqlite3.IntegrityError:
                raise BadRequestError("job_id", f"there was a job {job_id!r} before; choose another id") from None

    def note_started(self, job_id: str) -> None:
        """It runs now; counts the attempt."""
        with self._writing() as connection:
            connection.execute("UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE id = ?", (job_id,))

    def note_queued(self, job_id: str) -> None:
        """It waits again."""
        with self._writing() as connection:
            connection.execute("UPDATE jobs SET state = 'queued' WHERE id = ?", (job_id,))

    def note_ended(self, job_id: str, state: JobState, error: str = "") -> None:
        with self._writing() as connection:
            connection.execute("UPDATE jobs SET state = ?, error = ? WHERE id = ?", (state, error, job_id))

    def add_image(self, job_id: str, path: str, infotext: str, seed: int) -> None:
        """Remember a file that is wholly on disk."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO images (job_id, path, infotext, seed, created) VALUES (?, ?, ?, ?, ?)",
                (job_id, path, infotext, seed, time.time()),
            )

    def unfinished(self) -> tuple[StoredJob, ...]:
        """Those that an earlier run of the program left queued or running, in the order they were sent."""
        rows = self._rows("SELECT * FROM jobs WHERE state IN ('queued', 'running') ORDER BY seq")
        return tuple(_job(row) for row in rows)

    def job(self, job_id: str) -> StoredJob | None:
        rows = self._rows("SELECT * FROM jobs WHERE id = ?", job_id)
        return _job(rows[0]) if rows else None

    def images(self, *, limit: int = 100, before: int | None = None) -> tuple[StoredImage, ...]:
        """The newest first; `before` is the `seq` at which the page before this one ended. At most 200."""
        rows = self._rows(
            "SELECT seq, job_id, path, infotext, seed, created FROM images WHERE ? IS NULL OR seq < ?"
            " ORDER BY seq DESC LIMIT ?",
            before,
            before,
            max(0, min(limit, 200)),
        )
        return tuple(StoredImage(**dict(row)) for row in rows)

    def close(self) -> None:
        """Safe to call twice."""
        with self._lock:
            self._connection.close()

    def _rows(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        with self._lock, self._telling():
            return self._connection.execute(query, parameters).fetchall()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._telling():
            yield self._connection

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """sqlite3's errors as ours: the library stays in this room."""
        try:
            yield
        except sqlite3.Error as error:
            raise WebuiError(f"database {self.path.name}: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    """A sound database of our form; single statements are transactions of their own."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = sqlite3.Row
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    if form > FORM:  # looked at before anything is written
        raise WebuiError(
            f"{path} was written by a newer version of this program (form {form}, known up to {FORM}); "
            "use that version, or move the file away"
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: sound after a crash or power cut
    connection.execute("PRAGMA foreign_keys = ON")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _DamagedError(verdict)
    if form < FORM:
        # one transaction: a kill in the middle leaves an empty file, which is begun anew
        connection.executescript(f"BEGIN IMMEDIATE;{SCHEMA}PRAGMA user_version = {FORM};COMMIT;")


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


def _job(row: sqlite3.Row) -> StoredJob:
    try:
        request = GenerationRequest.model_validate_json(row["request"])
    except ValidationError:
        request = None
    return StoredJob(
        id=row["id"],
        state=row["state"],
        created=row["created"],
        request=request,
        save=bool(row["save"]),
        attempts=row["attempts"],
        error=row["error"],
    )
