"""What an executor tells of jobs, noted in the jobs themselves, on the board and in the database."""

import logging
from collections.abc import Callable

from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.engine.records import JobRecords
from webui.executors.protocol import Event, Failed, Finished, ImageMade, Progressed, Ready, Started
from webui.jobs.board import JobBoard
from webui.jobs.job import AnyJob

log = logging.getLogger(__name__)


class Hearing:
    """Deals with events of every kind of job in one way; what differs is asked of the job's kind."""

    def __init__(
        self, board: JobBoard, records: JobRecords, on_ready: Callable[[tuple[ExtensionInfo, ...]], None]
    ) -> None:
        """`on_ready` is told which extensions a new back has; it must not wait."""
        self._board = board
        self._records = records
        self._on_ready = on_ready

    def hear(self, event: Event) -> None:
        """Called by the executor, in its thread."""
        if isinstance(event, Ready):
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
                job.note_image(job.kind.keep_image(job, image))
            case Finished(_, outcome):
                self.finished(job, outcome)
            case Failed(_, error, traceback):
                self.fail(job, error, traceback)

    def started(self, job: AnyJob) -> None:
        """Its turn has come."""
        self._records.note_started(job)
        job.note_started()

    def progressed(self, job: AnyJob, progress: object) -> None:
        """It is so far; what its kind does not know is logged and not shown."""
        if isinstance(progress, job.kind.progress_type):
            job.note_progress(progress)
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
        try:
            result = job.kind.finish(job, outcome)
        except Exception as error:  # or the job would never end
            log.exception("what job %s (%s) made was not dealt with", job.id, job.kind.title(job.work))
            self._end(job, error)
        else:
            self._end(job, result)

    def _end(self, job: AnyJob, outcome: object) -> None:
        self._records.note_ended(job, outcome)  # first, because a notice of a failing database joins the result
        job.note_end(outcome)
        self._board.settle()
