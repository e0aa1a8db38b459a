"""Which pictures a device has memory for. Rough figures for one picture, all that a run needs counted in.

Each is the sum of the weights (half precision on a card, 32 bits on a processor) of network, text encoders and VAE,
and of what a step holds beside them, with attention computed in parts and the VAE working on tiles.
"""

from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Fitting:
    """One size of pictures that a kind of checkpoint is used with.

    Attributes:
        card, main: GiB of memory that it takes on a graphics card, and on a processor.
    """

    kind: str
    width: int
    height: int
    card: float
    main: float


SIZES = (
    Fitting("SD 1.5", 512, 512, 3.0, 6.0),
    Fitting("SD 1.5", 768, 768, 4.0, 8.0),
    Fitting("SD 1.5", 1024, 1024, 6.0, 12.0),
    Fitting("SDXL", 1024, 1024, 8.0, 18.0),
    Fitting("SDXL", 1536, 1536, 12.0, 26.0),
)


def fitting(memory: int, *, on_card: bool) -> tuple[Fitting, ...]:
    """Of each kind the largest size that fits into so many bytes; none of a kind that does not fit at all."""
    best: dict[str, Fitting] = {}
    for one in SIZES:
        if (one.card if on_card else one.main) * GIB <= memory:
            best[one.kind] = one
    return tuple(best.values())
