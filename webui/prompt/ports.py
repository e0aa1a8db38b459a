"""What the prompt room asks of text encoders. The networks themselves are built in `webui/weights`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from webui.library.family import TextSide


@dataclass(frozen=True, slots=True)
class Splice:
    """Vectors that replace token embeddings: rows offset + 1 .. offset + v of the window (row 0 is BOS)."""

    offset: int
    vectors: Tensor  # (v, D)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One encoder's answer: hidden (B, W, D) float32, pooled (B, D_p) float32 or None."""

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
        """Encode (B, W) int64 ids, W being the window.

        Which layer is taken and whether the final norm follows is the encoder's own business; `clip_skip` is N >= 1,
        counted from the last layer, or 0 for the tower's own layer.
        """


@dataclass(frozen=True, slots=True)
class TextStack:
    """The text side of a checkpoint: its family's facts, and the encoders (for SDXL CLIP-L and CLIP-G)."""

    side: TextSide
    encoders: tuple[TextEncoder, ...]
