"""The protocol of text encoders that `webui/prompt` uses. The networks are built in `webui/weights`."""

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
    """The output of one encoder: hidden (B, W, D) float32, pooled (B, D_p) float32 or None."""

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

        The encoder decides which layer is its default and whether the final norm follows. `clip_skip` is N >= 1,
        counted from the last layer, or 0 for the default.
        """


@dataclass(frozen=True, slots=True)
class TextStack:
    """The text encoders of a checkpoint (for SDXL CLIP-L and CLIP-G), with the facts about them from its family."""

    side: TextSide
    encoders: tuple[TextEncoder, ...]
