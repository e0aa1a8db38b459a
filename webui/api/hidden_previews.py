"""The jobs whose clients want no pictures on the way (A1111's setting `live_previews_enable`)."""

import threading
from collections import OrderedDict

KEPT = 64


class HiddenPreviews:
    """The ids of the latest such jobs. Safe to use from any thread."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def hide(self, job_id: str) -> None:
        """The job's client wants no pictures on the way."""
        with self._lock:
            self._ids[job_id] = None
            while len(self._ids) > KEPT:
                self._ids.popitem(last=False)

    def are_shown(self, job_id: str) -> bool:
        """Whether pictures of the job may be shown on the way."""
        with self._lock:
            return job_id not in self._ids
