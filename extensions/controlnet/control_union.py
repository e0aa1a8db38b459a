"""What a ControlNet Union has beside a ControlNet: parts that say which kind of map the hint is (xinsir's union and
promax; tensors `task_embedding`, `transformer_layes`, `spatial_ch_projs` and `control_add_embedding`, so spelt).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .blocks import timestep_embedding

PARTS = ("task_embedding", "transformer_layes.", "spatial_ch_projs.", "control_add_embedding.")
AT = "union."  # where a network has these parts
_HEADS = 8
_GELU = 1.702  # of the quick form x sigmoid(1.702 x)


class UnionParts(nn.Module):
    """The parts. Their modules have the names of the files."""

    def __init__(self, width: int, time: int, types: int, embedded: int, layers: int) -> None:
        """Args:
        width: channels of the embedded hint.
        time: channels of the embedded time.
        types: kinds of map that it knows, 6 or 8.
        embedded: numbers that say whether it is a kind, for each.
        layers: transformer blocks.
        """
        super().__init__()
        self.types = types
        self._embedded = embedded
        self.task_embedding = nn.Parameter(torch.empty(types, width))
        self.transformer_layes = nn.ModuleList(_Block(width) for _ in range(layers))
        self.spatial_ch_projs = nn.Linear(width, width)
        self.control_add_embedding = nn.ModuleDict(
            {"linear_1": nn.Linear(embedded * types, time), "linear_2": nn.Linear(time, time)}
        )

    def marked(self, hint: Tensor, kind: int | None) -> Tensor:
        """The embedded hint (n, C, h, w) with the mark of its kind; unchanged where that is not known."""
        if kind is None:
            return hint
        seen = (hint.mean(dim=(2, 3)) + self.task_embedding[kind])[:, None]
        for layer in self.transformer_layes:
            seen = layer(seen)
        marks: Tensor = self.spatial_ch_projs(seen[:, 0])
        return hint + marks[:, :, None, None]

    def added_time(self, kind: int | None, like: Tensor) -> Tensor:
        """(1, time): what the kind adds to the embedded time, in the number format of a tensor."""
        chosen = torch.zeros(self.types, device=like.device)
        if kind is not None:
            chosen[kind] = 1
        flat = timestep_embedding(chosen, self._embedded).reshape(1, -1).to(like.dtype)
        first, second = self.control_add_embedding["linear_1"], self.control_add_embedding["linear_2"]
        added: Tensor = second(nn.functional.silu(first(flat)))
        return added


class _Block(nn.Module):
    """A transformer block with the norms in front."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, _HEADS, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, seen: Tensor) -> Tensor:
        normed = self.ln_1(seen)
        seen = seen + self.attn(normed, normed, normed, need_weights=False)[0]
        wide = self.mlp["c_fc"](self.ln_2(seen))
        made: Tensor = seen + self.mlp["c_proj"](wide * (wide * _GELU).sigmoid())
        return made


def union_types(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int, int] | None:
    """How many kinds tensors tell apart, the numbers of the embedding for each, and the transformer blocks; None where
    they are no union.
    """
    task = shapes.get(f"{AT}task_embedding")
    if task is None:
        return None
    embedded = shapes.get(f"{AT}control_add_embedding.linear_1.weight", (0, 0))[1] // task[0]
    layers = sum(name.startswith(f"{AT}transformer_layes.") and name.endswith(".ln_1.weight") for name in shapes)
    return task[0], embedded, layers
