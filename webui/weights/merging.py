"""Token merging (ToMe for Stable Diffusion, arXiv:2303.17604): self-attention over fewer tokens, for a faster run.

Neighbouring latent cells hold alike tokens. One token of each 2 x 2 square stays; of the others the most similar ones
are averaged into those that stay before self-attention, and get its answer back afterwards (section 4 of the paper).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor, nn

from webui.sampling.transfer import uploaded

SQUARE = 2  # cells per side, of which one token stays
ROWS = 2048  # tokens compared at once, which bounds memory


@dataclass(frozen=True, slots=True)
class Merge:
    """A choice of tokens to merge. All fields are indices, (B, n, 1) unless said otherwise.

    Attributes:
        kept: (k,) the tokens that others may be merged into.
        others: (n - k,) the rest; `alone` and `merged` are indices into them.
        alone: those of the others that are not merged.
        merged: those of the others that are averaged into `kept[into]`.
    """

    kept: Tensor
    others: Tensor
    alone: Tensor
    merged: Tensor
    into: Tensor

    def shrink(self, tokens: Tensor) -> Tensor:
        """(B, n, D) -> (B, n - r, D): the tokens left alone, then those kept, averaged with those merged into them."""
        rest = tokens[:, self.others]
        alone = rest.gather(1, _wide(self.alone, tokens))
        moved = rest.gather(1, _wide(self.merged, tokens))
        kept = tokens[:, self.kept].scatter_reduce(1, _wide(self.into, tokens), moved, reduce="mean")
        return torch.cat([alone, kept], dim=1)

    def grow(self, tokens: Tensor) -> Tensor:
        """(B, n - r, D) -> (B, n, D): every merged token gets a copy of the token that it was merged into."""
        count = self.alone.shape[1]
        alone, kept = tokens[:, :count], tokens[:, count:]
        rest = tokens.new_empty(len(tokens), len(self.others), tokens.shape[-1])
        rest.scatter_(1, _wide(self.alone, tokens), alone)
        rest.scatter_(1, _wide(self.merged, tokens), kept.gather(1, _wide(self.into, tokens)))
        whole = tokens.new_empty(len(tokens), len(self.others) + len(self.kept), tokens.shape[-1])
        whole[:, self.others] = rest
        whole[:, self.kept] = kept
        return whole


def match(tokens: Tensor, height: int, width: int, ratio: float) -> Merge | None:
    """Find the tokens to merge by cosine similarity, separately in each row of the batch.

    Args:
        tokens: (B, height x width, D), row by row of the picture.
        ratio: share of all tokens that is merged; at most 3/4, since one of four always stays.

    Returns:
        None where nothing is to be merged.
    """
    cells = torch.arange(height * width).view(height, width)  # on the CPU, where selecting by a mask waits for nothing
    stays = torch.zeros(height, width, dtype=torch.bool)
    stays[: height // SQUARE * SQUARE : SQUARE, : width // SQUARE * SQUARE : SQUARE] = True
    kept, others = uploaded(cells[stays], tokens.device), uploaded(cells[~stays], tokens.device)
    count = min(len(others), int(height * width * ratio))
    if count <= 0 or not len(kept):
        return None
    directions = tokens / tokens.norm(dim=-1, keepdim=True)
    targets = directions[:, kept].transpose(1, 2)
    best = [(directions[:, part] @ targets).max(dim=-1) for part in torch.split(others, ROWS)]
    likeness = torch.cat([found.values for found in best], dim=1)
    nearest = torch.cat([found.indices for found in best], dim=1)
    order = likeness.argsort(dim=-1, descending=True)[..., None]
    merged = order[:, :count]
    return Merge(kept, others, order[:, count:], merged, nearest[..., None].gather(1, merged))


@contextmanager
def merged_tokens(unet: nn.Module, ratio: float) -> Iterator[None]:
    """Merge tokens in the self-attention of the network's largest resolution; also undone after an error.

    Args:
        ratio: share of the tokens, 0..1; 0 changes nothing.
    """
    handles: list[Any] = []
    if ratio > 0:
        size = _Size()
        handles.append(unet.register_forward_pre_hook(size.note))
        for block in unet.modules():
            if isinstance(block, BasicTransformerBlock):
                merging = _Merging(size, ratio)
                handles += [
                    block.register_forward_pre_hook(merging.look),
                    block.attn1.register_forward_pre_hook(merging.shrink),
                    block.attn1.register_forward_hook(merging.grow),
                ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Size:
    """Height and width in cells of the latents that the network works on now."""

    def __init__(self) -> None:
        self.height = self.width = 0

    def note(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self.height, self.width = args[0].shape[-2:]


class _Merging:
    """The hooks on one transformer block. Similarity is measured on the input of the block."""

    def __init__(self, size: _Size, ratio: float) -> None:
        self._size = size
        self._ratio = ratio
        self._merge: Merge | None = None

    def look(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        tokens: Tensor = args[0]
        height, width = self._size.height, self._size.width
        is_largest = tokens.shape[1] == height * width
        self._merge = match(tokens, height, width, self._ratio) if is_largest else None

    def shrink(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        return args if self._merge is None else (self._merge.shrink(args[0]), *args[1:])

    def grow(self, module: nn.Module, args: tuple[Any, ...], answer: Tensor) -> Tensor:
        merge, self._merge = self._merge, None
        return answer if merge is None else merge.grow(answer)


def _wide(index: Tensor, tokens: Tensor) -> Tensor:
    """(B, n, 1) indices for `gather` and `scatter` of (B, n, D)."""
    return index.expand(-1, -1, tokens.shape[-1])
