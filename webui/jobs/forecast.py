"""How long jobs will take, judged by those that ended before. Loading and work are told apart, the queue counts."""

import threading
import time
from collections.abc import Callable, Sequence

from webui.jobs.job import AnyJob

WEIGHT = 0.4  # of the latest job against all before it


class Average:
    """A mean in which the latest values count most."""

    def __init__(self) -> None:
        self.value: float | None = None

    def add(self, value: float) -> None:
        self.value = value if self.value is None else WEIGHT * value + (1 - WEIGHT) * self.value


class Forecast:
    """Thread-safe. What it has learned is gone with the program."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._paces: dict[str, Average] = {}  # seconds for a unit of effort, by kind
        self._loads: dict[bool, Average] = {True: Average(), False: Average()}  # by whether the models were others
        self._models = ""  # of the last job that ended

    def learn(self, job: AnyJob) -> None:
        """A job has ended: how long its loading took, and its work."""
        now, models = job.status, job.kind.models(job.work)
        if now.started is None or now.worked is None or now.ended_at is None:
            return
        share = now.progress.fraction - now.worked_from
        effort = job.kind.effort(job.work) * share
        with self._lock:
            self._loads[models != self._models].add(now.worked - now.started)
            self._models = models
            if effort > 0:
                self._paces.setdefault(job.kind.name, Average()).add((now.ended_at - now.worked) / effort)

    def rest(self, job: AnyJob, models_before: str) -> float | None:
        """Seconds that one job still takes once it has its turn; None where nothing can be said yet.

        Args:
            models_before: of the job that has its turn before it.
        """
        now = job.status
        if (judged := now.eta()) is not None:
            return judged
        with self._lock:
            pace = self._paces.get(job.kind.name, Average()).value
            models = job.kind.models(job.work)
            loading = self._loads[models != models_before].value or 0.0
        if pace is None:
            return None
        missing = 1 - now.progress.fraction if now.worked is not None else _missing(job)
        work = pace * job.kind.effort(job.work) * missing
        if now.worked is not None:
            return work
        spent = self._clock() - now.started if now.started is not None else 0.0
        return max(0.0, loading - spent) + work

    def of(self, job: AnyJob, before: Sequence[AnyJob], at_once: int) -> float | None:
        """Seconds until a job is done, if those `before` it have their turns first, `at_once` of them at a time."""
        with self._lock:
            models = self._models
        total = 0.0
        for one in before:
            if (rest := self.rest(one, models)) is None:
                return None
            total += rest
            models = one.kind.models(one.work)
        own = self.rest(job, models)
        return None if own is None else total / max(1, at_once) + own


def _missing(job: AnyJob) -> float:
    """Share of the pictures that are not there yet."""
    made, wanted = len(job.images), getattr(job.work, "images", 0)
    return 1.0 - made / wanted if isinstance(wanted, int) and wanted > made else 1.0
