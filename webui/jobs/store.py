"""The jobs and images on disk (SQLite), so that a queue outlives a crash and a history is kept.

Order is that of `seq`, never of the clock.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.result import JobState
from webui.jobs.database import open_database

_SEEDS = 2**64  # seeds are below; SQLite's whole numbers are signed, so that the upper half is kept as negative ones


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A row of `jobs`.

    Attributes:
        kind: the name of its kind, which alone can read `work`.
        work: what is to be done, as its kind wrote it.
        attempts: how often it was begun.
    """

    id: str
    kind: str
    state: JobState
    created: float
    work: str
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
        self._lock = threading.RLock()
        with self._telling():
            self._connection, self.moved_aside = open_database(path)

    def add(self, job_id: str, kind: str, work: str, *, save: bool, created: float) -> None:
        """Append a queued job.

        Raises:
            BadRequestError: there was a job of that id before.
        """
        with self._writing() as connection:
            try:
                connection.execute(
                    "INSERT INTO jobs (id, kind, state, created, work, save) VALUES (?, ?, 'queued', ?, ?, ?)",
                    (job_id, kind, created, work, int(save)),
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
                (job_id, path, infotext, _signed(seed), time.time()),
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
        return tuple(StoredImage(**{**dict(row), "seed": row["seed"] % _SEEDS}) for row in rows)

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


def _signed(seed: int) -> int:
    return seed - _SEEDS if seed >= _SEEDS // 2 else seed


def _job(row: sqlite3.Row) -> StoredJob:
    return StoredJob(
        id=row["id"],
        kind=row["kind"],
        state=row["state"],
        created=row["created"],
        work=row["work"],
        save=bool(row["save"]),
        attempts=row["attempts"],
        error=row["error"],
    )
