"""A thread of its own for pictures that come from the back: while one is encoded and written, the next is made."""

import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable

from webui.executors.protocol import Event, ImageMade, OnEvent, Progressed, Reached, Ready, Recorded, Started

MOST = 16  # pictures that wait to be written; then whoever makes them waits too, as memory is not endless

log = logging.getLogger(__name__)


class PictureThread:
    """Hands events on in the order in which they came for each job, those of pictures in a thread of its own.

    While a picture of a job waits there, the job's end waits behind it, so a job has not ended before its pictures are
    in their files. Progress, and all other jobs, wait for nothing.
    """

    def __init__(self, hear: OnEvent, given_back: Callable[[str], None]) -> None:
        """Args:
        hear: deals with an event; may take long for a picture.
        given_back: is told of a job that the back has ended while its pictures are still being written.
        """
        self._hear = hear
        self._given_back = given_back
        self._room = threading.Semaphore(MOST)
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._waiting: Counter[str] = Counter()  # events of each job that have not been dealt with
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def hear(self, event: Event) -> None:
        """Called by the executor, in its thread. Waits only where very many pictures are not written yet."""
        if isinstance(event, Ready | Started | Progressed | Recorded | Reached):
            self._hear(event)
            return
        is_picture = isinstance(event, ImageMade)
        if is_picture:
            self._room.acquire()
        with self._lock:
            goes_there = is_picture or bool(self._waiting[event.job_id])
            if goes_there:
                self._waiting[event.job_id] += 1
                self._inbox.put(event)
        if not goes_there:
            self._hear(event)
        elif not is_picture:
            self._given_back(event.job_id)

    def close(self) -> None:
        """Write what waits, then end; nothing may be told any more."""
        self._inbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (event := self._inbox.get()) is not None:
            try:
                self._hear(event)
            except Exception:  # a fault in one event must not end this thread, on which every later picture depends
                log.exception("an event was not dealt with: %s", type(event).__name__)
            if isinstance(event, ImageMade):
                self._room.release()
            if not isinstance(event, Ready):
                with self._lock:
                    self._waiting[event.job_id] -= 1
                    self._waiting += Counter()  # forgets jobs of which nothing waits
