"""What the prompt room asks of text encoders. The networks themselves are built in `webui/weights`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

Family = Literal["sd1", "sd2", "sdxl", "sdxl_refiner"]


@dataclass(frozen=True, slots=True)
class Splice:
    """Vectors that replace token embeddings: rows offset + 1 .. offset + v of the 77 (row 0 is BOS)."""

    offset: int
    vectors: Tensor  # (v, D)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One encoder's answer: hidden (B, 77, D) float32, pooled (B, D_p) float32 or None."""

    hidden: Tensor
    pooled: Tensor | None = None


class TextEncoder(Protocol):
    """One CLIP text tower on its device.

    Attributes:
        width: D of its hidden states and token embeddings.
        pads_with_zero: ids after the first EOS are 0 (open_clip); False: EOS (CLIP-L).
        slot: "clip_l" or "clip_g", the part of an SDXL embedding that it takes.
    """

    width: int
    pads_with_zero: bool
    slot: Literal["clip_l", "clip_g"]

    def encode(self, tokens: Tensor, splices: Sequence[Sequence[Splice]], *, clip_skip: int) -> Encoded:
        """Encode (B, 77) int64 ids. Which layer is taken and whether the final norm follows is the encoder's own
        business; `clip_skip` is N >= 1, counted from the last layer, or 0 for the tower's own layer.
        """


@dataclass(frozen=True, slots=True)
class TextStack:
    """The text side of a checkpoint: one encoder, or CLIP-L and CLIP-G for SDXL (concatenated along channels)."""

    family: Family
    encoders: tuple[TextEncoder, ...]
