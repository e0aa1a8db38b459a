"""How well a worker is: when it counts as hanging, and what follows from its end. The clock is handed in."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

HANG_AFTER = 120.0  # seconds of silence, or of a stop that is not obeyed, after which a worker counts as hanging
DEATHS = 3  # so many ends of a worker that had nothing in work
DEATHS_WITHIN = 600.0  # within so many seconds, with no job ended in between, and no other is started by itself

Clock = Callable[[], float]  # seconds that only grow


class HangWatch:
    """Knows when a worker has been silent too long, or has not obeyed a wish to stop a job."""

    def __init__(self, patience: float = HANG_AFTER, clock: Clock = time.monotonic) -> None:
        """`patience`: seconds of silence, and seconds after a wish to stop, that a healthy worker may take."""
        self.patience = patience
        self._clock = clock
        self._heard = clock()
        self._due: dict[str, float] = {}  # until when the jobs that were told to stop should have ended

    def restart(self) -> None:
        """Count anew: another worker was started, or the present one was just ended for what it did not do."""
        self._heard = self._clock()
        self._due = {}

    def heard(self) -> None:
        """The worker gave a sign of life."""
        self._heard = self._clock()

    def told_to_stop(self, job_id: str) -> None:
        """The worker was sent the wish to stop a job; further wishes give it no more time."""
        self._due.setdefault(job_id, self._clock() + self.patience)

    def ended(self, job_id: str) -> None:
        """The job has ended, so no stop of it is awaited any more."""
        self._due.pop(job_id, None)

    def remaining(self) -> float:
        """Seconds until the worker counts as hanging unless something is heard; 0 or less: it does."""
        return min([self._heard + self.patience, *self._due.values()]) - self._clock()

    def fault(self) -> str:
        """Why the worker counts as hanging, in words for `Gone.how`; "" while it does not."""
        if self.remaining() > 0:
            return ""
        silent = self._clock() >= self._heard + self.patience
        why = "gave no sign of life" if silent else "did not stop when it was told to"
        return f"it {why} for {self.patience:.0f} s and was ended"


@dataclass(frozen=True, slots=True)
class AfterDeath:
    """What follows from the end of a worker that nobody wanted. What it had in work fails in any case.

    Attributes:
        gives_up: whether no other is started, so that nothing can be done before somebody asks again.
        advice: what users are told about it, in words that stand after "; ".
    """

    gives_up: bool
    advice: str


class RestartPolicy:
    """Decides whether a worker may be started now. The one place that knows what deaths lead to."""

    def __init__(self, most: int = DEATHS, within: float = DEATHS_WITHIN, clock: Clock = time.monotonic) -> None:
        """`most` deaths in `within` seconds, with nothing done in between, and it waits until something is asked."""
        self._most = most
        self._within = within
        self._clock = clock
        self._deaths: deque[float] = deque()
        self._resting = False

    @property
    def may_start(self) -> bool:
        """Whether a worker may be started where there is none."""
        return not self._resting

    def asked(self) -> None:
        """A job, a load or other settings came: a worker is worth another try."""
        self._resting = False

    def unstartable(self) -> None:
        """The process could not be started, or the back in it could not be built: trying again by itself is no use."""
        self._resting = True

    def done(self) -> None:
        """A job or a load came to its end, so earlier deaths count no more."""
        self._deaths.clear()

    def died(self, *, working: bool = False) -> AfterDeath:
        """A worker ended by itself, or was ended because it hung.

        Args:
            working: it had something in work. That is then to blame, and whether it is tried again is not decided
                here; another worker is started for what comes after it.
        """
        if working:
            return AfterDeath(False, "another one has been started")
        now = self._clock()
        self._deaths.append(now)
        while now - self._deaths[0] > self._within:
            self._deaths.popleft()
        self._resting = len(self._deaths) >= self._most
        if not self._resting:
            return AfterDeath(False, "another one has been started")
        return AfterDeath(
            True,
            f"it has ended {len(self._deaths)} times in a short while without having anything to do, so it is not "
            "started again before somebody asks for it; see the log for the reason",
        )


def death_text(how: str, doing: str, advice: str) -> str:
    """What users read of a worker's end: how it ended (see `Gone.how`), while doing what, and what to do."""
    hint = " If nobody killed it, memory may have run out: ask for fewer or smaller images." * (how == "signal 9")
    return f"the worker process ended ({how}) while {doing}; {advice}.{hint}"
