"""Hears the events of an executor and waits for them."""

import threading
from collections.abc import Callable
from typing import TypeVar

from webui.executors.protocol import Event, Failed, Finished, ImageMade, Progressed

Kind = TypeVar("Kind", bound=Event)
PATIENCE = 60.0  # seconds; only a failing test waits so long


class Listener:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, kind: type[Kind], job_id: str, accept: Callable[[Kind], bool] = lambda event: True) -> Kind:
        def found() -> Kind | None:
            return next((e for e in self.events if isinstance(e, kind) and e.job_id == job_id and accept(e)), None)

        with self._changed:
            event = self._changed.wait_for(found, PATIENCE)
        assert event is not None, f"no {kind.__name__} of {job_id} in {self.events}"
        return event

    def end(self, job_id: str) -> Finished | Failed:
        return self.wait(Finished | Failed, job_id)  # type: ignore[arg-type]

    def of(self, kind: type[Kind], job_id: str) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind) and event.job_id == job_id]

    def pid(self, job_id: str) -> int:
        """Of the worker that made the first image."""
        return int(self.of(ImageMade, job_id)[0].image.infotext.removeprefix("pid "))

    def sampling(self, job_id: str) -> Progressed:
        return self.wait(Progressed, job_id, lambda event: event.progress.phase == "sampling")
