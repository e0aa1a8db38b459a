"""The devices of a pool: each is an executor that does one job at a time, with what the pool knows of it."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from webui.domain.errors import WebuiError
from webui.domain.extensions import ActionOutcome
from webui.domain.settings import BackSettings
from webui.executors.protocol import BackWork, Event, Executor, OnEvent
from webui.executors.worklist import LoadEntry
from webui.jobs.kind import JobProgress, JobResult

PROBE = "probe of lane"  # the id of that job begins so

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LanePlan:
    """How a lane is made.

    Attributes:
        name: of its device, for users.
        key: lanes of equal keys differ in the settings of their backs alone.
    """

    name: str
    key: object
    settings: BackSettings
    make: Callable[[BackSettings, OnEvent], Executor]


Crew = Callable[[BackSettings], Sequence[LanePlan]]  # raises BackUnavailableError where there is no device


@dataclass(frozen=True, slots=True)
class Probe(BackWork):
    """Does nothing, so that a lane tells whether it has a back, and why it has none."""

    @property
    def light(self) -> bool:
        return True

    def describe(self) -> str:
        return "looking whether it is there"

    def perform(self, back: object, report: Callable[[JobProgress], None], stopped: Callable[[], bool]) -> JobResult:
        return ActionOutcome()


@dataclass(frozen=True, slots=True)
class FromLane:
    """An executor has told something; `shift` counts how often the lanes were made anew."""

    shift: int
    lane: int
    event: Event


@dataclass(frozen=True, slots=True)
class LaneLoaded:
    """A lane has loaded a checkpoint, or has not because of an error."""

    lane: int
    load: "PooledLoad"
    error: Exception | None


@dataclass(slots=True)
class PooledLoad:
    """A wish to load a checkpoint, as some lanes carry it out."""

    entry: LoadEntry
    lanes: set[int] = field(default_factory=set)  # those that have not answered
    errors: list[Exception] = field(default_factory=list)
    done: int = 0


@dataclass(slots=True)
class Lane:
    """One device.

    Attributes:
        busy: the name of what it does; "" where it has nothing to do. Light jobs do not count.
        holds: the checkpoint that it used last.
        ready: whether its back was told of, and not its end.
        out: why nothing can be done on it; None where nobody knows of a reason.
    """

    number: int
    plan: LanePlan
    executor: Executor
    busy: str = ""
    holds: str = ""
    ready: bool = False
    probes: int = 0
    out: Exception | None = None

    def probe(self) -> None:
        """Have it told whether there is a back, by the end of a job that nobody else knows."""
        self.probes += 1
        self.executor.submit(f"{PROBE} {self.number} {self.probes}", Probe())

    def load(self, load: PooledLoad, tell: Callable[[LaneLoaded], None]) -> None:
        """Have a checkpoint loaded beside the caller."""
        self.busy = f"load {load.entry.checkpoint}"
        load.lanes.add(self.number)

        def do() -> None:
            error: Exception | None = None
            try:
                self.executor.load(load.entry.checkpoint)
            except Exception as fault:  # raised to the one who asked
                error = fault
            tell(LaneLoaded(self.number, load, error))

        threading.Thread(target=do, name=f"load on {self.plan.name}", daemon=True).start()


class Lanes:
    """All lanes of a pool. Belongs to the pool's thread, but for `__len__`."""

    def __init__(self, crew: Crew, settings: BackSettings, inbox: "queue.SimpleQueue[Any]") -> None:
        """Executors tell their events by putting `FromLane` into the inbox.

        Raises:
            BackUnavailableError: there is no device.
        """
        self._crew = crew
        self._inbox = inbox
        self._plans = tuple(crew(settings))
        self._shift = 0
        self._all: tuple[Lane, ...] = ()

    def __len__(self) -> int:
        return len(self._plans)

    def __getitem__(self, number: int) -> Lane:
        return self._all[number]

    def open(self) -> None:
        """Make the executors."""
        self._shift += 1
        self._all = tuple(
            Lane(number, plan, plan.make(plan.settings, self._teller(number)))
            for number, plan in enumerate(self._plans)
        )
        for lane in self._all:
            lane.probe()

    def are_of(self, told: FromLane) -> bool:
        """Whether an event is of the present executors."""
        return told.shift == self._shift

    def idle(self) -> list[Lane]:
        """Those that can be given something. One without a back is given nothing while others have theirs."""
        return [lane for lane in self.at_hand() if not lane.busy]

    def at_hand(self) -> list[Lane]:
        """Those whose back is there; where there is none, those that may get one."""
        usable = self.usable()
        return [lane for lane in usable if lane.ready] or usable

    def usable(self) -> list[Lane]:
        """Those that are not out."""
        return [lane for lane in self._all if lane.out is None]

    def hope_again(self) -> None:
        """Somebody asks for something: where every lane is out, each is worth another try."""
        if not self.usable():
            for lane in self._all:
                lane.out = None

    def renew(self, settings: BackSettings) -> None:
        """Go on with backs of other settings, and with other lanes where these name other devices.

        Raises:
            WebuiError: there is no such device; the lanes stay as they were.
        """
        plans = tuple(self._crew(settings))
        alike = [plan.key for plan in plans] == [plan.key for plan in self._plans]
        self._plans = plans
        if not alike:
            self.close()
            self.open()
            return
        for lane, plan in zip(self._all, plans, strict=True):
            lane.plan, lane.out, lane.holds, lane.ready = plan, None, "", False
            lane.executor.renew(plan.settings)
            lane.probe()

    def close(self) -> None:
        """End all executors, side by side."""
        threads = [threading.Thread(target=lane.executor.close) for lane in self._all]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def put_out(self, lane: Lane, error: Exception) -> None:
        """Nothing can be done on a lane."""
        lane.ready = False
        if lane.out is None:
            log.error("%s is left out: %s", lane.plan.name, error)
        lane.out = error if isinstance(error, WebuiError) else WebuiError(str(error))

    def _teller(self, number: int) -> OnEvent:
        shift = self._shift
        return lambda event: self._inbox.put(FromLane(shift, number, event))
