"""HyperTile: self-attention within tiles of the picture, whose sizes change from layer to layer so that no seams stay.

The sizes follow A1111's built-in extension: one of the first few divisors of a side, drawn for each layer by a
generator that is seeded with the first picture's seed, and once more before the second pass of hires fix.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

from torch import Tensor, nn

from webui.extension_api.tensors import Attend, Attention, AttentionLayer, TakePart

from .levers import Tiled

LEAST_TILE = 128  # pixels
PIXELS = 8  # along a latent cell


def counts(side: int, tile: int, most: int) -> list[int]:
    """Into how many tiles a side may be cut: the `most` largest numbers that leave tiles of at least `tile`, at least
    one number."""
    least = min(tile, side)
    sizes = [size for size in range(least, side + 1) if side % size == 0]
    return [side // size for size in sizes[: max(1, most)]]


def tile_for(width: int, height: int, chosen: Tiled) -> int:
    """The smallest tile in latent cells, of pictures of a size in pixels: the largest power of two that divides both
    sides, at most `max_tile`, and not less than 128 pixels."""
    both = math.gcd(width, height)
    largest = both & -both
    return max(LEAST_TILE, min(largest, chosen.max_tile)) // PIXELS


class HyperTiles:
    """Draws the tiles of one job."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = Random(seed)

    def begin(self) -> None:
        """The second pass begins."""
        self._random.seed(self._seed)

    def drawn(self, size: tuple[int, int], tile: int, swap_size: int) -> tuple[int, int]:
        """Into how many tiles (rows, columns) a picture of so many tokens is cut."""
        down, across = (counts(side, tile, swap_size) for side in size)
        rows = down[self._random.randint(0, len(down) - 1)]
        return rows, across[self._random.randint(0, len(across) - 1)]

    def parts(self, layers: Mapping[str, AttentionLayer], tile: int, chosen: Tiled) -> dict[str, TakePart]:
        """What takes part in the self-attention of each layer that is not too deep."""
        own = {name: layer for name, layer in layers.items() if layer.kind == "self"}
        shallowest = min((layer.level for layer in own.values()), default=0)

        def of_depth(depth: int) -> TakePart:
            def take_part(attention: Attention, attend: Attend) -> Tensor:
                cut = self.drawn(attention.size, tile * 2**depth, chosen.swap_size)
                return attend(attention) if cut == (1, 1) else in_tiles(attention, cut)

            return take_part

        depths = {name: layer.level - shallowest for name, layer in own.items()}
        return {name: of_depth(depth) for name, depth in depths.items() if depth <= chosen.max_depth}

    @contextmanager
    def of_vae(self, module: Any, chosen: Tiled) -> Iterator[None]:
        """While entered, the attention of a VAE is computed in tiles."""
        waiting: list[tuple[int, int]] = []

        def before(layer: nn.Module, given: tuple[Any, ...]) -> Any:
            height, width = given[0].shape[-2:]
            tile = tile_for(width * PIXELS, height * PIXELS, chosen)
            rows, columns = self.drawn((height, width), tile, chosen.swap_size)
            waiting.append((rows, columns))
            return (_cut_features(given[0], rows, columns), *given[1:])

        def after(layer: nn.Module, given: Any, output: Tensor) -> Tensor:
            return _joined_features(output, *waiting.pop())

        handles = []
        try:
            for block in (module.encoder.mid_block, module.decoder.mid_block):
                for layer in filter(None, block.attentions):
                    handles += [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
            yield
        finally:
            for handle in handles:
                handle.remove()


def in_tiles(attention: Attention, cut: tuple[int, int]) -> Tensor:
    """Self-attention (rows, S, H x d) in which each tile sees itself alone."""
    tiles = (_cut_tokens(one, attention.size, cut) for one in (attention.query, attention.key, attention.value))
    query, key, value = tiles
    mixed = replace(attention, query=query, key=key, value=value).mixed()  # (rows x tiles, s, H x d)
    (height, width), (rows, columns) = attention.size, cut
    inner = mixed.view(-1, rows, columns, height // rows, width // columns, mixed.shape[-1])
    return inner.transpose(2, 3).reshape(-1, height * width, mixed.shape[-1])


def _cut_tokens(tokens: Tensor, size: tuple[int, int], cut: tuple[int, int]) -> Tensor:
    """(rows, H, S, d) -> (rows x tiles, H, s, d)."""
    (height, width), (rows, columns) = size, cut
    heads, channels = tokens.shape[1], tokens.shape[3]
    inner = tokens.view(-1, heads, rows, height // rows, columns, width // columns, channels)
    return inner.permute(0, 2, 4, 1, 3, 5, 6).reshape(-1, heads, height * width // (rows * columns), channels)


def _cut_features(features: Tensor, rows: int, columns: int) -> Tensor:
    """(B, C, h, w) -> (B x tiles, C, h / rows, w / columns)."""
    batch, channels, height, width = features.shape
    inner = features.view(batch, channels, rows, height // rows, columns, width // columns)
    return inner.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, height // rows, width // columns)


def _joined_features(tiles: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `_cut_features`."""
    _, channels, height, width = tiles.shape
    inner = tiles.view(-1, rows, columns, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    return inner.reshape(-1, channels, rows * height, columns * width)
