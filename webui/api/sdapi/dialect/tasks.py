"""The names that clients give their jobs (`force_task_id`). A client may use a name again; an id of a job is never."""

import threading
from collections import OrderedDict

from webui.engine.engine import Engine
from webui.engine.generating import GenerationJob

KEPT = 64


class Tasks:
    """The latest job of each of the names used last. Safe to use from any thread."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()
        self._without_previews: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, name: str, job_id: str) -> None:
        """From now on the name means this job."""
        with self._lock:
            self._ids[name] = job_id
            self._ids.move_to_end(name)
            while len(self._ids) > KEPT:
                self._ids.popitem(last=False)

    def hide_previews(self, job_id: str) -> None:
        """The job's client wants no pictures on the way."""
        with self._lock:
            self._without_previews[job_id] = None
            while len(self._without_previews) > KEPT:
                self._without_previews.popitem(last=False)

    def shows_previews(self, job_id: str) -> bool:
        """Whether pictures of the job may be shown on the way."""
        with self._lock:
            return job_id not in self._without_previews

    def find(self, engine: Engine, name: str) -> GenerationJob | None:
        """The job of that name or, where nobody gave it, of that id."""
        with self._lock:
            job_id = self._ids.get(name, name)
        return engine.job(job_id)

    def name_of(self, job_id: str) -> str:
        """The name that a client gave the job; its id where none did."""
        with self._lock:
            return next((name for name, known in reversed(self._ids.items()) if known == job_id), job_id)
