"""Which networks lie on the device: what is used next comes, what was used longest ago leaves to main memory, and what
does not fit as a whole gets its layers one by one (`streaming.py`).
"""

import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TypeVar

import torch
from torch import nn

from webui.domain.memory_state import MemoryState, NetworkPlace
from webui.weights.estimates import Estimates
from webui.weights.recovery import CACHES_EMPTIED, Rung, with_recovery
from webui.weights.resident import Resident

T = TypeVar("T")

log = logging.getLogger(__name__)

_BUSY = 6  # uses of others after which a network is no longer needed soon
GIB = 2**30
_OWN = "webui_resident"  # the attribute of a network of an extension that holds its `Resident`


class Residency:
    """The networks of one device.

    Attributes:
        device: where they compute.
        told: what was done since `begin` that the user should know, in sentences.
    """

    def __init__(
        self,
        device: torch.device,
        budget: int | None = None,
        *,
        low: bool = False,
        fp8: bool = False,
        free: Callable[[], int] | None = None,
        begin: Callable[[], int] | None = None,
        peak: Callable[[], int] | None = None,
    ) -> None:
        """Args:
        budget: bytes that networks and their activations may take; None: all of them stay where they are.
        low: no network is on the device as a whole, even where it fits.
        fp8: the linear layers and convolutions of networks that denoise are kept in 8 bits.
        free: bytes that are free on the device, where it can be asked.
        begin: bytes that are allocated now, where that can be asked; `peak` gives the most since then.
        """
        self.device = device
        self.told: list[str] = []
        self._budget = budget
        self._low = low
        self._fp8 = fp8
        self._free = free
        self._begin, self._peak = begin, peak
        self._estimates = Estimates()
        self._residents: list[weakref.ref[Resident]] = []
        self._droppers: list[Callable[[], bool]] = []
        self._lock = RLock()
        self._turn = 0
        self._moved = 0
        self._needs = 0

    @property
    def budget(self) -> int:
        """Bytes that networks and their activations may take; 0 where there is no limit."""
        return self._budget or 0

    @property
    def is_low(self) -> bool:
        """Whether all weights stream."""
        return self._low

    @property
    def is_small(self) -> bool:
        """Whether networks that denoise are kept in 8 bits."""
        return self._fp8

    @property
    def moves(self) -> bool:
        """Whether networks leave the device. A CPU's own memory is left alone, but in tests that set a budget."""
        return self._budget is not None or self.device.type not in ("cpu", "mps")

    def adopt(self, owner: object, name: str, *, here: bool = True, quantizes: bool = False) -> None:
        """Take charge of a network.

        Args:
            owner: a wrapper whose attribute `resident` is the network; of others nothing is known, so they stay.
            here: whether its weights lie on the device now.
            quantizes: it may be kept in 8 bits.
        """
        resident = owner if isinstance(owner, Resident) else getattr(owner, "resident", None)
        if not isinstance(resident, Resident):
            return
        with self._lock:
            resident.join(self, self.device, name, here=here, fp8=self._fp8 and quantizes)
            self._residents.append(weakref.ref(resident))

    def on_shortage(self, drop: Callable[[], bool]) -> None:
        """Call this, too, where room is needed; it says whether it let anything go."""
        self._droppers.append(drop)

    def begin(self) -> None:
        """A job begins: networks are computed as usual again, whatever the last job needed."""
        self.told.clear()
        self._moved = 0
        for one in self._known():
            one.usual()

    def tell(self, text: str) -> None:
        """Remember what the user should know; once."""
        if text not in self.told:
            self.told.append(text)

    @contextmanager
    def use(self, resident: Resident, activations: int = 0) -> Iterator[None]:
        """While entered, a network can be called: its weights are there, or come layer by layer.

        Args:
            activations: bytes that the call is expected to need beside them.
        """
        with self._lock:
            self._turn += 1
            resident.last_used = self._turn
            resident.in_use += 1
        try:
            with self._lock:
                self._bring(resident, self._estimates.corrected(resident.name, activations))
            if self._begin is None or self._peak is None or self._estimates.knows(resident.name, activations):
                yield
            else:
                before = self._begin()
                yield
                self._estimates.measured(resident.name, activations, self._peak() - before)
        finally:
            resident.in_use -= 1
            resident.rest()

    @contextmanager
    def using(self, module: nn.Module, name: str, *, leaves: bool = False) -> Iterator[None]:
        """While entered, a network of an extension can be called.

        Args:
            leaves: it leaves again at the end.
        """
        with self._lock:
            resident = module.__dict__.get(_OWN)  # it lives as long as the network
            if resident is None:
                resident = module.__dict__[_OWN] = Resident(name, module)
                self.adopt(resident, name)
        with self.use(resident):
            yield
        if leaves:
            with self._lock:
                self._left(resident)

    def fits(self, resident: Resident, activations: int) -> bool:
        """Whether a call can be expected to have room when all else has left, and its own weights stream."""
        if self._budget is None:
            return True
        needed = resident.least + self._estimates.corrected(resident.name, activations)
        return needed <= self._budget

    def has_room(self, size: int) -> bool:
        """Whether weights of so many bytes may be read straight to the device; others leave for them."""
        with self._lock:
            if self._budget is None:
                return True
            if self._low or size > self._budget:
                return False
            self._leave_for(size, keep=None)
            return self._room() >= size

    def rungs(self, resident: Resident | None) -> tuple[Rung, Rung]:
        """What can be done for a network that has no room: all others leave, and its own weights stream."""
        left = f"everything else left {self.device}" if self.moves else CACHES_EMPTIED.told
        return (
            Rung(left, lambda: self.clear_for(resident) or True),
            Rung(f"weights came to {self.device} layer by layer", lambda: self._stream(resident)),
        )

    def rescued(self, attempt: Callable[[], T], *, work: str, lower: str, resident: Resident | None = None) -> T:
        """The result of an attempt for which room is made where there is none. Raises MemoryShortError."""
        return with_recovery(attempt, self.rungs(resident), work=work, lower=lower, told=self.tell)

    def clear_for(self, resident: Resident | None) -> bool:
        """Have everything leave that is not in use. False where nothing was there."""
        with self._lock:
            dropped = [drop() for drop in self._droppers]
            left = [self._left(one) for one in self._known() if one is not resident and not one.in_use]
            return any(dropped) or any(left)

    def clear(self) -> None:
        """Have everything leave that is not in use."""
        self.clear_for(None)

    def state(self) -> MemoryState:
        """What lies where, for the page."""
        with self._lock:
            places = tuple(
                NetworkPlace(one.name, one.bytes, one.loaded) for one in self._known() if one.bytes and self.moves
            )
            return MemoryState(str(self.device), self._budget or 0, places, self._needs, self._moved)

    def forecast(self, kept: Resident | None, needed: int) -> tuple[int, tuple[str, ...]]:
        """What is free now, and which networks would leave so that so many bytes are there for one and its calls.

        Args:
            kept: the network of which `needed` counts the weights too.
        """
        with self._lock:
            others = sorted((one for one in self._known() if one is not kept), key=lambda one: one.last_used)
            room = (self._budget or 0) - needed - sum(one.loaded for one in others)
            leaves = []
            for one in others:
                if room >= 0:
                    break
                if one.loaded:
                    leaves.append(one.name)
                    room += one.loaded
            return max(0, self._room()), tuple(leaves)

    def expect(self, needs: int) -> None:
        """Note what the job that begins is expected to need, in bytes."""
        self._needs = needs

    def _known(self) -> Sequence[Resident]:
        found = [(reference, reference()) for reference in self._residents]
        self._residents = [reference for reference, one in found if one is not None]
        return [one for _, one in found if one is not None]

    def _room(self) -> int:
        """Bytes that are free for weights and activations."""
        if self._budget is None:
            return 2**62
        room = self._budget - sum(one.loaded for one in self._known())
        return room if self._free is None else min(room, self._free())

    def _bring(self, resident: Resident, activations: int) -> None:
        """Make room for a network and what it computes, and bring as much of it as fits."""
        if not self.moves or (resident.is_whole and self._budget is None):
            return
        streams = self._low or resident.is_streamed
        missing = resident.must if streams else resident.bytes - resident.loaded
        if missing + activations > self._room():
            self._leave_for(missing + activations, keep=resident)
        room = self._room() - activations
        if not streams and missing <= room:
            self._moved += resident.load(resident.bytes)
            return
        if room < resident.must:
            self._shrink_others(resident, resident.must + activations)
            room = self._room() - activations
        if room < resident.must:
            self._moved += resident.shrink(resident.must - room)
            room = self._room() - activations
        self._moved += resident.load(resident.loaded + (resident.must if streams else max(room, resident.must)))

    def _leave_for(self, size: int, keep: Resident | None) -> None:
        """Let networks leave that were not used lately, the longest unused first, until there is room."""
        for one in sorted(self._known(), key=lambda one: one.last_used):
            if self._room() >= size:
                return
            if one is not keep and not one.in_use and self._turn - one.last_used >= _BUSY:
                self._left(one)

    def _shrink_others(self, resident: Resident, size: int) -> None:
        """Where there is no other way, have those that are used by turns keep less on the device."""
        for one in sorted(self._known(), key=lambda one: one.last_used):
            short = size - self._room()
            if short <= 0:
                return
            if one is not resident and not one.in_use:
                freed = one.shrink(short)
                self._moved += freed
                if freed < short and self._turn - one.last_used > 1:
                    self._left(one)
        for one in sorted(self._known(), key=lambda one: one.last_used):
            if size > self._room() and one is not resident and not one.in_use:
                self._left(one)

    def _left(self, one: Resident) -> int:
        """Bytes that a network gave up by leaving."""
        if not self.moves or not one.loaded:
            return 0
        freed = one.leave()
        self._moved += freed
        log.info("%s left %s (%.1f GiB)", one.name, self.device, freed / GIB)
        return freed

    def _stream(self, resident: Resident | None) -> bool:
        """Have the weights of a network, or of all, stream for the rest of the job."""
        if not self.moves:
            return False
        with self._lock:
            chosen = [resident] if resident is not None else self._known()
            return bool([one for one in chosen if one.stream()])


def weight_bytes(module: nn.Module) -> int:
    """Bytes of a network's weights."""
    return sum(one.numel() * one.element_size() for one in (*module.parameters(), *module.buffers()))
