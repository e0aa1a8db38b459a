"""Runs jobs in the caller's thread, for tests, scripts and debuggers. Other threads, and `on_event`, may stop them."""

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from webui.domain.errors import BackUnavailableError, Cancelled, WebuiError
from webui.domain.settings import BackSettings
from webui.executors.protocol import Event, Failed, Finished, OnEvent, Started, Work, is_light
from webui.executors.running import Back, Stop, StopKind, perform, ready

CLOSING = 10.0  # seconds that `close` waits at most for a job in another thread to stop

log = logging.getLogger(__name__)


class InlineExecutor:
    """Implements `Executor`; `submit` returns when the job has ended.

    While a call runs jobs, what other calls ask (from `on_event`, or from another thread) is done by that one in its
    turn, and they return at once; only `load` and `close` wait. Light actions run at once, where they are submitted.
    """

    def __init__(self, back: Back, on_event: OnEvent, *, rebuild: Callable[[BackSettings], Back] | None = None) -> None:
        """`rebuild` makes the back that `renew` asks for; without it `renew` does nothing, as the back is another's."""
        self._on_event = on_event
        self._telling = threading.RLock()  # held while an event is told, so that they come one at a time
        self._teller: int | None = None  # the thread that tells an event now
        self._running: tuple[str, ...] = ()  # changes only while an event is told
        self._rebuild = rebuild
        self._making = threading.RLock()  # held while a back is made, which a light action may need as well
        self._make: Callable[[], Back] = lambda: back  # gives the back that is wanted now
        self._back: Back | None = back
        self._changed = threading.Condition()  # guards what follows
        self._urgent: deque[Callable[[], None]] = deque()  # what is done before the next job: loads, and the end
        self._renewal: Callable[[], Back] | None = None  # makes the back that should take over when nothing is in work
        self._waiting: deque[tuple[str, Work]] = deque()
        self._stops: dict[str, Stop] = {}  # of every job that has not ended
        self._lights: set[str] = set()
        self._driven = False  # whether a call runs jobs
        self._closed = False
        self._tell(ready(back))

    @property
    def capacity(self) -> int:
        return 1

    def running(self) -> tuple[str, ...]:
        return self._running

    def submit(self, job_id: str, work: Work) -> None:
        light = is_light(work)
        with self._changed:
            self._refuse_if_closed()
            self._stops[job_id] = Stop()
            if light:
                self._lights.add(job_id)
            else:
                self._waiting.append((job_id, work))
        if light:
            self._run(job_id, work)
        self._drive()

    def cancel(self, job_id: str) -> None:
        with self._changed:
            waits = next((one for one in self._waiting if one[0] == job_id), None)
            if waits is not None:
                self._waiting.remove(waits)
                del self._stops[job_id]
        if waits is not None:
            self._tell(Failed(job_id, Cancelled("stopped by the user before its turn")))
        else:
            self._ask(job_id, "interrupt")

    def skip(self, job_id: str) -> None:
        if job_id in self._running:
            self._ask(job_id, "skip")

    def finish(self, job_id: str) -> None:
        if job_id in self._running:
            self._ask(job_id, "finish")

    def load(self, checkpoint: str) -> None:
        done: Future[None] = Future()

        def do() -> None:
            try:
                self._made().load(checkpoint)
            except Exception as error:  # raised to the one who asked
                done.set_exception(error)
            else:
                done.set_result(None)

        with self._changed:
            self._refuse_if_closed()
            self._urgent.append(do)
        self._drive()
        done.result()

    def renew(self, settings: BackSettings) -> None:
        with self._changed:
            if self._closed or self._rebuild is None:
                return
            self._renewal = partial(self._rebuild, settings)
        self._drive()

    def close(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._closed, self._renewal = True, None
            waiting = list(self._waiting)
            self._waiting.clear()
            for stop in self._stops.values():
                stop.ask("interrupt")
            self._urgent.append(self._close_back)
        for job_id, _ in waiting:
            self._tell(Failed(job_id, _stopped()))
        self._drive()
        if self._teller != threading.get_ident():  # from inside `on_event` waiting would be for itself
            with self._changed:
                self._changed.wait_for(lambda: not (self._driven or self._lights), CLOSING)

    def _drive(self) -> None:
        """Do what waits, unless another call does so already."""
        with self._changed:
            if self._driven:
                return
            self._driven = True
        try:
            while (task := self._next()) is not None:
                task()
        except BaseException:  # Ctrl+C in the job
            self._rest()
            raise

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            if self._urgent:
                return self._urgent.popleft()
            if self._renewal is not None and not self._lights:  # or the end of the light action comes here again
                old, self._back = self._back, None
                self._make, self._renewal = self._renewal, None
                return partial(self._change_back, old)
            if self._waiting and self._renewal is None:
                job_id, work = self._waiting.popleft()
                return partial(self._run, job_id, work)
            self._rest()  # here, under the lock: whoever asks from now on does it itself
            return None

    def _rest(self) -> None:
        with self._changed:
            self._driven = False
            self._changed.notify_all()

    def _run(self, job_id: str, work: Work) -> None:
        self._tell(Started(job_id))
        ended = self._ended(job_id, work, self._stops[job_id])
        with self._changed:
            del self._stops[job_id]
            self._lights.discard(job_id)
            self._changed.notify_all()
        self._tell(ended)

    def _ended(self, job_id: str, work: Work, stop: Stop) -> Finished | Failed:
        try:
            self._refuse_if_closed()
            back = self._made()
        except Exception as error:  # told as the end of the job
            return Failed(job_id, error, traceback.format_exc() if isinstance(error, BackUnavailableError) else "")
        ended = perform(back, job_id, work, stop, self._tell)
        return Failed(job_id, _stopped()) if self._closed else ended

    def _made(self) -> Back:
        """The back; made now where the last try failed. Raises BackUnavailableError where it cannot be made."""
        with self._making:
            if self._back is None:
                try:
                    self._back = self._make()
                except Exception as error:
                    text = str(error) if isinstance(error, WebuiError) else f"{type(error).__name__}: {error}"
                    raise BackUnavailableError(text) from error
                self._tell(ready(self._back))
            return self._back

    def _change_back(self, old: Back | None) -> None:
        if old is not None:
            old.close()
        try:
            self._made()
        except Exception:
            log.exception("the new back cannot be made; the next job tries again")

    def _close_back(self) -> None:
        back, self._back = self._back, None
        if back is not None:
            back.close()

    def _ask(self, job_id: str, kind: StopKind) -> None:
        with self._changed:
            if (stop := self._stops.get(job_id)) is not None:
                stop.ask(kind)

    def _tell(self, event: Event) -> None:
        """Hand an event on. A fault in the listener stops no job."""
        with self._telling:
            before, self._teller = self._teller, threading.get_ident()
            match event:
                case Started(job_id):
                    self._running = (*self._running, job_id)
                case Finished(job_id) | Failed(job_id):
                    self._running = tuple(one for one in self._running if one != job_id)
            try:
                self._on_event(event)
            except Exception:
                log.exception("an event was not dealt with: %s", type(event).__name__)
            finally:
                self._teller = before

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise WebuiError("the program is stopping")


def _stopped() -> WebuiError:
    return WebuiError("the program was stopped before this was done")
