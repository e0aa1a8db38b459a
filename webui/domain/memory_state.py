"""What lies in the memory of a device, as the back tells the front."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkPlace:
    """A network.

    Attributes:
        bytes: of its weights.
        loaded: of those on the device; the others are in main memory.
    """

    name: str
    bytes: int
    loaded: int


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The memory of one device.

    Attributes:
        device: its name in torch.
        budget: bytes for networks and what they compute; 0 where there is no limit.
        networks: those in memory.
        needs: bytes that the job in work is expected to need at once.
        moved: bytes of weights that were moved for it so far.
    """

    device: str = ""
    budget: int = 0
    networks: tuple[NetworkPlace, ...] = ()
    needs: int = 0
    moved: int = 0

    @property
    def used(self) -> int:
        """Bytes of weights on the device."""
        return sum(one.loaded for one in self.networks)
