"""The maps of one word over the steps of a run, in bytes: from those of all tokens."""

from collections.abc import Sequence

import numpy as np


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
    whole = np.stack(maps, 1)  # (blocks, steps, grid, grid)
    low, high = whole.min((1, 2, 3)), whole.max((1, 2, 3))
    span = np.maximum(high - low, 1e-8)[:, None, None, None]
    scaled = np.rint((whole - low[:, None, None, None]) / span * 255).astype(np.uint8)
    return b"".join((np.stack([low, high], 1).astype("<f4").tobytes(), scaled.tobytes()))
