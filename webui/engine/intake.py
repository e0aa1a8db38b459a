"""Taking work on: an id, a place on the board and in the database, and on to those who do it, all in one order."""

import logging
import threading
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image
from pydantic import ValidationError

from webui.domain.errors import BadRequestError, BusyError, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.domain.saving import Saving
from webui.engine.dispatch import Dispatcher
from webui.engine.mishaps import after_break
from webui.engine.records import JobRecords
from webui.engine.runners import Runner
from webui.jobs.board import JobBoard
from webui.jobs.job import AnyJob, Job, JobControl
from webui.jobs.kind import FrontKind, JobKind, ProgressT, ResultT, WorkT
from webui.jobs.rows import StoredImage, StoredJob
from webui.jobs.store import JobStore

log = logging.getLogger(__name__)


class Intake:
    """The only one that makes jobs. Thread-safe."""

    def __init__(self, board: JobBoard, records: JobRecords, dispatcher: Dispatcher, front: Runner) -> None:
        self._board = board
        self._records = records
        self._dispatcher = dispatcher
        self._front = front
        self._lock = threading.RLock()  # board and database get jobs in one order
        self._closed = False

    def start(
        self,
        kind: JobKind[WorkT, ProgressT, ResultT],
        work: WorkT,
        *,
        save: bool = False,
        saving: Saving | None = None,
        job_id: str | None = None,
        owner: str = "",
        task: str = "",
        part_of: str = "",
    ) -> Job[WorkT, ProgressT, ResultT]:
        """Put work into the queue and return at once. The same id and work again give the same job.

        Args:
            owner: who sent it, for fair turns.
            task: a name that the client gives it; it may use it again.
            part_of: the id of what it is a part of.

        Raises:
            BusyError: too many jobs wait, or the program is stopping.
            BadRequestError: `job_id` is that of another job.
        """
        with self._lock:
            if self._closed:
                raise BusyError("the program is stopping; try again when it runs again")
            if job_id and self._board.find(job_id) is not None:
                known = self._board.get(job_id, kind)
                if known is None or not kind.is_same(work, known.work):
                    raise BadRequestError("job_id", f"{job_id!r} is the id of another job; choose another")
                return known
            in_front = isinstance(kind, FrontKind)
            control: JobControl = self._front if in_front else self._dispatcher
            job = Job(
                job_id or uuid.uuid4().hex, kind, kind.fixed(work), control,
                save=save, saving=saving, owner=owner, task=task, part_of=part_of,
                forecast=self._board.eta,
            )  # fmt: skip
            moved = self._board.add(job)
            try:
                self._records.add(job)
            except WebuiError:
                self._board.remove(job)
                raise
            if moved:
                self._records.arrange(moved)
        if in_front:
            self._front.submit(job)
        else:
            self._dispatcher.submit(job)
        return job

    def resume(
        self, store: JobStore, kinds: Iterable[JobKind[Any, Any, Any]], parts: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Queue again, in order, what an earlier run of the program left; jobs that were begun keep what they made.

        Args:
            parts: what jobs are part of, by their ids.
        """
        known = {kind.name: kind for kind in kinds if kind.stored}
        for row in store.unfinished():
            kind = known.get(row.kind)
            if not row.save and (kind is None or kind.waited_for):
                text = "the program was stopped; whoever waited for these unsaved images is gone"
                store.note_ended(row.id, "cancelled", text, notices=row.notices)
                continue
            if kind is None or (work := kind.read(row.work)) is None:
                store.note_ended(row.id, "failed", "the program was stopped; this version cannot read the job")
                continue
            self._take_up(row, kind, work, store, parts.get(row.id, ""))
        self._records.arrange(self._board.line())
        self._dispatcher.look()

    def _take_up(self, row: StoredJob, kind: JobKind[Any, Any, Any], work: Any, store: JobStore, part_of: str) -> None:
        rows = [one for one in store.images_of(row.id) if one.state in ("saved", "spooled")]
        fixed = _fixed(kind, work, rows)
        job: AnyJob = Job(
            row.id, kind, fixed, self._dispatcher, save=row.save, saving=_saving(row), created=row.created,
            owner=row.owner, task=row.task, priority=row.priority, part_of=part_of, forecast=self._board.eta,
        )  # fmt: skip
        job.deaths, job.breaks, job.rank = row.deaths, row.breaks, row.rank
        if fixed != work:
            self._records.note_work(job, fixed)
        for one in rows:
            if (image := picture_of(one, fixed)) is not None:
                job.note_image(image)
        self._board.add(job, at_end=True)
        if reason := _why_held(row, job):
            job.note_held(reason)
            self._records.note_held(job, reason)
        else:
            self._records.note_queued(job)

    def close(self) -> bool:
        """Take no more; False where it was closed before."""
        with self._lock:
            was_open, self._closed = not self._closed, True
        return was_open


def picture_of(row: StoredImage, request: GenerationRequest) -> GeneratedImage | None:
    """A picture that an earlier run has saved; None where its file cannot be read any more."""
    try:
        with Image.open(row.path) as opened:
            pixels = opened.convert("RGB") if opened.mode not in ("RGB", "RGBA", "L") else opened.copy()
    except (OSError, SyntaxError, ValueError) as error:
        log.warning("job %s: %s cannot be read and is made again: %s", row.job_id, row.path, error)
        return None
    one = request.with_(seed=row.seed, subseed=row.subseed) if request.task.kind != "upscale" else request
    if request.task.kind == "txt2img":
        one = one.with_(n_iter=1, batch_size=1)
    return GeneratedImage(pixels, one, row.infotext, row.position, row.subseed, str(Path(row.path)))


def _fixed(kind: JobKind[Any, Any, Any], work: Any, rows: list[StoredImage]) -> Any:
    """The work with nothing left to chance. Where an older version drew a seed, its pictures tell which."""
    if isinstance(work, GenerationRequest) and work.seed < 0 and rows:
        first = rows[0].seed - (0 if work.subseed_strength > 0 else rows[0].position)
        work = work.with_(seed=max(0, first))
    return kind.fixed(work)


def _why_held(row: StoredJob, job: AnyJob) -> str:
    """Why a job of an earlier run is not done now; "" where it is."""
    if row.state == "held":
        return row.error or "it was held"
    if row.state == "running" and (hold := after_break(job)) is not None:
        return hold.reason
    try:
        job.kind.check(job.work)
    except WebuiError as error:
        return str(error)
    return ""


def _saving(row: StoredJob) -> Saving | None:
    """How the files of a job are to be written; as is usual where this version of the program cannot read it."""
    try:
        return Saving.model_validate_json(row.saving) if row.saving else None
    except ValidationError:
        return None
