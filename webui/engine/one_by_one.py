"""Requests that are put into the queue one after another and followed to their ends: cells of experiments, pictures of
batches.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from webui.domain.errors import BackUnavailableError, BusyError, Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, Progress
from webui.domain.saving import Saving
from webui.engine.cell_ledger import CellChange
from webui.engine.generating import GenerationJob
from webui.experiments.course import Made
from webui.jobs.job import JobStatus

LISTEN = 0.25  # seconds after which is looked whether the user wants to stop
BEFORE = "not made: the user stopped before it"


@dataclass(frozen=True, slots=True)
class ExperimentProgress:
    """How far an experiment is, or a batch.

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


@dataclass(frozen=True, slots=True)
class Order:
    """How a request is put into the queue.

    Attributes:
        saves, saving, owner, task, part_of: as `Engine.submit` has them.
        waits: whether it waits for a queue that is paused.
        on_stop: called when the user wants to stop, before the job is; what it raises ends everything at once.
    """

    saves: bool
    saving: Saving | None
    owner: str
    task: str = ""
    part_of: str = ""
    waits: bool = False
    on_stop: Callable[[], None] = lambda: None


class OneByOne:
    """Makes one request after another. Thread-safe."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    def made(
        self, order: Order, request: GenerationRequest, job_id: str, so_far: ExperimentProgress, report: Report
    ) -> Made:
        """What became of a request.

        Args:
            job_id: the id that its job gets.
            so_far: what is done before it.
            report: told how it goes on; raises Cancelled where the user wants to stop.

        Raises:
            BackUnavailableError: the queue is paused, and the order does not wait.
        """
        try:
            job = self._queued(order, request, job_id, lambda: report(so_far))
        except Cancelled:
            return Made(error=BEFORE, stopped=True)
        except WebuiError as error:
            return Made(error=str(error))
        stopped = False
        for now in job.watch(LISTEN):
            if now.is_stuck:
                _refuse_to_wait(order, job, now)
            try:
                report(replace(so_far, cell=now.progress, job_id=job.id))
            except Cancelled:
                order.on_stop()
                if not stopped:
                    job.cancel()
                stopped = True
        try:
            return Made(job.result(), stopped=stopped)
        except WebuiError as error:
            return Made(error=str(error), stopped=stopped)

    def _queued(self, order: Order, request: GenerationRequest, job_id: str, look: Callable[[], None]) -> GenerationJob:
        """The job of a request, once there is room for it in the queue. `look` raises Cancelled after a stop."""
        while True:
            look()
            try:
                return self._submit(
                    request, save=order.saves, saving=order.saving, job_id=job_id, owner=order.owner, task=order.task,
                    part_of=order.part_of,
                )  # fmt: skip
            except BusyError:
                threading.Event().wait(LISTEN)


def _refuse_to_wait(order: Order, job: GenerationJob, now: JobStatus[Progress, GenerationResult]) -> None:
    """A job that is held is given up, and leaves a gap. Where the queue is paused, only what waits for it does."""
    if now.state == "held":
        job.cancel()
    elif not order.waits:
        job.cancel()
        raise BackUnavailableError(now.reason)
