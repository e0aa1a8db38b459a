"""Work that needs no models, done by the front itself: each job in a thread of its own."""

import threading
import traceback
from functools import partial
from typing import Any, cast

from webui.domain.errors import Cancelled, WebuiError
from webui.engine.hearing import Hearing
from webui.jobs.job import AnyJob
from webui.jobs.kind import FrontKind, JobProgress


class FrontRunner:
    """Does each job of a `FrontKind` in a thread of its own."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._stops: dict[str, threading.Event] = {}

    def submit(self, job: AnyJob) -> None:
        stop = self._stops[job.id] = threading.Event()
        threading.Thread(target=self._run, args=(job, stop), name=f"job {job.id}", daemon=True).start()

    def cancel(self, job_id: str) -> None:
        if (stop := self._stops.get(job_id)) is not None:
            stop.set()

    def skip(self, job_id: str) -> None:
        """Nothing: such work has no batches."""

    def finish(self, job_id: str) -> None:
        """Nothing, for the same reason."""

    def close(self) -> None:
        """Ask all to stop; nobody waits for them."""
        for stop in list(self._stops.values()):
            stop.set()

    def _run(self, job: AnyJob, stop: threading.Event) -> None:
        kind = cast("FrontKind[Any, Any, Any]", job.kind)
        try:
            self._hearing.started(job)
            result = kind.do(job.work, partial(self._report, job, stop))
        except Exception as error:
            self._hearing.fail(job, error, "" if isinstance(error, WebuiError) else traceback.format_exc())
        else:
            self._hearing.finished(job, result)
        finally:
            del self._stops[job.id]

    def _report(self, job: AnyJob, stop: threading.Event, progress: JobProgress) -> None:
        if stop.is_set():
            raise Cancelled("stopped by the user")
        self._hearing.progressed(job, progress)
