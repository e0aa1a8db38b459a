"""The jobs in memory, of every kind: those that wait, those that run, and the last ones that ended."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from webui.domain.errors import BusyError
from webui.jobs.forecast import Forecast
from webui.jobs.job import AnyJob, Job
from webui.jobs.kind import JobKind, ProgressT, ResultT, WorkT
from webui.jobs.watched import Watched

KEPT_BYTES = 256 * 2**20  # of pixels, over all ended jobs


class JobBoard:
    """One line of jobs that have not ended, the first one first; light jobs stand beside it. Thread-safe.

    The line is ordered by priority. A new job comes to the end of its round: each owner has one place in each round, so
    that somebody who sends one job does not wait for all that another has sent. Later the line is moved by hand alone.

    Attributes:
        changes: a number that grows with each change of a job, of the line, and of what else is told of them.
    """

    def __init__(self, limit: int, *, capacity: Callable[[], int] = lambda: 1, kept_bytes: int = KEPT_BYTES) -> None:
        """
        Args:
            limit: how many may wait besides those in work; as many light jobs may be on their way at once.
            capacity: tells how many jobs are done at once, light ones apart.
        """
        self._limit = limit
        self._capacity = capacity
        self._kept_bytes = kept_bytes
        self._forecast = Forecast()
        self._lock = threading.RLock()
        self._jobs: dict[str, AnyJob] = {}
        self._line: list[AnyJob] = []
        self.changes: Watched[int] = Watched(0)

    def allow(self, limit: int) -> None:
        """Let so many wait from now on; those that wait already stay."""
        self._limit = limit

    def note_change(self) -> None:
        """Wake who follows the board."""
        self.changes.change(lambda number: number + 1)

    def add(self, job: AnyJob, *, at_end: bool = False) -> tuple[AnyJob, ...]:
        """Take a job in; gives back the others whose rank has changed by that.

        Args:
            at_end: put it behind all others, and whatever the limit says: an earlier run has accepted it, and they
                come in their order.

        Raises:
            BusyError: too many wait.
        """
        with self._lock:
            live = self._live(light=job.is_light)
            # of the others as many as are done at once are, or are about to be, in work
            waiting = len(live) if job.is_light else max(0, len(live) - self._capacity())
            if waiting >= self._limit and not at_end:
                raise BusyError(f"{waiting} jobs wait already; try again when some are done")
            self._jobs[job.id] = job
            changed: tuple[AnyJob, ...] = ()
            if not job.is_light:
                self._line.insert(len(self._line) if at_end else self._fair_place(job), job)
                changed = tuple(one for one in self._ranked() if one is not job)
            self._count()
        job.on_change(self.note_change)
        self.note_change()
        return changed

    def remove(self, job: AnyJob) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)
            if job in self._line:
                self._line.remove(job)
            self._count()
        self.note_change()

    def find(self, job_id: str) -> AnyJob | None:
        """The job of that id, whatever its kind."""
        with self._lock:
            return self._jobs.get(job_id)

    def of_task(self, task: str) -> AnyJob | None:
        """The latest job to which a client gave that name."""
        with self._lock:
            named = [job for job in self._jobs.values() if task and job.task == task]
        return named[-1] if named else None

    def get(self, job_id: str, kind: JobKind[WorkT, ProgressT, ResultT]) -> Job[WorkT, ProgressT, ResultT] | None:
        """The job of that id where it is of this kind."""
        job = self.find(job_id)
        return job if job is not None and job.kind is kind else None

    def running(self, kind: JobKind[WorkT, ProgressT, ResultT]) -> tuple[Job[WorkT, ProgressT, ResultT], ...]:
        """The jobs of this kind that run."""
        return self._of(kind, "running")

    def queued(self, kind: JobKind[WorkT, ProgressT, ResultT]) -> tuple[Job[WorkT, ProgressT, ResultT], ...]:
        """The jobs of this kind that wait, in order."""
        return self._of(kind, "queued")

    def line(self) -> tuple[AnyJob, ...]:
        """All that have not ended, of every kind but the light ones: those that run, wait or are held, in order."""
        with self._lock:
            return tuple(job for job in self._line if not job.ended)

    def beside(self) -> tuple[AnyJob, ...]:
        """The light jobs that are listed all the same and have not ended, in the order in which they came."""
        with self._lock:
            return tuple(job for job in self._jobs.values() if job.is_light and job.kind.listed and not job.ended)

    def ended(self, limit: int) -> tuple[AnyJob, ...]:
        """Those of every listed kind that stand for themselves, have ended and are remembered, the newest first."""
        with self._lock:
            known = [
                job for job in self._jobs.values()
                if job.ended and not job.part_of and (not job.is_light or job.kind.listed)
            ]  # fmt: skip
        return tuple(sorted(known, key=_ended_at, reverse=True)[:limit])

    def done(self, kind: JobKind[WorkT, ProgressT, ResultT]) -> tuple[Job[WorkT, ProgressT, ResultT], ...]:
        """Those of a kind that came to a result and are remembered, the newest first."""
        with self._lock:
            known = [job for job in self._jobs.values() if job.kind is kind and job.state == "done"]
        return tuple(sorted(known, key=_ended_at, reverse=True))

    def move(self, job: AnyJob, place: int) -> tuple[AnyJob, ...]:
        """Put a job at a place among those that do not run, counted from 0, as far as priorities allow.

        Returns:
            The jobs whose rank has changed.
        """
        with self._lock:
            if job not in self._line:
                return ()
            self._line.remove(job)
            others = [one for one in self._line if one.state != "running" and not one.ended]
            peers = [one for one in others if one.priority == job.priority]
            wanted = others[place : place + 1] if place >= 0 else others[:1]
            if wanted and wanted[0].priority == job.priority:
                at = self._line.index(wanted[0])
            elif peers and (not wanted or wanted[0].priority < job.priority):
                at = self._line.index(peers[-1]) + 1
            elif peers:
                at = self._line.index(peers[0])
            else:
                at = self._behind_priority(job.priority)
            self._line.insert(at, job)
            changed = self._ranked()
            self._count()
        self.note_change()
        return changed

    def prioritise(self, job: AnyJob, priority: int) -> tuple[AnyJob, ...]:
        """Give a job another priority, and its fair place there; gives back the jobs whose place has changed."""
        with self._lock:
            job.priority = priority
            if job not in self._line:
                return ()
            self._line.remove(job)
            self._line.insert(self._fair_place(job), job)
            changed = dict.fromkeys((job, *self._ranked()))
            self._count()
        self.note_change()
        return tuple(changed)

    def place(self, job: AnyJob) -> int | None:
        """Its place among those that do not run, counted from 0; None where it runs or has ended."""
        with self._lock:
            standing = [one for one in self._line if one.state != "running" and not one.ended]
            return standing.index(job) if job in standing else None

    def eta(self, job: AnyJob) -> float | None:
        """Seconds until a job is done, those before it counted in; None where nothing can be said."""
        if job.ended or job.state == "held":
            return None
        if job.is_light or job.state == "running":
            return self._forecast.of(job, (), 1)
        with self._lock:
            line = [one for one in self._line if not one.ended and one.state != "held"]
            before = line[: line.index(job)] if job in line else []
        return self._forecast.of(job, before, self._capacity())

    def settle(self) -> None:
        """After a job has ended: those behind it move up, and what is too old or too large is forgotten.

        Of each kind the oldest of the ended jobs go, and over all kinds the pixels of those that take too much memory
        together. The job that ended last keeps its pixels, however many they are.
        """
        with self._lock:
            self._learn()
            self._line = [job for job in self._line if not job.ended]
            self._count()
            ended = [job for job in self._jobs.values() if job.status.ended_at is not None]
            newest = sorted(ended, key=_ended_at, reverse=True)
            seen: Counter[str] = Counter()
            for job in newest:
                seen[job.kind.name] += 1
                if seen[job.kind.name] > job.kind.kept:
                    del self._jobs[job.id]
            kept = [job for job in newest if job.id in self._jobs]
        held = 0
        for age, job in enumerate(kept):
            held += _bytes(job)
            if age and held > self._kept_bytes:
                job.note_forgotten()
        self.note_change()

    def _learn(self) -> None:
        for job in self._line:
            if job.state == "done":
                self._forecast.learn(job)

    def _of(self, kind: JobKind[WorkT, ProgressT, ResultT], state: str) -> tuple[Job[WorkT, ProgressT, ResultT], ...]:
        with self._lock:
            known: Iterable[AnyJob] = (*self._line, *(job for job in self._jobs.values() if job.is_light))
            return tuple(job for job in known if job.kind is kind and job.state == state)

    def _live(self, *, light: bool) -> list[AnyJob]:
        """Those that have not ended and will go on by themselves."""
        known: Iterable[AnyJob] = (job for job in self._jobs.values() if job.is_light) if light else self._line
        return [job for job in known if not job.ended and job.state != "held"]

    def _fair_place(self, job: AnyJob) -> int:
        """Where a job belongs in the line: behind all of its priority that are in its owner's present round."""
        peers = [one for one in self._line if one.priority == job.priority and not one.ended and one is not job]
        rounds: Counter[str] = Counter()
        turn_of = {}
        for one in peers:
            turn_of[one] = rounds[one.owner]
            rounds[one.owner] += 1
        own = rounds[job.owner]
        earlier = [one for one in peers if turn_of[one] <= own]
        return self._line.index(earlier[-1]) + 1 if earlier else self._behind_priority(job.priority)

    def _behind_priority(self, priority: int) -> int:
        """The place behind all that run or have more priority."""
        places = [at for at, one in enumerate(self._line) if one.priority > priority or one.state == "running"]
        return places[-1] + 1 if places else 0

    def _ranked(self) -> tuple[AnyJob, ...]:
        """Give every job of the line a rank that fits its place; gives back those whose rank was another."""
        changed, last = [], None
        for job in self._line:
            if (last is not None and job.rank <= last) or job.rank <= 0:
                job.rank = 1 if last is None else last + 1
                changed.append(job)
            last = job.rank
        return tuple(changed)

    def _count(self) -> None:
        """Tell each waiting job how many must end before its turn. Only here the order of the queue is looked at."""
        others = self._capacity() - 1  # that may run beside it
        for place, job in enumerate(self._live(light=False)):
            if job.state == "queued":
                job.note_position(max(0, place - others))


def _ended_at(job: AnyJob) -> float:
    return job.status.ended_at or 0.0


def _bytes(job: AnyJob) -> int:
    """How much memory the pixels of an ended job take, with 3 bytes a pixel."""
    now = job.status
    pictures = [made.image for made in now.images] if now.result is None else job.kind.pictures(now.result)
    return sum(3 * picture.width * picture.height for picture in pictures)
