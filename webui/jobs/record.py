"""What is known of a job at any time, be it in memory or in the database alone. Plain data for the doors."""

from dataclasses import dataclass

from webui.domain.result import JobState, Notice
from webui.jobs.job import AnyJob
from webui.jobs.rows import StoredImage, StoredJob


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """A picture of a job.

    Attributes:
        index: its place in the job.
        path: of its file; "" where it was not to be saved.
        is_placed: False while it waits in the spool for room in its folder.
    """

    index: int
    path: str
    seed: int
    subseed: int
    infotext: str
    is_placed: bool = True


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it was known at one moment.

    Attributes:
        error: why it failed, was cancelled, is held or is not begun although it waits; "" otherwise.
        ended: seconds since the epoch; None before the end.
        seq: bookmark of the list of those that ended; 0 of one that has not.
    """

    id: str
    state: JobState
    created: float
    save: bool
    owner: str
    task: str
    priority: int
    error: str
    notices: tuple[Notice, ...]
    pictures: tuple[PictureRecord, ...]
    interrupted: bool = False
    ended: float | None = None
    seq: int = 0


def record_of_row(row: StoredJob, images: tuple[StoredImage, ...]) -> JobRecord:
    """Of a job that is in the database alone."""
    return JobRecord(
        row.id, row.state, row.created, row.save, row.owner, row.task, row.priority, row.error, row.notices,
        pictures_of_rows(images), row.interrupted, row.ended, row.seq,
    )  # fmt: skip


def record_of_job(job: AnyJob, images: tuple[StoredImage, ...]) -> JobRecord:
    """Of a job in memory; the database tells where its files are now."""
    now = job.status
    known = {one.index: one for one in pictures_of_rows(images)}
    for image in now.images:
        made = PictureRecord(image.index, image.path, image.request.seed, image.subseed, image.infotext)
        known.setdefault(image.index, made)
    return JobRecord(
        job.id, now.state, job.created, job.save, job.owner, job.task, job.priority, now.error_text, now.notices,
        tuple(known[index] for index in sorted(known)), now.interrupted,
    )  # fmt: skip


def pictures_of_rows(images: tuple[StoredImage, ...]) -> tuple[PictureRecord, ...]:
    """Those that are there."""
    return tuple(
        PictureRecord(one.position, one.path, one.seed, one.subseed, one.infotext, one.state != "spooled")
        for one in images
        if one.state != "claimed"
    )
