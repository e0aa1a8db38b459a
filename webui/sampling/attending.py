"""The attention layers of a network, as extensions take part in them: the types. There is no arithmetic here.

Shapes: rows of a call, H heads of d channels, S tokens that ask (queries), T tokens that answer (keys and values).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

AttentionKind = Literal["self", "cross"]
AttentionBlock = Literal["down", "middle", "up"]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionLayer:
    """One attention layer of a network.

    Attributes:
        name: of its module, as diffusers names it (`down_blocks.0.attentions.0.transformer_blocks.0.attn2`).
        kind: whether it attends to the picture's own tokens, or to the text.
        block: the part of the network that it lies in.
        level: how often the latents were halved before it, sides rounded up.
        transformer: number of the transformer module that holds it, from 0, in the order of execution (SD1 has 16,
            SDXL 11).
        position: its number among the layers of its kind, from 0, in the order of execution (SD1 has 16, SDXL 70).
        heads: H; `width` is H x d.
        context_width: D of the context that it attends to, for self-attention `width`.
        project: (rows, T, D) -> keys and values, each (rows, H, T, d). Patches of the layer, such as LoRA, are in it.
    """

    name: str
    kind: AttentionKind
    block: AttentionBlock
    level: int
    transformer: int
    position: int
    heads: int
    width: int
    context_width: int
    project: Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """One attention that is due, in a layer and for rows of a call.

    Attributes:
        query: (rows, H, S, d).
        key, value: (rows, H, T, d).
        rows: which rows of the call these are.
        size: (h, w) of the queries' tokens, S = h x w, row by row.
        mix: what the network computes of query, key and value, joined over the heads: (rows, S, H x d).
    """

    layer: AttentionLayer
    query: Tensor
    key: Tensor
    value: Tensor
    rows: tuple[int, ...]
    size: tuple[int, int]
    mix: Callable[[Tensor, Tensor, Tensor], Tensor]

    def mixed(self) -> Tensor:
        """(rows, S, H x d), what the layer makes of it before its last projection, without any extension."""
        return self.mix(self.query, self.key, self.value)

    def of(self, places: Sequence[int]) -> "Attention":
        """That of some rows alone, by their places among these."""
        chosen = list(places)
        rows = tuple(self.rows[place] for place in chosen)
        return replace(self, query=self.query[chosen], key=self.key[chosen], value=self.value[chosen], rows=rows)

    def about(self, context: Tensor) -> "Attention":
        """The same queries, asking another context (rows, T, D) through the layer's own projections."""
        key, value = self.layer.project(context.to(self.query))
        return replace(self, key=key, value=value)


Attend = Callable[[Attention], Tensor]  # -> (rows, S, H x d), before the layer's last projection
TakePart = Callable[[Attention, Attend], Tensor]  # the second computes the first as usual, with other extensions
