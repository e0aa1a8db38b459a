"""What a request is expected to need of a device's memory, told before it is sent."""

from dataclasses import dataclass, field

from webui.domain.memory_state import NetworkPlace
from webui.domain.result import Notice


@dataclass(frozen=True, slots=True)
class MemoryOutlook:
    """The memory that a job would need, in bytes, as far as sizes alone tell.

    Attributes:
        device: its name in torch.
        total: what there is for networks and what they compute; 0 where networks stay where they are.
        free: of it, or of main memory, at this moment; 0 where nobody tells.
        weights: of all networks of the request together.
        latents: of one batch.
        sampling, decoding: what is computed beside the weights while the network is asked, and while a picture is
            decoded.
        needs: at once, at most.
        loads: weights that have to be read from files first.
        leaves: networks that have to leave the device for it.
        streams: weights that come to the device anew for each call of the network, because they have no room.
        resident: networks that have weights on the device now, where networks leave it.
        notices: what the user should know beside it.
    """

    device: str
    total: int = 0
    free: int = 0
    weights: int = 0
    latents: int = 0
    sampling: int = 0
    decoding: int = 0
    needs: int = 0
    loads: int = 0
    leaves: tuple[str, ...] = ()
    streams: int = 0
    resident: tuple[NetworkPlace, ...] = ()
    notices: tuple[Notice, ...] = field(default=())

    @property
    def fits(self) -> bool:
        """Whether it is expected to have room, in whatever way."""
        return self.streams == 0 and (self.total > 0 or not self.free or self.loads + self.computed <= self.free)

    @property
    def computed(self) -> int:
        """The larger of what sampling and decoding compute."""
        return max(self.sampling, self.decoding)
