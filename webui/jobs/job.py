"""One job as the doors see it: state, progress, images so far, and ways to wait for its end."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Protocol

from webui.domain.errors import Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, JobState, Notice, Progress

Outcome = GenerationResult | Exception


class JobControl(Protocol):
    """What a job asks of those who run it."""

    def cancel(self, job_id: str) -> None: ...
    def skip(self, job_id: str) -> None: ...
    def position(self, job_id: str) -> int: ...


class Job:
    """A request on its way. Safe to use from any thread; the methods named `note_...` are the engine's.

    Attributes:
        id: unique among all jobs ever stored.
        request: as it will be done, the checkpoint named.
        save: whether its images are written to files as soon as they are made.
        created: seconds since the epoch.
    """

    def __init__(
        self, job_id: str, request: GenerationRequest, control: JobControl, *, save: bool, created: float | None = None
    ) -> None:
        self.id = job_id
        self.request = request
        self.save = save
        self.created = time.time() if created is None else created
        self._control = control
        self._changed = threading.Condition()  # around all below
        self._changes = 0
        self._state: JobState = "queued"
        self._started: float | None = None
        self._ended_at: float | None = None
        self._progress = Progress()
        self._preview: bytes | None = None
        self._images: tuple[GeneratedImage, ...] = ()
        self._notices: tuple[Notice, ...] = ()
        self._outcome: Outcome | None = None
        self._waiters: list[asyncio.Future[Outcome]] = []

    @property
    def state(self) -> JobState:
        return self._state

    @property
    def ended(self) -> bool:
        return self._state in ("done", "failed", "cancelled")

    @property
    def progress(self) -> Progress:
        """The latest; its `preview` is set only where that very message brought one, see `preview`."""
        return self._progress

    @property
    def preview(self) -> bytes | None:
        """JPEG of the latest estimate; None before the first and after the end."""
        return self._preview

    @property
    def started(self) -> float | None:
        """Monotonic time; None while it waits."""
        return self._started

    @property
    def ended_at(self) -> float | None:
        """Monotonic time; None before the end."""
        return self._ended_at

    @property
    def images(self) -> tuple[GeneratedImage, ...]:
        """Those made so far; after the end all, until room is needed for newer jobs."""
        return self._images

    @property
    def notices(self) -> tuple[Notice, ...]:
        return self._notices

    @property
    def error_text(self) -> str:
        """Why it failed or that it was cancelled, in words; "" otherwise."""
        error = self._outcome
        if not isinstance(error, Exception):
            return ""
        return str(error) if isinstance(error, WebuiError) else f"{type(error).__name__}: {error}"

    @property
    def position(self) -> int:
        """How many jobs are before it; 0 for one that runs, is next, or has ended."""
        return self._control.position(self.id)

    def eta(self) -> float | None:
        """Seconds until it is done, judged by the share done so far; None where nothing can be said yet."""
        fraction, started = self._progress.fraction, self._started
        if self._state != "running" or started is None or fraction <= 0:
            return None
        return (time.monotonic() - started) * (1 - fraction) / fraction

    def cancel(self) -> None:
        """Take it out of the queue, or stop it within a step. Does nothing after its end. Returns at once."""
        if not self.ended:
            self._control.cancel(self.id)

    def skip(self) -> None:
        """End the batch in work and go on with the next. Does nothing unless it runs."""
        if self._state == "running":
            self._control.skip(self.id)

    def watch(self, timeout: float | None = None) -> Iterator[Progress]:
        """The present progress, then each newer one; ends with the job. Blocks in between.

        Args:
            timeout: seconds after which the same progress is given again, so that the caller gets a turn.
        """
        seen = -1
        while True:
            with self._changed:
                self._changed.wait_for(partial(self._newer_than, seen), timeout)
                seen, progress, ended = self._changes, self._progress, self.ended
            yield progress
            if ended:
                return

    def result(self, timeout: float | None = None) -> GenerationResult:
        """Block until the end.

        Raises:
            TimeoutError: it has not ended within `timeout` seconds.
            Exception: what ended the job: a WebuiError (Cancelled among them), or a bug's RuntimeError.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._outcome is not None, timeout):
                raise TimeoutError(f"job {self.id} has not ended within {timeout} s")
            return _unwrapped(self._outcome)

    async def wait(self) -> GenerationResult:
        """Like `result`, but holds no thread. Giving up the wait does not cancel the job."""
        with self._changed:
            if self._outcome is not None:
                return _unwrapped(self._outcome)
            waiter: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
        try:
            return _unwrapped(await waiter)
        finally:
            with self._changed, suppress(ValueError):  # taken out already where the job has ended
                self._waiters.remove(waiter)

    def note_started(self) -> None:
        with self._changed:
            self._state, self._started = "running", time.monotonic()
            self._notify()

    def note_progress(self, progress: Progress) -> None:
        with self._changed:
            self._progress = progress
            self._preview = progress.preview or self._preview
            self._notify()

    def note_image(self, image: GeneratedImage) -> None:
        with self._changed:
            self._images = (*self._images, image)
            self._notify()

    def note_notice(self, notice: Notice) -> None:
        with self._changed:
            self._notices = (*self._notices, notice)

    def note_end(self, outcome: Outcome) -> None:
        """The notices noted so far join those of the result; a job that has ended stays as it is."""
        with self._changed:
            if self.ended:
                return
            if isinstance(outcome, GenerationResult):
                notices = tuple(dict.fromkeys((*outcome.notices, *self._notices)))
                outcome = replace(outcome, notices=notices)
                self._notices, self._images = notices, outcome.images
                self._state = "done"
            else:
                self._state = "cancelled" if isinstance(outcome, Cancelled) else "failed"
            self._outcome, self._ended_at = outcome, time.monotonic()
            self._preview = None
            self._progress = replace(self._progress, preview=None)
            waiters, self._waiters = self._waiters, []
            self._notify()
        for waiter in waiters:
            with suppress(RuntimeError):  # that loop was closed, so nobody waits there any more
                waiter.get_loop().call_soon_threadsafe(_settle, waiter, outcome)

    def note_forgotten(self) -> None:
        """Let go of the pixels; `result` then raises and tells where the files are."""
        with self._changed:
            if isinstance(self._outcome, GenerationResult):
                files = ", ".join(image.path for image in self._images if image.path) or "no files; they were not saved"
                self._outcome = WebuiError(f"the images of job {self.id} are no longer in memory; saved as: {files}")
            self._images = ()

    def _newer_than(self, change: int) -> bool:
        return self._changes != change

    def _notify(self) -> None:
        self._changes += 1
        self._changed.notify_all()


def _settle(waiter: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not waiter.done():  # not given up meanwhile
        waiter.set_result(outcome)


def _unwrapped(outcome: Outcome | None) -> GenerationResult:
    if isinstance(outcome, GenerationResult):
        return outcome
    if outcome is None:
        raise WebuiError("the job has not ended")
    raise outcome.with_traceback(None)  # or each caller would lengthen the one it shares with the others
