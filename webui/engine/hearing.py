"""What an executor tells of jobs, noted in the jobs themselves, on the board and in the database."""

import logging
import time
from collections.abc import Callable
from typing import Any

from webui.domain.errors import BackUnavailableError, Cancelled, WebuiError, WorkerDiedError
from webui.domain.extensions import ExtensionInfo
from webui.domain.recording import RecordedPart
from webui.domain.result import GeneratedImage, Notice
from webui.engine.dispatch import Dispatcher
from webui.engine.mishaps import Hold, after_death
from webui.engine.records import JobRecords
from webui.executors.protocol import Event, Failed, Finished, ImageMade, Progressed, Reached, Ready, Recorded, Started
from webui.jobs.board import JobBoard
from webui.jobs.job import AnyJob

log = logging.getLogger(__name__)


class Hearing:
    """Deals with events of every kind of job in one way; what differs is asked of the job's kind."""

    def __init__(
        self,
        board: JobBoard,
        records: JobRecords,
        dispatcher: Dispatcher,
        on_ready: Callable[[tuple[ExtensionInfo, ...]], None],
        on_end: Callable[[AnyJob], None] = lambda job: None,
        on_record: Callable[[str, RecordedPart], object] = lambda job_id, part: None,
    ) -> None:
        """Neither function may wait.

        Args:
            on_ready: is told which extensions a new back has.
            on_end: is told of each job that has ended.
            on_record: is given what extensions record of a job.
        """
        self._board = board
        self._records = records
        self._dispatcher = dispatcher
        self._on_ready = on_ready
        self._on_end = on_end
        self._on_record = on_record

    def hear(self, event: Event) -> None:
        """Called by the executor, in its thread."""
        if isinstance(event, Ready):
            self._dispatcher.back_is_there()
            self._on_ready(event.extensions)
            return
        job = self._board.find(event.job_id)
        if job is None or job.ended:
            log.debug("an event of job %s, which is not on its way: %s", event.job_id, type(event).__name__)
            return
        match event:
            case Started():
                self.started(job)
            case Progressed(_, progress):
                self.progressed(job, progress)
            case ImageMade(_, image):
                self._made(job, image)
            case Recorded(_, part):
                self._on_record(job.id, part)
            case Reached(_, options, place):
                self._reached(job, job.kind.reached(job.work, options, place))
            case Finished(_, outcome):
                self.finished(job, outcome)
            case Failed(_, error, traceback):
                self._failed(job, error, traceback)

    def started(self, job: AnyJob) -> None:
        """Its turn has come."""
        self._records.note_started(job)
        job.note_started()

    def progressed(self, job: AnyJob, progress: object) -> None:
        """It is so far; what its kind does not know is logged and not shown."""
        if isinstance(progress, job.kind.progress_type):
            job.note_progress(progress, working=job.kind.is_working(progress))
        else:
            name = type(progress).__name__
            log.error("progress of job %s (%s) is %s and cannot be shown", job.id, job.kind.name, name)

    def fail(self, job: AnyJob, error: Exception, traceback: str = "") -> None:
        """The job ends with an error; one that is no WebuiError is a fault of the program and goes to the log."""
        if not isinstance(error, WebuiError):
            log.error("job %s (%s) failed: %s\n%s", job.id, job.kind.title(job.work), error, traceback)
        self._end(job, error)

    def finished(self, job: AnyJob, outcome: object) -> None:
        """It has come to a result; where its kind cannot deal with that, it has failed."""
        if not isinstance(outcome, job.kind.result_type):
            self.fail(job, TypeError(f"a {job.kind.name} was answered with {type(outcome).__name__}"))
            return
        rest = job.kind.rest(job.work, outcome)
        if rest is not None and not job.stopping:
            self._go_behind(job, rest)
            return
        try:
            result = job.kind.finish(job, outcome)
        except Exception as error:  # or the job would never end
            log.exception("what job %s (%s) made was not dealt with", job.id, job.kind.title(job.work))
            self._end(job, error)
        else:
            self._end(job, result)

    def hold(self, job: AnyJob, reason: str) -> None:
        """The job is not begun before somebody says so; what it has made stays."""
        self._records.note_held(job, reason)
        job.note_held(reason)
        self._moved(job)

    def wait_again(self, job: AnyJob, after: float = 0.0) -> None:
        """The job waits again, and is not begun for so many seconds; what it has made stays."""
        self._records.note_queued(job)
        job.note_queued(time.monotonic() + after if after else 0.0)
        self._moved(job)

    def _go_behind(self, job: AnyJob, rest: Any) -> None:
        """The job gave way to others: what is left of it waits behind them."""
        self._records.note_rest(job, rest)
        self._records.note_queued(job)
        job.note_queued()
        self._records.arrange(self._board.move(job, len(self._board.line())))
        self._moved(job)

    def _made(self, job: AnyJob, image: GeneratedImage) -> None:
        """A picture is there, so whatever ended during the job before was not for want of one."""
        if any(image.index == known.index for known in job.images):
            log.error("image %d of job %s was made twice; the first is kept", image.index, job.id)
            return
        job.note_image(job.kind.keep_image(job, image))
        job.deaths = job.breaks = 0

    def _reached(self, job: AnyJob, rest: Any) -> None:
        """From now on the job goes on there. Where that is further than it was, what ended before counts no more."""
        if rest is None:
            log.error("job %s (%s) said how it goes on, which its kind does not know", job.id, job.kind.name)
        elif rest != job.work:
            job.deaths = job.breaks = 0
            self._records.note_rest(job, rest)

    def _failed(self, job: AnyJob, error: Exception, traceback: str) -> None:
        """An end that is not of the job's making is none: it goes on, is held, or waits with all others."""
        mishap = isinstance(error, WorkerDiedError | BackUnavailableError)
        if not mishap or not job.kind.is_repeatable(job.work):
            self.fail(job, error, traceback)
        elif job.stopping or job.finishing:
            self.fail(job, Cancelled(f"stopped by the user; {error}"))
        elif isinstance(error, BackUnavailableError):
            if traceback:
                log.error("there is no worker: %s\n%s", error, traceback)
            self._dispatcher.pause("back", f"{error}")
            self.wait_again(job)
        elif isinstance(error, WebuiError):
            after = after_death(job, error, made_before=self._dispatcher.made_before(job))
            if isinstance(after, Hold):
                self.hold(job, after.reason)
            else:
                job.note_notice(Notice("jobs", f"{error} The job went on at {job.kind.goes_on_at}."))
                self.wait_again(job, after.after)

    def _moved(self, job: AnyJob) -> None:
        self._board.settle()
        self._dispatcher.released(job)

    def _end(self, job: AnyJob, outcome: object) -> None:
        self._records.note_ended(job, outcome)  # first, because a notice of a failing database joins the result
        job.note_end(outcome)
        self._moved(job)
        self._on_end(job)
