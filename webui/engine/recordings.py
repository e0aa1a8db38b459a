"""What extensions recorded of the latest jobs, in memory: a few jobs and so many bytes together, the oldest goes."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType

from webui.domain.recording import RecordedPart

MOST_JOBS = 3
MOST_BYTES = 64 * 2**20


class Recordings:
    """The parts of each recording by their names. Thread-safe."""

    def __init__(self, jobs: int = MOST_JOBS, size: int = MOST_BYTES) -> None:
        self._jobs = jobs
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, dict[str, bytes]] = OrderedDict()

    def keep(self, job_id: str, part: RecordedPart) -> bool:
        """Keep a part. Whether there was room: a job that alone is larger than all may be loses its further parts."""
        with self._lock:
            own = self._kept.setdefault(job_id, {})
            self._kept.move_to_end(job_id)  # a long job outlives the recordings of those that are made beside it
            before = len(own.get(part.name, b""))
            if sum(map(len, own.values())) - before + len(part.data) > self._size:
                return False
            own[part.name] = part.data
            while len(self._kept) > self._jobs or self.size > self._size:
                oldest = next(name for name in self._kept if name != job_id)
                del self._kept[oldest]
            return True

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(len(data) for parts in self._kept.values() for data in parts.values())

    @property
    def jobs(self) -> tuple[str, ...]:
        """The ids of the jobs, the newest last."""
        with self._lock:
            return tuple(self._kept)

    def of(self, job_id: str) -> Mapping[str, bytes]:
        """The parts of a job's recording; empty where there is none."""
        with self._lock:
            return MappingProxyType(dict(self._kept.get(job_id, {})))
