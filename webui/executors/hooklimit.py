"""When an extension's code has gone on for too long without progress. The clock is handed in."""

import time
from collections.abc import Iterable

from webui.executors.health import Clock
from webui.plugins.whereabouts import Whereabout

LONGEST_REST = 5.0  # seconds between two looks


class HookLimit:
    """Compares where a worker is with where it was: a mark whose pulse stands still for the deadline is stuck."""

    def __init__(self, deadline: float, clock: Clock = time.monotonic) -> None:
        """`deadline`: seconds without progress; 0: there is no limit."""
        self.deadline = deadline
        self._clock = clock
        self._since: dict[Whereabout, float] = {}

    def remaining(self) -> float:
        """Seconds until the next look is due, at most; a stuck hook is noticed so much later than its deadline."""
        return min(LONGEST_REST, self.deadline / 4) if self.deadline else float("inf")

    def stuck(self, places: Iterable[Whereabout]) -> Whereabout | None:
        """Look at where the threads of the worker are; the first that has been at one place for the deadline."""
        now = self._clock()
        self._since = {place: self._since.get(place, now) for place in places}
        if not self.deadline:
            return None
        return next((place for place, since in self._since.items() if now - since >= self.deadline), None)
