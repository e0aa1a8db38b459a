"""The jobs and images on disk (SQLite), so that a queue outlives a crash and a history is kept.

The order of what waits is that of `priority` and `rank`, of all else that of `seq`; never of the clock.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from webui.database.opening import open_database, telling
from webui.domain.errors import BadRequestError
from webui.domain.result import JobState, Notice
from webui.jobs.migrations import SCRIPTS
from webui.jobs.rows import ImageState, StoredImage, StoredJob, image_of, job_of, notices_text, signed

PAGE = 200  # rows that a list gives at most at once

__all__ = ["JobStore", "StoredImage", "StoredJob"]


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
        with telling(self.path):
            self._connection, self.moved_aside = open_database(path, SCRIPTS)

    def add(
        self,
        job_id: str,
        kind: str,
        work: str,
        *,
        save: bool,
        created: float,
        owner: str = "",
        task: str = "",
        priority: int = 0,
        rank: int = 0,
        saving: str = "",
    ) -> None:
        """Keep a job that waits.

        Raises:
            BadRequestError: there was a job of that id before.
        """
        with self._writing() as connection:
            try:
                connection.execute(
                    "INSERT INTO jobs (id, kind, state, created, work, save, owner, task, priority, rank, saving)"
                    " VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?)",
                    (job_id, kind, created, work, int(save), owner, task, priority, rank, saving),
                )
            except sqlite3.IntegrityError:
                raise BadRequestError("job_id", f"there was a job {job_id!r} before; choose another id") from None

    def note_started(self, job_id: str) -> None:
        """It runs now; counts the attempt."""
        self._change("UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE id = ?", job_id)

    def note_queued(self, job_id: str) -> None:
        """It waits again."""
        self._change("UPDATE jobs SET state = 'queued', error = '' WHERE id = ?", job_id)

    def note_held(self, job_id: str, reason: str) -> None:
        """It is not begun before somebody says so."""
        self._change("UPDATE jobs SET state = 'held', error = ? WHERE id = ?", reason, job_id)

    def note_ends(self, job_id: str, *, deaths: int, breaks: int) -> None:
        """How many workers, and how many programs, have ended during it since its last picture."""
        self._change("UPDATE jobs SET deaths = ?, breaks = ? WHERE id = ?", deaths, breaks, job_id)

    def note_work(self, job_id: str, work: str) -> None:
        """It is to do something else."""
        self._change("UPDATE jobs SET work = ? WHERE id = ?", work, job_id)

    def note_ended(
        self,
        job_id: str,
        state: JobState,
        error: str = "",
        *,
        notices: tuple[Notice, ...] = (),
        interrupted: bool = False,
    ) -> None:
        self._change(
            "UPDATE jobs SET state = ?, error = ?, notices = ?, interrupted = ?, ended = ? WHERE id = ?",
            state, error, notices_text(notices), int(interrupted), time.time(), job_id,
        )  # fmt: skip

    def arrange(self, places: Iterable[tuple[str, int, int]]) -> None:
        """Note the places of jobs in the queue: id, priority and rank of each; all of them or none."""
        with self._writing() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = [(priority, rank, job_id) for job_id, priority, rank in places]
            connection.executemany("UPDATE jobs SET priority = ?, rank = ? WHERE id = ?", rows)

    def hide(self, job_ids: Iterable[str]) -> None:
        """Leave jobs out of the list from now on. Their ids stay taken and their images stay in the history."""
        with self._writing() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("UPDATE jobs SET listed = 0 WHERE id = ?", [(job_id,) for job_id in job_ids])

    def hide_ended(self) -> None:
        """Leave all that have ended out of the list from now on."""
        self._change("UPDATE jobs SET listed = 0 WHERE state IN ('done', 'failed', 'cancelled')")

    def claim_image(
        self, job_id: str, path: str, infotext: str, seed: int, *, position: int, subseed: int, digest: str
    ) -> None:
        """A picture is about to be in this file. Whether it came to that is told by the file itself."""
        self._put_image(job_id, path, infotext, seed, position, subseed, "claimed", digest)

    def add_image(
        self,
        job_id: str,
        path: str,
        infotext: str,
        seed: int,
        *,
        position: int,
        subseed: int = 0,
        state: ImageState = "saved",
        digest: str = "",
    ) -> None:
        """Remember a picture of a job, whose ends so far count no more."""
        self._put_image(job_id, path, infotext, seed, position, subseed, state, digest)
        self._change("UPDATE jobs SET deaths = 0, breaks = 0 WHERE id = ?", job_id)

    def note_image(self, seq: int, state: ImageState, path: str) -> None:
        """A picture is elsewhere now, or it turned out that its file is whole."""
        self._change("UPDATE images SET state = ?, path = ? WHERE seq = ?", state, path, seq)

    def drop_image(self, seq: int) -> None:
        """A picture is not there."""
        self._change("DELETE FROM images WHERE seq = ?", seq)

    def unfinished(self) -> tuple[StoredJob, ...]:
        """Those that an earlier run of the program left, in the order of the queue."""
        rows = self._rows(
            "SELECT * FROM jobs WHERE state IN ('queued', 'running', 'held') ORDER BY priority DESC, rank, seq"
        )
        return tuple(job_of(row) for row in rows)

    def job(self, job_id: str) -> StoredJob | None:
        rows = self._rows("SELECT * FROM jobs WHERE id = ?", job_id)
        return job_of(rows[0]) if rows else None

    def job_of_task(self, task: str) -> StoredJob | None:
        """The latest job to which a client gave that name."""
        rows = self._rows("SELECT * FROM jobs WHERE task = ? AND task <> '' ORDER BY seq DESC LIMIT 1", task)
        return job_of(rows[0]) if rows else None

    def ended(self, kind: str, *, limit: int = 100, before: int | None = None) -> tuple[StoredJob, ...]:
        """Jobs of a kind that have ended, the newest first; `before` is the last `seq` of the page before this one."""
        rows = self._rows(
            "SELECT * FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND listed = 1 AND kind = ?"
            " AND (? IS NULL OR seq < ?) ORDER BY seq DESC LIMIT ?",
            kind, before, before, max(0, min(limit, PAGE)),
        )  # fmt: skip
        return tuple(job_of(row) for row in rows)

    def images(
        self, *, limit: int = 100, before: int | None = None, owner: str | None = None, unsaved: bool = False
    ) -> tuple[StoredImage, ...]:
        """Those in files, the newest first.

        Args:
            before: the `seq` at which the page before this one ended.
            owner: only those of this owner's jobs.
            unsaved: those too that were not to be saved.
        """
        rows = self._rows(
            "SELECT images.* FROM images JOIN jobs ON jobs.id = images.job_id"
            " WHERE (images.state IN ('saved', 'spooled') OR (? AND images.state = 'unsaved'))"
            " AND (? IS NULL OR images.seq < ?) AND (? IS NULL OR jobs.owner = ?) ORDER BY images.seq DESC LIMIT ?",
            unsaved, before, before, owner, owner, max(0, min(limit, PAGE)),
        )  # fmt: skip
        return tuple(image_of(row) for row in rows)

    def images_of(self, job_id: str) -> tuple[StoredImage, ...]:
        """The pictures of a job, in the order of their places in it."""
        rows = self._rows("SELECT * FROM images WHERE job_id = ? ORDER BY position, seq", job_id)
        return tuple(image_of(row) for row in rows)

    def claimed_images(self) -> tuple[StoredImage, ...]:
        """Those that an earlier run was just giving a file."""
        return tuple(image_of(row) for row in self._rows("SELECT * FROM images WHERE state = 'claimed' ORDER BY seq"))

    def origins(self) -> Iterator[tuple[str, str, int, str]]:
        """Path, job, place in it and owner of every picture in a file; the last wins where a path occurs again."""
        rows = self._rows(
            "SELECT i.path, i.job_id, i.position, j.owner FROM images AS i JOIN jobs AS j ON j.id = i.job_id"
            " WHERE i.state = 'saved' ORDER BY i.seq"
        )
        return ((row["path"], row["job_id"], row["position"], row["owner"]) for row in rows)

    def fact(self, name: str) -> str:
        """What was noted under a name; "" where nothing was."""
        rows = self._rows("SELECT value FROM facts WHERE name = ?", name)
        return str(rows[0]["value"]) if rows else ""

    def note_fact(self, name: str, value: str) -> None:
        """Note something about the queue as a whole."""
        self._change("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", name, value)

    def close(self) -> None:
        """Safe to call twice."""
        with self._lock:
            self._connection.close()

    def _put_image(
        self, job_id: str, path: str, infotext: str, seed: int, position: int, subseed: int, state: str, digest: str
    ) -> None:
        """The row of one picture; one that stood at its place goes."""
        with self._writing() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM images WHERE job_id = ? AND position = ?", (job_id, position))
            connection.execute(
                "INSERT INTO images (job_id, path, infotext, seed, created, position, subseed, state, digest)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (job_id, path, infotext, signed(seed), time.time(), position, signed(subseed), state, digest),
            )

    def _change(self, statement: str, *parameters: object) -> None:
        with self._writing() as connection:
            connection.execute(statement, parameters)

    def _rows(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        with self._lock, telling(self.path):
            return self._connection.execute(query, parameters).fetchall()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, telling(self.path):
            yield self._connection
