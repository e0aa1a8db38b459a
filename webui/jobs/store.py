"""The journal of jobs and images: one SQLite file. What was queued when the program was killed is found again."""

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, JobState

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    save INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    request TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '',
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS images (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    seed INTEGER NOT NULL,
    infotext TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS images_of_job ON images (job);
"""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A job that had not ended when the program did."""

    id: str
    request: GenerationRequest
    attempts: int
    save: bool


class JobStore:
    """Thread-safe. Each call is one transaction (write-ahead log, so that a kill loses nothing acknowledged)."""

    def __init__(self, path: Path) -> None:
        """Raises WebuiError: the file is no database, or was written by a newer program."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False, timeout=30.0)
            written = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if written > SCHEMA_VERSION:
                self._db.close()
                raise WebuiError(
                    f"{path.name} was written by a newer version of this program; update, or use another --data-dir"
                )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        except sqlite3.DatabaseError as error:
            raise WebuiError(
                f"{path} cannot be used as the job database ({error}); move it away and start again"
            ) from error

    def add(self, job_id: str, request: GenerationRequest, *, save: bool) -> None:
        """A job was queued."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO jobs (id, state, save, request) VALUES (?, 'queued', ?, ?)",
                (job_id, save, request.model_dump_json()),
            )

    def begin(self, job_id: str) -> None:
        """A job has been started once more."""
        with self._lock, self._db:
            self._db.execute("UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE id = ?", (job_id,))

    def end(self, job_id: str, state: JobState, error: str = "") -> None:
        """A job has ended."""
        with self._lock, self._db:
            self._db.execute("UPDATE jobs SET state = ?, error = ? WHERE id = ?", (state, error, job_id))

    def add_image(self, job_id: str, image: GeneratedImage) -> None:
        """An image was saved at `image.path`."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT INTO images (job, path, seed, infotext) VALUES (?, ?, ?, ?)",
                (job_id, image.path, image.request.seed, image.infotext),
            )

    def unfinished(self) -> list[Unfinished]:
        """Jobs that had not ended, in the order they were queued. One whose request is no longer valid is failed."""
        with self._lock:
            rows = self._db.execute(
                "SELECT id, request, attempts, save FROM jobs WHERE state IN ('queued', 'running') ORDER BY number"
            ).fetchall()
        found = []
        for job_id, request, attempts, save in rows:
            try:
                found.append(Unfinished(job_id, GenerationRequest.model_validate_json(request), attempts, bool(save)))
            except ValidationError:
                self.end(job_id, "failed", "its request is not valid in this version")
        return found

    def state(self, job_id: str) -> tuple[JobState, str] | None:
        """State and error text of any job there ever was; None where there is none of that id."""
        with self._lock:
            row = self._db.execute("SELECT state, error FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return None if row is None else (row[0], row[1])

    def close(self) -> None:
        with self._lock:
            self._db.close()
