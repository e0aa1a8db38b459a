"""A pretended card with so much memory and no more: it counts what lies on it, and refuses what has no room."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tests.gpu.pretended import OnDevice, PretendedDevice, pretended


class CardMemory:
    """The memory of a pretended device.

    Attributes:
        limit: bytes that there are; None: as many as are asked for.
        used, peak: bytes in use, and the most that ever were since `peak` was set.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.used = self.peak = 0
        self._holders: dict[int, tuple[int, int]] = {}  # of each storage: how many tensors have it, and its bytes

    def note(self, tensor: OnDevice) -> None:
        """A tensor was made. Raises torch.OutOfMemoryError where there is no room for it."""
        storage = tensor.held.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        count, _ = self._holders.get(key, (0, size))
        if not count:
            if self.limit is not None and self.used + size > self.limit:
                raise torch.OutOfMemoryError(
                    f"out of memory: {self.used} of {self.limit} bytes are in use, {size} asked"
                )
            self.used += size
            self.peak = max(self.peak, self.used)
        self._holders[key] = (count + 1, size)
        weakref.finalize(tensor, self._freed, key)

    def _freed(self, key: int) -> None:
        count, size = self._holders.pop(key)
        if count > 1:
            self._holders[key] = (count - 1, size)
        else:
            self.used -= size


@contextmanager
def small_card(limit: int | None = None) -> Iterator[tuple[PretendedDevice, CardMemory]]:
    """A machine whose card has so many bytes."""
    memory = CardMemory(limit)
    with pretended("cuda") as mode:
        mode.allocated = memory.note
        yield mode, memory
