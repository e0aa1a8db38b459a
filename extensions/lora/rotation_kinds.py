"""Adapters that turn a weight's output channels: OFT and BOFT."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """OFT (Qiu et al. 2023, arXiv:2306.07280) and BOFT (Liu et al. 2023, arXiv:2311.06243): rotated output channels.

    Attributes:
        blocks: OFT (n, b, b), BOFT (levels, n, b, b); n x b are the output channels.
        rotations: `blocks` are the rotations themselves, not what the Cayley transform makes rotations of.
        alpha: times the number of output channels, the largest norm that Q may have; 0 sets no bound.
        rescale: one factor for each output channel, or None.
    """

    blocks: Tensor
    rotations: bool
    alpha: float
    rescale: Tensor | None = None

    @property
    def dim(self) -> None:
        return None  # alpha means something else here

    @property
    def stored(self) -> None:
        return None

    def fits(self, shape: torch.Size) -> bool:
        return self.blocks.shape[-3] * self.blocks.shape[-1] == shape[0]

    def delta(self, weight: Tensor) -> Tensor:
        rows = weight.flatten(1).float()
        rotations = self._rotations(weight)
        turned = _butterfly(rotations, rows) if rotations.ndim == 4 else _turned(rotations.mT, rows)
        if self.rescale is not None:
            turned = turned * self.rescale.reshape(-1, 1).to(turned)
        return (turned - rows).reshape(weight.shape).to(weight.dtype)

    def _rotations(self, weight: Tensor) -> Tensor:
        """Cayley transform (I + Q)(I - Q)^-1 of the antisymmetric part; float32."""
        blocks = self.blocks.to(weight.device, torch.float32)
        if self.rotations:
            return blocks
        skew = blocks - blocks.mT
        if self.alpha:
            norm = torch.linalg.vector_norm(skew)
            skew = skew * (self.alpha * weight.shape[0] / norm).clamp(max=1)
        identity = torch.eye(blocks.shape[-1], device=weight.device)
        turned: Tensor = torch.linalg.solve(identity - skew, identity + skew, left=False)
        return turned


def _turned(rotations: Tensor, rows: Tensor) -> Tensor:
    """Blocks (n, b, b) times the rows (n x b, columns), block by block."""
    return (rotations @ rows.reshape(rotations.shape[0], rotations.shape[1], -1)).reshape(rows.shape)


def _butterfly(levels: Tensor, rows: Tensor) -> Tensor:
    """Each level rotates pairs of half blocks that lie ever further apart (arXiv:2311.06243, section 4)."""
    half = levels.shape[-1] // 2
    for level, rotations in enumerate(levels):
        distance = 2**level * half
        pairs = rows.reshape(-1, 2, distance, rows.shape[1]).transpose(1, 2)
        mixed = _turned(rotations, pairs.reshape(rows.shape))
        rows = mixed.reshape(-1, distance, 2, rows.shape[1]).transpose(1, 2).reshape(rows.shape)
    return rows
