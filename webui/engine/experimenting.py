"""The kind of job that does an experiment: each of its requests becomes a job of the queue, one after another."""

import logging
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from webui.domain.errors import BackUnavailableError, BusyError, Cancelled, WebuiError
from webui.domain.images import MAX_PIXELS
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice, Progress
from webui.domain.saving import Saving
from webui.engine.cell_ledger import CellChange, CellLedger
from webui.engine.generating import GenerationJob
from webui.engine.sheets import WaysOfSaving
from webui.experiments.course import Course, Experiment, Made, Place, Shown
from webui.jobs.job import Job, JobStatus
from webui.jobs.kind import FrontKind
from webui.jobs.watched import Flag

LISTEN = 0.25  # seconds after which is looked whether the user wants to stop

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExperimentWork:
    """An experiment, and how its requests are put into the queue (see `Engine.submit`).

    Attributes:
        ways: how pictures become files, where `save` says that they do.
        plot: id of the stored plot; "" where it is not stored.
        answered: whether somebody waits for the pictures, so that they are all put together in memory.
        id: tells its jobs which experiment they are part of.
    """

    experiment: Experiment
    save: bool = False
    ways: WaysOfSaving = field(default_factory=WaysOfSaving)
    owner: str = ""
    task: str = ""
    plot: str = ""
    answered: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def course(self) -> Course:
        """The requests. Where many pictures come together and nobody waits for them, none of them is held."""
        plan = self.experiment.plan
        is_held = self.answered or not self.plot or plan is None or plan.pixels <= MAX_PIXELS
        return self.experiment.course if is_held or plan is None else plan.bare_course()


@dataclass(frozen=True, slots=True)
class ExperimentProgress:
    """How far an experiment is.

    Attributes:
        done: how many of its `count` requests are done.
        cell: progress of the one in work; `job_id` is its job's.
        changes: of its cells since the job began, the latest last.
        sheets: what was put together of them at the end, as job and index in the history of pictures.
    """

    done: int = 0
    count: int = 1
    cell: Progress = field(default_factory=Progress)
    job_id: str = ""
    changes: tuple[CellChange, ...] = ()
    sheets: tuple[tuple[str, int], ...] = ()

    @property
    def fraction(self) -> float:
        return min(1.0, (self.done + self.cell.fraction) / max(1, self.count))

    @property
    def preview(self) -> bytes | None:
        return self.cell.preview


ExperimentJob = Job[ExperimentWork, ExperimentProgress, Shown]
Report = Callable[[ExperimentProgress], None]


class Submit(Protocol):
    """Puts a request into the queue, as `Engine.submit` does."""

    def __call__(
        self,
        request: GenerationRequest,
        *,
        save: bool,
        saving: Saving | None,
        job_id: str,
        owner: str,
        task: str,
        part_of: str,
    ) -> GenerationJob: ...


class PlotBook(Protocol):
    """Where stored plots are kept; see `webui.engine.plots`."""

    @property
    def closing(self) -> Flag:
        """Set when the program ends; from then on a plot is left as it is, for the next run."""

    def ledger(self, work: ExperimentWork) -> CellLedger | None:
        """What is noted of the cells; None where the experiment is not stored."""

    def finished(self, work: ExperimentWork, shown: Shown) -> tuple[Shown, str]:
        """It has come to this; gives it back with the paths of its files, and the id under which these are listed."""

    def failed(self, work: ExperimentWork, error: Exception) -> None:
        """It came to nothing."""


class ExperimentKind(FrontKind[ExperimentWork, ExperimentProgress, Shown]):
    """A request that fails is told to the experiment, which leaves a gap or ends. A stop ends with what there is."""

    name = "experiment"
    kept = 20
    progress_type = ExperimentProgress
    result_type = Shown

    def __init__(self, submit: Submit, plots: PlotBook) -> None:
        self._submit = submit
        self._plots = plots

    def title(self, work: ExperimentWork) -> str:
        return work.experiment.title

    def with_notices(self, result: Shown, notices: tuple[Notice, ...]) -> Shown:
        return replace(result, notices=notices)

    def images(self, result: Shown) -> tuple[GeneratedImage, ...]:
        return tuple(picture.image for picture in result.pictures)

    def do(self, work: ExperimentWork, report: Report) -> Shown:
        """Raises WebuiError where the experiment came to nothing."""
        run = _Run(work, report, self._submit, self._plots)
        try:
            shown, listed = self._plots.finished(work, run.shown())
        except Exception as error:
            self._plots.failed(work, error)
            raise
        if listed:
            indices = [number for number, one in enumerate(shown.pictures) if one.role != "cell" and one.image.path]
            with suppress(Cancelled):  # it is done all the same
                report(replace(run.so_far, sheets=tuple((listed, index) for index in indices)))
        return shown


class _Run:
    """One experiment from its first request to its last."""

    def __init__(self, work: ExperimentWork, report: Report, submit: Submit, plots: PlotBook) -> None:
        self._work = work
        self._tell = report
        self._submit = submit
        self._plots = plots
        self._ledger = plots.ledger(work)
        self.so_far = ExperimentProgress(0, work.experiment.count)

    def shown(self) -> Shown:
        """Raises WebuiError where it came to nothing."""
        course, made, number = self._work.course(), None, 0
        while True:
            try:
                request = next(course) if made is None else course.send(made)
            except StopIteration as end:
                shown: Shown = end.value
                return shown
            if made is not None and made.stopped:
                course.close()
                raise Cancelled("stopped by the user")
            at = self._work.experiment.place(number)
            known = self._ledger.known(at, request) if self._ledger is not None else None
            made = Made(known) if known is not None else self._made(request, at)
            number += 1
            self.so_far = replace(self.so_far, done=number)
            with suppress(Cancelled):  # which is met again before the next request
                self._tell(self.so_far)

    def _made(self, request: GenerationRequest, at: Place) -> Made:
        try:
            self._tell(self.so_far)
        except Cancelled:
            self._leave_where_closing()
            return Made(error="not made: the user stopped before it", stopped=True)
        job_id = self._ledger.begin(at) if self._ledger is not None else uuid.uuid4().hex
        self._note(CellChange(at, "running", job_id))
        made = self._tried(request, job_id)
        self._leave_where_closing()
        if self._ledger is not None:
            self._note(self._ledger.end(at, job_id, made))
        else:
            self._note(_change(at, job_id, made))
        return made

    def _note(self, change: CellChange) -> None:
        self.so_far = replace(self.so_far, changes=(*self.so_far.changes, change))

    def _leave_where_closing(self) -> None:
        """A program that ends leaves a stored plot as it is; the next run goes on with it. Raises Cancelled."""
        if self._ledger is not None and self._plots.closing.is_set():
            raise Cancelled("the program was stopped before this was done")

    def _tried(self, request: GenerationRequest, job_id: str) -> Made:
        try:
            job = self._queued(request, job_id)
        except Cancelled:
            return Made(error="not made: the user stopped before it", stopped=True)
        except WebuiError as error:
            return Made(error=str(error))
        stopped = False
        for now in job.watch(LISTEN):
            if now.is_stuck:
                self._refuse_to_wait(job, now)
            try:
                self._tell(replace(self.so_far, cell=now.progress, job_id=job.id))
            except Cancelled:
                self._leave_where_closing()
                if not stopped:
                    job.cancel()
                stopped = True
        try:
            return Made(job.result(), stopped=stopped)
        except WebuiError as error:
            return Made(error=str(error), stopped=stopped)

    def _queued(self, request: GenerationRequest, job_id: str) -> GenerationJob:
        """The job of a request, once there is room for it in the queue. Raises Cancelled after a stop."""
        work = self._work
        saves = work.save and work.experiment.saves_cells
        while True:
            self._tell(self.so_far)
            try:
                return self._submit(
                    request, save=saves, saving=work.ways.cells, job_id=job_id, owner=work.owner, task=work.task,
                    part_of=work.id,
                )  # fmt: skip
            except BusyError:
                threading.Event().wait(LISTEN)

    def _refuse_to_wait(self, job: GenerationJob, now: JobStatus[Progress, GenerationResult]) -> None:
        """A job that is held is given up, and leaves a gap. Where the queue is paused, only saved work waits."""
        if now.state == "held":
            job.cancel()
        elif not self._work.save:
            job.cancel()
            raise BackUnavailableError(now.reason)


def _change(at: Place, job_id: str, made: Made) -> CellChange:
    """What became of a cell of an experiment that is not stored."""
    if made.images:
        first = made.images[0]
        return CellChange(at, "there", job_id, first.index, infotext=first.infotext)
    return CellChange(at, "empty" if made.stopped else "failed", job_id, error="" if made.stopped else made.error)
