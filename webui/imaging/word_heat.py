"""The maps of one word, or of one place, over the steps of a run, in bytes: from those of all of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def word_heat(steps: Sequence[bytes], blocks: int, grid: int, tokens: Sequence[int]) -> bytes:
    """The sum of some tokens' shares.

    Each block is scaled by itself, from its lowest to its highest share over all steps, because attention hardly falls
    to 0.

    Args:
        steps: of each step (blocks, T, grid, grid) as float16, little-endian.
        tokens: which of the T make the word.

    Returns:
        For each block its lowest and its highest share, as float32; then blocks x steps x grid x grid bytes, 0 for the
        lowest and 255 for the highest share of their block.

    Raises:
        ValueError: a token that is not among the T.
    """
    maps = []
    for step in steps:
        of_tokens = np.frombuffer(step, "<f2").reshape(blocks, -1, grid, grid)
        if tokens and max(tokens) >= of_tokens.shape[1]:
            raise ValueError(f"token {max(tokens)} was not recorded; there are {of_tokens.shape[1]}")
        maps.append(of_tokens[:, list(tokens)].astype(np.float32).sum(1))
    return _scaled(np.stack(maps, 1))


def point_heat(steps: Sequence[bytes], blocks: int, grid: int, place: tuple[int, int]) -> bytes:
    """Where one cell of the grid looks.

    Args:
        steps: of each step (blocks, grid x grid, grid, grid) as float16, little-endian.
        place: column and row of the cell.

    Returns:
        As of `word_heat`.

    Raises:
        ValueError: the grid has no such cell.
    """
    column, row = place
    if not (0 <= column < grid and 0 <= row < grid):
        raise ValueError(f"there is no cell {column}, {row} on a grid of {grid} x {grid}")
    maps = [np.frombuffer(step, "<f2").reshape(blocks, grid, grid, grid, grid)[:, row, column] for step in steps]
    return _scaled(np.stack(maps, 1).astype(np.float32))


def _scaled(whole: NDArray[np.float32]) -> bytes:
    """(blocks, steps, grid, grid) -> the lowest and highest of each block, then all in bytes between them."""
    low, high = whole.min((1, 2, 3)), whole.max((1, 2, 3))
    span = np.maximum(high - low, 1e-8)[:, None, None, None]
    scaled = np.rint((whole - low[:, None, None, None]) / span * 255).astype(np.uint8)
    return b"".join((np.stack([low, high], 1).astype("<f4").tobytes(), scaled.tobytes()))
