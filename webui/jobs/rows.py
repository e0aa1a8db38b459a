"""What the database gives back: a row of each table as plain data."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Literal

from webui.domain.result import JobState, Notice

ImageState = Literal["claimed", "saved", "spooled", "unsaved"]

_SEEDS = 2**64  # seeds are below


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A row of `jobs`.

    Attributes:
        kind: the name of its kind, which alone can read `work`.
        work: what is to be done, as its kind wrote it.
        attempts: how often it was begun.
        error: why it failed, was cancelled or is held.
        owner: who sent it, for fair turns; "" where nobody knows.
        task: the name that its client gave it.
        deaths: how many workers ended during it since its last picture.
        breaks: how often the whole program ended during it since its last picture.
        ended: seconds since the epoch; None before the end, and where an older version ended it.
        interrupted: whether the user stopped it before all its pictures were made.
        saving: how its files are written, as JSON; "" as is usual.
    """

    id: str
    kind: str
    state: JobState
    created: float
    work: str
    save: bool
    attempts: int
    error: str
    owner: str = ""
    task: str = ""
    priority: int = 0
    rank: int = 0
    deaths: int = 0
    breaks: int = 0
    ended: float | None = None
    notices: tuple[Notice, ...] = ()
    interrupted: bool = False
    saving: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A row of `images`; `seq` grows with each and serves as a bookmark.

    Attributes:
        path: where its file is; "" where it was not to be saved.
        position: its index in its job.
        state: "claimed" while its file gets its name, "spooled" while it waits for room in its folder.
        digest: SHA-256 of the file, in hex; "" where an older version wrote it.
    """

    seq: int
    job_id: str
    path: str
    infotext: str
    seed: int
    created: float
    position: int = 0
    subseed: int = 0
    state: ImageState = "saved"
    digest: str = ""


def job_of(row: sqlite3.Row) -> StoredJob:
    """A row of `jobs` as data."""
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118 (a Row iterates over its values)
    del values["listed"]
    values["save"], values["interrupted"] = bool(row["save"]), bool(row["interrupted"])
    values["notices"] = notices_of(row["notices"])
    return StoredJob(**values)


def image_of(row: sqlite3.Row) -> StoredImage:
    """A row of `images` as data."""
    return StoredImage(**{**dict(row), "seed": row["seed"] % _SEEDS, "subseed": row["subseed"] % _SEEDS})


def signed(seed: int) -> int:
    """A seed as SQLite keeps it, whose whole numbers have 63 bits and a sign; `image_of` gives it back."""
    return seed - _SEEDS if seed >= _SEEDS // 2 else seed


def notices_text(notices: tuple[Notice, ...]) -> str:
    """What the database keeps of notices."""
    return json.dumps([[notice.source, notice.text] for notice in notices], ensure_ascii=False)


def notices_of(text: str) -> tuple[Notice, ...]:
    """What `notices_text` wrote; nothing where it cannot be read."""
    try:
        return tuple(Notice(str(source), str(words)) for source, words in json.loads(text))
    except (ValueError, TypeError):
        return ()
