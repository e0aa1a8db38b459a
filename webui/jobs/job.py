"""A job: one piece of long work of any kind, as the doors see it, and the ways to follow it and to wait for its end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol

from webui.domain.errors import Cancelled, WebuiError
from webui.domain.result import ENDED, GeneratedImage, JobState, Notice
from webui.domain.saving import Saving
from webui.jobs.kind import JobKind, ProgressT, ResultT, WorkT
from webui.jobs.watched import Watched


class JobControl(Protocol):
    """What a job asks of those who run it."""

    def cancel(self, job_id: str) -> None: ...
    def skip(self, job_id: str) -> None: ...
    def finish(self, job_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class JobStatus(Generic[ProgressT, ResultT]):
    """Where a job stands at one moment.

    Attributes:
        progress: the latest; its `preview` is set only where that very message brought one.
        position: how many jobs must end before its turn comes; 0 for one that runs, is next, or has ended.
        preview: JPEG of the latest estimate; None before the first and after the end.
        images: those made so far; after the end all, until room is needed for newer jobs.
        started: monotonic time; None while it waits.
        worked: monotonic time at which the work itself began, after the loading of models; None before.
        worked_from: share that was done at that time.
        ended_at: monotonic time; None before the end.
        result: None before the end, and where it did not end well or is no longer in memory.
        error: why there is no result although it has ended.
        reason: why it is held, or why it is not begun although its turn may have come; "" otherwise.
        interrupted: whether the user stopped it before all its pictures were made, and it has come to a result.
        forgotten: indices of pictures that are no longer in memory.
    """

    progress: ProgressT
    state: JobState = "queued"
    position: int = 0
    preview: bytes | None = None
    images: tuple[GeneratedImage, ...] = ()
    notices: tuple[Notice, ...] = ()
    started: float | None = None
    worked: float | None = None
    worked_from: float = 0.0
    ended_at: float | None = None
    result: ResultT | None = None
    error: Exception | None = None
    reason: str = ""
    interrupted: bool = False
    forgotten: tuple[int, ...] = ()

    @property
    def is_stuck(self) -> bool:
        """Whether it goes on only after somebody has done something."""
        return bool(self.reason) and not self.ended

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def error_text(self) -> str:
        """Why it failed, is held or waits, or that it was cancelled, in words; "" otherwise."""
        if self.error is None:
            return self.reason
        return str(self.error) if isinstance(self.error, WebuiError) else f"{type(self.error).__name__}: {self.error}"

    def eta(self) -> float | None:
        """Seconds until it is done, judged by the share done since work began; None where that is too little."""
        done = self.progress.fraction - self.worked_from
        if self.state != "running" or self.worked is None or done <= 0:
            return None
        return (time.monotonic() - self.worked) * (1 - self.progress.fraction) / done


class Job(Generic[WorkT, ProgressT, ResultT]):
    """Work on its way. Safe to use from any thread; the methods named `note_...` belong to the engine and its board.

    Attributes:
        id: unique among all jobs ever stored.
        kind: what differs between this job and those of other kinds.
        work: what is to be done.
        save: whether its images are written to files as soon as they are made.
        saving: how, where that is not as the program's settings say.
        created: seconds since the epoch.
        owner: who sent it, for fair turns; "" where nobody knows.
        task: the name that its client gave it.
        priority: those with more go first.
        rank: its place among those of the same priority, for the database.
        deaths: how many workers have ended during it since its last picture.
        breaks: how many times the whole program has.
        ready_at: monotonic time before which it is not tried again.
        stopping: whether the user wants it to end.
        finishing: whether the user wants it to end after the batch in work.
        part_of: the id of what it is a part of, and is shown as; "" where it stands for itself.
        skip_asked: how far it was when somebody last wanted the end of its batch.
    """

    def __init__(
        self,
        job_id: str,
        kind: JobKind[WorkT, ProgressT, ResultT],
        work: WorkT,
        control: JobControl,
        *,
        save: bool = False,
        saving: Saving | None = None,
        created: float | None = None,
        owner: str = "",
        task: str = "",
        priority: int = 0,
        part_of: str = "",
        forecast: "Callable[[AnyJob], float | None] | None" = None,
    ) -> None:
        """`forecast` tells the seconds until it is done; without it the job judges by itself alone."""
        self.id = job_id
        self.kind = kind
        self.work = work
        self.save = save
        self.saving = saving
        self.created = time.time() if created is None else created
        self.owner = owner
        self.task = task
        self.priority = priority
        self.part_of = part_of
        self.rank = 0
        self.deaths = self.breaks = 0
        self.ready_at = 0.0
        self.stopping = self.finishing = False
        self.skip_asked: ProgressT | None = None
        self._forecast = forecast
        self._control = control
        self._status: Watched[JobStatus[ProgressT, ResultT]] = Watched(JobStatus(kind.progress_type()))

    @property
    def status(self) -> JobStatus[ProgressT, ResultT]:
        """All below at one moment."""
        return self._status.value

    @property
    def state(self) -> JobState:
        return self.status.state

    @property
    def ended(self) -> bool:
        return self.status.ended

    @property
    def progress(self) -> ProgressT:
        return self.status.progress

    @property
    def preview(self) -> bytes | None:
        return self.status.preview

    @property
    def images(self) -> tuple[GeneratedImage, ...]:
        return self.status.images

    @property
    def notices(self) -> tuple[Notice, ...]:
        return self.status.notices

    @property
    def position(self) -> int:
        return self.status.position

    @property
    def error_text(self) -> str:
        return self.status.error_text

    def eta(self) -> float | None:
        """Seconds until it is done, what comes before it included; None where nothing can be said yet."""
        return self.status.eta() if self._forecast is None else self._forecast(self)

    @property
    def is_light(self) -> bool:
        """Whether it waits for no other job."""
        return self.kind.is_light(self.work)

    def cancel(self) -> None:
        """Take it out of the queue, or ask it to stop. Does nothing after its end. Returns at once."""
        if not self.ended:
            self._control.cancel(self.id)

    def skip(self) -> None:
        """End the batch in work and go on with the next. Does nothing unless it runs."""
        if self.state == "running":
            self.skip_asked = self.progress
            self._control.skip(self.id)

    def finish(self) -> None:
        """End after the batch in work, with what there is then. Does nothing unless it runs."""
        if self.state == "running":
            self.finishing = True
            self._control.finish(self.id)

    def on_change(self, tell: Callable[[], None]) -> None:
        """Have it called after each change of the status, in the thread of the change; it must return at once."""
        self._status.listen(tell)

    async def changes(self, *, every: float = 0.0) -> AsyncIterator[JobStatus[ProgressT, ResultT]]:
        """The present status, then each newer one; ends with the job, whose last status is always given.

        A reader that is slower than the job misses what came in between, never the newest.

        Args:
            every: seconds that lie at least between two of them; the end does not wait for that.
        """
        clock = asyncio.get_running_loop().time
        now = self.status
        while True:
            yield now
            if now.ended:
                return
            given = clock()
            now = await self._status.until(_other_than(now))
            if (rest := given + every - clock()) > 0 and not now.ended:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._status.until(_has_ended), rest)
                now = self.status

    def watch(self, timeout: float | None = None) -> Iterator[JobStatus[ProgressT, ResultT]]:
        """`changes` for a thread, which it blocks in between.

        Args:
            timeout: seconds after which the same status is given again, so that the caller gets a turn.
        """
        now = self.status
        while True:
            yield now
            if now.ended:
                return
            with suppress(TimeoutError):
                now = self._status.wait_for(_other_than(now), timeout)

    def wait_for(self, is_met: Callable[[JobStatus[ProgressT, ResultT]], bool], timeout: float | None = None) -> bool:
        """Block until its status meets a condition, or for `timeout` seconds; gives back whether it does."""
        try:
            self._status.wait_for(is_met, timeout)
        except TimeoutError:
            return False
        return True

    def result(self, timeout: float | None = None) -> ResultT:
        """Block until the end.

        Raises:
            TimeoutError: it has not ended within `timeout` seconds.
            Exception: what ended the job: a WebuiError (Cancelled among them), or a bug's RuntimeError.
        """
        if not self.wait_for(_has_ended, timeout):
            raise TimeoutError(f"job {self.id} has not ended within {timeout} s")
        return self._outcome()

    async def wait(self) -> ResultT:
        """Like `result`, but holds no thread. Giving up the wait does not cancel the job."""
        await self._status.until(_has_ended)
        return self._outcome()

    async def over(self) -> JobStatus[ProgressT, ResultT]:
        """The status with which it has ended, or will not go on before somebody does something; holds no thread."""
        return await self._status.until(lambda now: now.ended or now.is_stuck)

    def note_position(self, position: int) -> None:
        self._status.change(lambda now: now if now.position == position else replace(now, position=position))

    def note_started(self) -> None:
        def begun(now: JobStatus[ProgressT, ResultT]) -> JobStatus[ProgressT, ResultT]:
            if now.ended:
                return now
            return replace(now, state="running", position=0, started=time.monotonic(), reason="")

        self._status.change(begun)

    def note_queued(self, ready_at: float = 0.0) -> None:
        """It waits, again or after it was held; what it has made stays."""
        self.ready_at = ready_at
        self._status.change(lambda now: now if now.ended else self._waiting(now, "queued", ""))

    def note_held(self, reason: str) -> None:
        """It is not begun before somebody says so."""
        self._status.change(lambda now: now if now.ended else self._waiting(now, "held", reason))

    def note_reason(self, reason: str) -> None:
        """Why it is not begun although it waits; "": it will be."""
        self._status.change(
            lambda now: now if now.state != "queued" or now.reason == reason else replace(now, reason=reason)
        )

    def note_progress(self, progress: ProgressT, *, working: bool = True) -> None:
        """`working` is False where models are still being loaded."""

        def further(now: JobStatus[ProgressT, ResultT]) -> JobStatus[ProgressT, ResultT]:
            now = replace(now, progress=progress, preview=progress.preview or now.preview)
            if working and now.worked is None and now.started is not None:
                now = replace(now, worked=time.monotonic(), worked_from=progress.fraction)
            return now

        self._status.change(further)

    def note_image(self, image: GeneratedImage) -> None:
        """A picture is there; one that stood at its place goes."""

        def with_it(now: JobStatus[ProgressT, ResultT]) -> JobStatus[ProgressT, ResultT]:
            others = tuple(one for one in now.images if one.index != image.index)
            return replace(now, images=(*others, image))

        self._status.change(with_it)

    def note_notice(self, notice: Notice) -> None:
        self._status.change(lambda now: replace(now, notices=(*now.notices, notice)))

    def note_end(self, outcome: ResultT | Exception) -> None:
        """The notices noted so far join those of the result; a job that has ended stays as it is."""
        self._status.change(lambda now: now if now.ended else self._ended(now, outcome))

    def note_forgotten(self) -> None:
        """Let go of the pixels; `result` then raises and tells where the files are."""
        self._status.change(self._forgotten)

    def _waiting(
        self, now: JobStatus[ProgressT, ResultT], state: JobState, reason: str
    ) -> JobStatus[ProgressT, ResultT]:
        """Back in the queue as if it had not begun, but for what it has made."""
        return replace(
            now,
            progress=self.kind.progress_type(),
            state=state,
            preview=None,
            started=None,
            worked=None,
            worked_from=0.0,
            reason=reason,
        )

    def _ended(self, now: JobStatus[ProgressT, ResultT], outcome: ResultT | Exception) -> JobStatus[ProgressT, ResultT]:
        now = replace(now, position=0, preview=None, ended_at=time.monotonic(), reason="")
        if isinstance(outcome, Exception):
            return replace(now, state=state_after(outcome), error=outcome)
        notices = tuple(dict.fromkeys((*outcome.notices, *now.notices)))
        result = self.kind.with_notices(outcome, notices)
        images, stopped = self.kind.images(result), bool(getattr(outcome, "interrupted", False))
        return replace(now, state="done", result=result, images=images, notices=notices, interrupted=stopped)

    def _forgotten(self, now: JobStatus[ProgressT, ResultT]) -> JobStatus[ProgressT, ResultT]:
        now = replace(now, forgotten=tuple(image.index for image in now.images) or now.forgotten)
        if now.result is None:
            return replace(now, images=())
        files = ", ".join(image.path for image in now.images if image.path) or "no files; they were not saved"
        gone = WebuiError(f"the images of job {self.id} are no longer in memory; saved as: {files}")
        return replace(now, images=(), result=None, error=gone)

    def _outcome(self) -> ResultT:
        now = self.status
        if now.result is not None:
            return now.result
        if now.error is None:
            raise WebuiError("the job has not ended")
        raise now.error.with_traceback(None)  # or each caller would lengthen the one it shares with the others


AnyJob = Job[Any, Any, Any]


def state_after(error: Exception) -> JobState:
    """The state of a job that this error ended."""
    return "cancelled" if isinstance(error, Cancelled) else "failed"


def _other_than(shown: object) -> Callable[[object], bool]:
    return lambda status: status is not shown


def _has_ended(status: JobStatus[Any, Any]) -> bool:
    return status.ended
