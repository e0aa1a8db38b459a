"""Who does the work of a job: the back, which has the models, or a thread of the front (`front_runner.py`)."""

from typing import Protocol, cast

from webui.executors.protocol import Executor, Work
from webui.jobs.job import AnyJob


class Runner(Protocol):
    """Takes jobs and does them, sooner or later."""

    def submit(self, job: AnyJob) -> None:
        """Returns at once, or when the job has ended."""

    def cancel(self, job_id: str) -> None: ...
    def skip(self, job_id: str) -> None: ...
    def finish(self, job_id: str) -> None: ...


class BackRunner:
    """Hands work to the executor, which tells of it through events."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, job: AnyJob) -> None:
        made = frozenset(image.index for image in job.images)
        self._executor.submit(job.id, cast("Work", job.kind.handed(job.work, made)))

    def cancel(self, job_id: str) -> None:
        self._executor.cancel(job_id)

    def skip(self, job_id: str) -> None:
        self._executor.skip(job_id)

    def finish(self, job_id: str) -> None:
        self._executor.finish(job_id)
