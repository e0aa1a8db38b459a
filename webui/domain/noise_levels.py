"""The noise levels of a run as plain data, for whoever draws them: what a schedule comes to for a request."""

from dataclasses import dataclass, field

from webui.domain.result import Notice


@dataclass(frozen=True, slots=True)
class NoiseLevels:
    """Where the steps of a run land.

    Attributes:
        schedule: label of the schedule in force, "Automatic" resolved; "" for a list of one's own, and for a sampler
            that follows none.
        sigmas: the levels, falling: step i goes from entry i to entry i + 1. Empty where the sampler chooses while it
            runs.
        timesteps: of the same levels, as the network of the checkpoint is told them; may be fractional.
        lowest, highest: of the levels that the checkpoint was trained with.
        notices: what the user should know beside it.
    """

    schedule: str
    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]
    lowest: float
    highest: float
    notices: tuple[Notice, ...] = field(default=())
