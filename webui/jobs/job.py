"""A job as its owners see it: state, progress, result; safe to use from any thread and from asyncio."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from webui.domain.errors import Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, JobState, Notice, Progress

ENDED: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})


class Job:
    """One request on its way. The engine feeds it; everybody else reads.

    Attributes:
        save: whether its images go to the outputs folder.
        position: jobs before it in the queue; 0 for the one that runs.
    """

    def __init__(
        self,
        job_id: str,
        request: GenerationRequest,
        *,
        save: bool,
        cancel: Callable[["Job"], None],
        skip: Callable[["Job"], None],
    ) -> None:
        self.id = job_id
        self.request = request
        self.save = save
        self.created = time.monotonic()
        self.started: float | None = None
        self.position = 0
        self._cancel = cancel
        self._skip = skip
        self._changed = threading.Condition()
        self._state: JobState = "queued"
        self._progress = Progress(steps=request.steps, batches=request.n_iter)
        self._preview: bytes | None = None
        self._images: list[GeneratedImage] = []
        self._notices: list[Notice] = []
        self._result: GenerationResult | None = None
        self._error: Exception | None = None
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._version = 0

    @property
    def state(self) -> JobState:
        return self._state

    @property
    def progress(self) -> Progress:
        return self._progress

    @property
    def preview(self) -> bytes | None:
        """JPEG bytes of the latest preview of this job."""
        return self._preview

    @property
    def images(self) -> tuple[GeneratedImage, ...]:
        """What has been made so far."""
        return tuple(self._images)

    @property
    def error_text(self) -> str:
        """Why it failed; "" where it did not."""
        return str(self._error) if self._error is not None else ""

    def eta(self) -> float | None:
        """Seconds still needed, by the pace so far; None while nothing can be said."""
        share = self._progress.fraction
        if self.started is None or share <= 0 or self._state in ENDED:
            return None
        return (time.monotonic() - self.started) * (1 - share) / share

    def watch(self, timeout: float | None = None) -> Iterator[Progress]:
        """Yield the progress now and at each change, until the job ends; blocks in between.

        With a timeout (seconds) the progress is yielded again at least that often.
        """
        seen = -1
        while True:
            with self._changed:
                if self._version == seen and self._state not in ENDED:
                    self._changed.wait(timeout)
                seen, progress, ended = self._version, self._progress, self._state in ENDED
            yield progress
            if ended:
                return

    async def wait(self) -> GenerationResult:
        """The result, without holding a thread. Raises what the job failed with."""
        event = asyncio.Event()
        waiter = (asyncio.get_running_loop(), event)
        with self._changed:
            if self._state not in ENDED:
                self._waiters.append(waiter)
            else:
                event.set()
        try:
            await event.wait()
        finally:
            with self._changed, suppress(ValueError):
                self._waiters.remove(waiter)
        return self.result(0)

    def result(self, timeout: float | None = None) -> GenerationResult:
        """The result; blocks until it is there.

        Raises:
            TimeoutError: the job has not ended within `timeout` seconds.
            WebuiError: what it failed with; Cancelled where it was stopped before its first image.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._state in ENDED, timeout):
                raise TimeoutError(f"job {self.id} is still {self._state}")
            if self._error is not None:
                raise self._error
            if self._result is None:
                raise WebuiError(f"job {self.id}: its images are no longer kept in memory")
            return self._result

    def cancel(self) -> None:
        """Stop it within a step; images made before stay."""
        self._cancel(self)

    def skip(self) -> None:
        """End the batch in work and go on with the next."""
        self._skip(self)

    def start(self) -> None:
        """For the engine: it runs now."""
        with self._changed:
            self._state, self.started, self.position = "running", time.monotonic(), 0
            self._tell()

    def advance(self, progress: Progress) -> None:
        """For the engine: new progress."""
        with self._changed:
            self._preview = progress.preview or self._preview
            self._progress = progress
            self._tell()

    def add(self, image: GeneratedImage, notices: tuple[Notice, ...] = ()) -> None:
        """For the engine: an image was made."""
        with self._changed:
            self._images.append(image)
            self._notices += notices
            self._tell()

    def finish(self, result: GenerationResult) -> None:
        """For the engine: it ended well. The images are those added before, which know where they were saved."""
        with self._changed:
            images = tuple(self._images) or result.images
            self._result = replace(result, images=images, notices=(*result.notices, *self._notices))
            self._end("done")

    def fail(self, error: Exception) -> None:
        """For the engine: it ended without a result."""
        with self._changed:
            if self._state not in ENDED:
                self._error = error
                self._end("cancelled" if isinstance(error, Cancelled) else "failed")

    def forget_images(self) -> None:
        """For the engine: give the memory of an old job back."""
        with self._changed:
            self._images, self._result, self._preview = [], None, None

    def _end(self, state: JobState) -> None:
        self._state = state
        for loop, event in self._waiters:
            with suppress(RuntimeError):  # the loop of a waiter that is gone is closed
                loop.call_soon_threadsafe(event.set)
        self._waiters = []
        self._tell()

    def _tell(self) -> None:
        self._version += 1
        self._changed.notify_all()
