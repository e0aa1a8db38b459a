"""Jobs on several devices: each has an executor of its own (a lane), and free ones take batches of the jobs in work."""

import logging
import queue
from collections import deque
from functools import partial
from typing import assert_never

from webui.domain.errors import BackUnavailableError, Cancelled, WebuiError, WorkerDiedError
from webui.domain.result import GenerationResult, Progress
from webui.domain.settings import BackSettings
from webui.executors.birth import Births
from webui.executors.door import Asked, Closing, CommandDoor, Renewal, StopWish
from webui.executors.lanes import PROBE, Crew, FromLane, Lane, LaneLoaded, LanePlan, Lanes, PooledLoad
from webui.executors.local import LocalExecutor
from webui.executors.placement import places_of
from webui.executors.protocol import (
    Event,
    Failed,
    Finished,
    ImageMade,
    JobEvent,
    OnEvent,
    Progressed,
    Ready,
    Recorded,
    Settled,
    Started,
    Work,
)
from webui.executors.running import FACTORY, StopKind
from webui.executors.split_job import SplitJob, is_splittable
from webui.executors.whole_job import WholeJob
from webui.executors.worklist import JobEntry, LoadEntry

CLOSING = 15.0  # seconds that `close` waits at most

log = logging.getLogger(__name__)

PooledJob = SplitJob | WholeJob
Command = Asked | FromLane | LaneLoaded
Inbox = queue.SimpleQueue[Command]


class PoolExecutor(CommandDoor["PoolKeeper"]):
    """Implements `Executor` over several that do one job at a time. A generation is split by its batches."""

    def __init__(self, settings: BackSettings, on_event: OnEvent, crew: Crew) -> None:
        """
        Args:
            crew: says which lanes there are, given the settings.

        Raises:
            BackUnavailableError: there is none.
        """
        inbox: Inbox = queue.SimpleQueue()
        lanes = Lanes(crew, settings, inbox)
        super().__init__(PoolKeeper(lanes, on_event, inbox), inbox.put, name="pool", patience=CLOSING)
        self._lanes = lanes

    @property
    def capacity(self) -> int:
        return len(self._lanes)


def devices_here(
    settings: BackSettings, *, factory: str = FACTORY, births: Births | None = None
) -> tuple[LanePlan, ...]:
    """A lane for each device of this machine that the setting `device` names: a worker process that sees it alone.

    `factory` and `births` are those of `LocalExecutor`.
    """
    return tuple(
        LanePlan(
            place.name,
            (place.name, tuple(place.variables.items())),
            place.settings,
            partial(LocalExecutor, factory=factory, variables=place.variables, births=births),
        )
        for place in places_of(settings)
    )


class PoolKeeper:
    """Owns the lanes and the jobs; all of it but `running` belongs to the thread of `run`."""

    def __init__(self, lanes: Lanes, on_event: OnEvent, inbox: Inbox) -> None:
        self._lanes = lanes
        self._on_event = on_event
        self._inbox = inbox
        self._waiting: deque[JobEntry] = deque()
        self._jobs: dict[str, PooledJob] = {}  # those whose turn has come, and light ones
        self._owner: dict[str, PooledJob] = {}  # whose a piece of work is, by its name
        self._pieces = 0
        self._loads: deque[LoadEntry] = deque()
        self._loading = 0
        self._renewal: BackSettings | None = None
        self._told: Ready | None = None  # the latest
        self._running: tuple[str, ...] = ()

    @property
    def running(self) -> tuple[str, ...]:
        """See `Executor.running`. Other threads may read it."""
        return self._running

    def run(self) -> None:
        """Obey commands until `Closing`."""
        self._lanes.open()
        while not isinstance(command := self._inbox.get(), Closing):
            self._obey(command)
            self._advance()
        self._fail_all(WebuiError("the program was stopped before this was done"))
        self._lanes.close()

    def _obey(self, command: Command) -> None:
        match command:
            case JobEntry():
                self._lanes.hope_again()
                if command.is_light:
                    self._jobs[command.id] = WholeJob(command.id, command.work)
                else:
                    self._waiting.append(command)
            case LoadEntry():
                self._lanes.hope_again()
                self._loads.append(command)
            case StopWish(job_id, kind):
                self._stop(job_id, kind)
            case Renewal(settings):
                self._renewal = settings
            case FromLane():
                if self._lanes.are_of(command):
                    self._hear(self._lanes[command.lane], command.event)
            case LaneLoaded():
                self._loaded(command)
            case Closing():
                pass
            case _:
                assert_never(command)

    def _advance(self) -> None:
        """Do what can be done now."""
        if self._renewal is not None and not self._jobs and not self._loading:
            self._renew(self._renewal)
        while (light := self._unsent_light()) is not None:
            self._send_whole(light, self._lanes.at_hand()[0])
        if self._renewal is None:
            self._begin()
        while (turn := self._next_turn()) is not None:
            job, batch, lane = turn
            if isinstance(job, WholeJob):
                self._send_whole(job, lane)
            else:
                self._send_batch(job, batch, lane)

    def _unsent_light(self) -> WholeJob | None:
        """A light job that no lane has; where every lane is out, there is none, because all jobs have failed then."""
        jobs = (job for job in self._jobs.values() if isinstance(job, WholeJob))
        return next((job for job in jobs if job.is_light and job.is_unsent), None)

    def _begin(self) -> None:
        """Carry out loads, then give jobs their turn, as many as there are lanes."""
        while self._loads and self._heavy() < len(self._lanes) and (idle := self._lanes.idle()):
            load = PooledLoad(self._loads.popleft())
            self._loading += 1
            for lane in idle:
                lane.load(load, self._inbox.put)
        while self._waiting and not self._loads and self._heavy() < len(self._lanes):
            entry = self._waiting.popleft()
            job = SplitJob.of(entry.id, entry.work) if is_splittable(entry.work) else WholeJob(entry.id, entry.work)
            self._jobs[entry.id] = job
            self._emit(Started(entry.id))

    def _next_turn(self) -> tuple[PooledJob, int, Lane] | None:
        """The job that is served next, with the number of its batch, and the lane that does so.

        Jobs that have no lane come first; then a lane goes on with what it holds; then the older job counts.
        """
        idle, others = self._lanes.idle(), len(self._lanes.at_hand()) - 1
        turns = [
            ((job.has_lane, lane.holds != job.checkpoint, age, lane.number), (job, batch, lane))
            for age, job in enumerate(self._jobs.values())
            for lane in idle
            if not job.is_light and (batch := job.batch_for(lane.number, others)) is not None
        ]
        if not turns or (self._loads and self._heavy() < len(self._lanes)):  # a load that waits for a lane goes first
            return None
        return min(turns, key=lambda turn: turn[0])[1]

    def _send_batch(self, job: SplitJob, batch: int, lane: Lane) -> None:
        name = self._name(job)
        lane.busy, lane.holds = name, job.checkpoint
        self._give(lane, name, job.hand_out(name, batch, lane.number))

    def _send_whole(self, job: WholeJob, lane: Lane) -> None:
        name = self._name(job)
        job.sent(name, lane.number)
        if not job.is_light:
            lane.busy, lane.holds = name, job.checkpoint or lane.holds
        self._give(lane, name, job.work)
        if job.finishing:
            lane.executor.finish(name)

    def _name(self, job: PooledJob) -> str:
        self._pieces += 1
        name = f"{job.id}/{self._pieces}"
        self._owner[name] = job
        return name

    def _give(self, lane: Lane, name: str, work: Work) -> None:
        try:
            lane.executor.submit(name, work)
        except WebuiError as error:  # it was closed by somebody else
            self._hear(lane, Failed(name, BackUnavailableError(str(error))))

    def _stop(self, job_id: str, kind: StopKind) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            entry = next((one for one in self._waiting if one.id == job_id), None)
            if entry is not None and kind == "interrupt":
                self._waiting.remove(entry)
                self._emit(Failed(job_id, Cancelled("stopped by the user before its turn")))
        elif isinstance(job, WholeJob):
            self._stop_whole(job, kind)
        elif kind == "interrupt":
            job.stop()
            self._settle_end(job)
        elif kind == "finish":
            job.finish()
            self._settle_end(job)
        elif (name := job.skip()) is not None:
            self._lanes[job.in_work[name].lane].executor.skip(name)

    def _stop_whole(self, job: WholeJob, kind: StopKind) -> None:
        if job.is_unsent and kind == "interrupt":
            self._end(job, Failed(job.id, Cancelled("stopped by the user before it began")))
        elif job.is_unsent:
            job.finishing = job.finishing or kind == "finish"
        else:
            executor = self._lanes[job.lane].executor
            {"interrupt": executor.cancel, "skip": executor.skip, "finish": executor.finish}[kind](job.name)

    def _hear(self, lane: Lane, event: Event) -> None:
        if isinstance(event, Ready):
            lane.ready, lane.out = True, None
            if self._told is None or self._told.extensions != event.extensions:
                self._told = event
                self._emit(event)
            return
        name = event.job_id
        job = self._owner.get(name)
        if isinstance(event, Failed) and isinstance(event.error, WorkerDiedError):
            lane.ready = False
            if job is not None:  # one that died of a probe tells by itself when there is another
                lane.probe()
        if name.startswith(PROBE) and isinstance(event, Failed) and isinstance(event.error, BackUnavailableError):
            self._lanes.put_out(lane, event.error)
            if not self._lanes.usable():
                self._fail_all(event.error, event.traceback)
        if job is None:
            return
        if isinstance(event, Finished | Failed):
            del self._owner[name]
            if lane.busy == name:
                lane.busy = ""
        if isinstance(event, Failed) and isinstance(event.error, BackUnavailableError):
            self._unavailable(lane, job, name, event)
        elif isinstance(job, WholeJob):
            self._hear_whole(job, event)
        else:
            self._hear_batch(job, name, event, lane)

    def _hear_whole(self, job: WholeJob, event: JobEvent) -> None:
        if isinstance(event, Finished | Failed):
            self._end(job, job.own(event))
        elif not isinstance(event, Started) or job.is_light:
            self._emit(job.own(event))

    def _hear_batch(self, job: SplitJob, name: str, event: JobEvent, lane: Lane) -> None:
        match event:
            case Started():
                pass
            case Settled(_, plan):
                job.settle(name, plan)
            case Progressed(_, Progress() as progress):
                self._emit(Progressed(job.id, job.progressed(name, progress)))
            case ImageMade(_, image):
                if job.takes(image):
                    self._emit(ImageMade(job.id, image))
            case Recorded(_, part):
                self._emit(Recorded(job.id, part))
            case Finished(_, GenerationResult() as result):
                job.finished(name, result)
            case Failed(_, Cancelled() as error, _):
                job.cancelled(name, error)
            case Failed(_, WorkerDiedError() as error, _):
                job.was_lost(name, error, lane.plan.name)
            case Failed(_, error, traceback):
                job.failed(name, error, traceback)
            case other:
                job.failed(name, TypeError(f"a batch was answered with {other}"))
        self._settle_end(job)

    def _settle_end(self, job: SplitJob) -> None:
        """Tell the end of a job that is over, and have ended what is in work of one that is to end."""
        if job.is_over:
            self._end(job, job.end())
        elif job.is_ending:
            for name, piece in job.in_work.items():
                if not piece.told_to_stop:
                    piece.told_to_stop = True
                    self._lanes[piece.lane].executor.cancel(name)

    def _unavailable(self, lane: Lane, job: PooledJob, name: str, event: Failed) -> None:
        """A lane cannot do anything: another one does it, or nothing can be done at all."""
        self._lanes.put_out(lane, event.error)
        if isinstance(job, WholeJob):
            job.unsent()
        else:
            job.give_back(name)
            self._settle_end(job)
        if not self._lanes.usable():
            self._fail_all(event.error, event.traceback)

    def _fail_all(self, error: Exception, traceback: str = "") -> None:
        for job in list(self._jobs.values()):
            self._end(job, Failed(job.id, error, traceback))
        while self._waiting:
            self._emit(Failed(self._waiting.popleft().id, error, traceback))
        while self._loads:
            self._loads.popleft().end(error)

    def _loaded(self, told: LaneLoaded) -> None:
        lane, load = self._lanes[told.lane], told.load
        lane.busy = ""
        load.lanes.discard(told.lane)
        if told.error is None:
            lane.holds, load.done = load.entry.checkpoint, load.done + 1
        else:
            load.errors.append(told.error)
        if isinstance(told.error, BackUnavailableError):
            self._lanes.put_out(lane, told.error)
        if load.lanes:
            return
        self._loading -= 1
        real = [error for error in load.errors if not (load.done and isinstance(error, BackUnavailableError))]
        load.entry.end(real[0] if real else None)
        if not self._lanes.usable():
            self._fail_all(load.errors[0])

    def _renew(self, settings: BackSettings) -> None:
        self._renewal = None
        try:
            self._lanes.renew(settings)
        except WebuiError:
            log.exception("the devices stay as they were")

    def _heavy(self) -> int:
        return sum(not job.is_light for job in self._jobs.values())

    def _end(self, job: PooledJob, event: JobEvent) -> None:
        if self._jobs.pop(job.id, None) is not None:
            self._emit(event)

    def _emit(self, event: Event) -> None:
        """Hand an event on. A fault in the listener must not end this thread, on which every later job depends."""
        match event:
            case Started(job_id):
                self._running = (*self._running, job_id)
            case Finished(job_id) | Failed(job_id):
                self._running = tuple(one for one in self._running if one != job_id)
        try:
            self._on_event(event)
        except Exception:
            log.exception("an event was not dealt with: %s", type(event).__name__)
