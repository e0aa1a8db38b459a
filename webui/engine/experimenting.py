"""The kind of job that does an experiment: each of its requests becomes a job of the queue, one after another."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from webui.domain.errors import BackUnavailableError, BusyError, Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice, Progress
from webui.domain.saving import Saving
from webui.engine.generating import GenerationJob
from webui.experiments.course import Experiment, Made, Shown
from webui.jobs.job import Job, JobStatus
from webui.jobs.kind import FrontKind

LISTEN = 0.25  # seconds after which is looked whether the user wants to stop


@dataclass(frozen=True, slots=True)
class ExperimentWork:
    """An experiment, and how its requests are put into the queue (see `Engine.submit`)."""

    experiment: Experiment
    save: bool = False
    saving: Saving | None = None
    owner: str = ""
    task: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentProgress:
    """How far an experiment is.

    Attributes:
        done: how many of its `count` requests are done.
        cell: progress of the one in work; `job_id` is its job's.
    """

    done: int = 0
    count: int = 1
    cell: Progress = field(default_factory=Progress)
    job_id: str = ""

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
        self, request: GenerationRequest, *, save: bool, saving: Saving | None, owner: str, task: str
    ) -> GenerationJob: ...


class ExperimentKind(FrontKind[ExperimentWork, ExperimentProgress, Shown]):
    """A request that fails is told to the experiment, which leaves a gap or ends. A stop ends with what there is."""

    name = "experiment"
    kept = 20
    progress_type = ExperimentProgress
    result_type = Shown

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def title(self, work: ExperimentWork) -> str:
        return work.experiment.title

    def with_notices(self, result: Shown, notices: tuple[Notice, ...]) -> Shown:
        return replace(result, notices=notices)

    def images(self, result: Shown) -> tuple[GeneratedImage, ...]:
        return tuple(picture.image for picture in result.pictures)

    def do(self, work: ExperimentWork, report: Report) -> Shown:
        """Raises WebuiError where the experiment came to nothing."""
        course, done, made = work.experiment.course, 0, None
        while True:
            try:
                request = next(course) if made is None else course.send(made)
            except StopIteration as end:
                shown: Shown = end.value
                return shown
            if made is not None and made.stopped:
                course.close()
                raise Cancelled("stopped by the user")
            made = self.made(work, request, done, report)
            done += 1

    def made(self, work: ExperimentWork, request: GenerationRequest, done: int, report: Report) -> Made:
        """Put one request into the queue and follow it to its end; what became of it."""
        so_far = ExperimentProgress(done, work.experiment.count)
        try:
            job = self._queued(work, request, lambda: report(so_far))
        except Cancelled:
            return Made(error="not made: the user stopped before it", stopped=True)
        except WebuiError as error:
            return Made(error=str(error))
        stopped = False
        for now in job.watch(LISTEN):
            if now.is_stuck:
                self._refuse_to_wait(work, job, now)
            try:
                report(replace(so_far, cell=now.progress, job_id=job.id))
            except Cancelled:
                stopped = True
                job.cancel()
        try:
            return Made(job.result(), stopped=stopped)
        except WebuiError as error:
            return Made(error=str(error), stopped=stopped)

    def _queued(self, work: ExperimentWork, request: GenerationRequest, look: Callable[[], None]) -> GenerationJob:
        """The job of a request, once there is room for it in the queue. `look` raises Cancelled after a stop."""
        saves = work.save and work.experiment.saves_cells
        while True:
            look()
            try:
                return self._submit(request, save=saves, saving=work.saving, owner=work.owner, task=work.task)
            except BusyError:
                threading.Event().wait(LISTEN)

    def _refuse_to_wait(
        self, work: ExperimentWork, job: GenerationJob, now: JobStatus[Progress, GenerationResult]
    ) -> None:
        """A job that is held is given up, and leaves a gap. Where the queue is paused, only saved work waits."""
        if now.state == "held":
            job.cancel()
        elif not work.save:
            job.cancel()
            raise BackUnavailableError(now.reason)
