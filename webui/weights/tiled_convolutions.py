"""Winograd's minimal filtering F(2x2, 3x3) for convolutions on a CPU (arXiv:1509.09308, section 4.1).

Each tile of 4 x 4 values makes 2 x 2 of the answer by 16 products where the sum as it is written takes 36. All tiles
together are 16 products of matrices, for which CPUs have fast kernels. In exact numbers the answer is the same; the
sums before and after the products round once more each.
"""

import torch
from torch import Tensor

TILES = 512  # at once, so that what belongs to them stays in the cache (measured in benchmarks/)
_CHANNELS = 128  # of the answer whose weights are brought over at once: sums are made in float32


def tiled_weights(weight: Tensor) -> Tensor:
    """(K, C, 3, 3) weights of a convolution -> (16, K, C), a matrix for each place of a tile, column by column."""
    kept = weight.new_empty((4, 4, *weight.shape[:2]))
    for first in range(0, len(weight), _CHANNELS):
        part = slice(first, first + _CHANNELS)
        for column, above in enumerate(_four(weight[part].permute(3, 2, 0, 1).float())):
            for row, matrix in enumerate(_four(above)):
                kept[column, row, part] = matrix
    return kept.view(16, *weight.shape[:2])


def _four(three: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The matrix G of the paper times three values of a filter."""
    ends = (three[0] + three[2]) / 2
    return three[0], ends + three[1] / 2, ends - three[1] / 2, three[2]


def tiled_convolution(picture: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """A 3 x 3 convolution with step 1 and a border of one zero: (N, C, h, w), h and w even -> (N, K, h, w).

    The answer lies in memory with channels last.

    Args:
        weights: as `tiled_weights` makes them.
        bias: (K,), or None.
    """
    count, _, height, width = picture.shape
    padded = _padded(picture)
    answer = picture.new_empty((count, height, width, weights.shape[1]))
    pictures, lines = _at_once(count, height // 2, width // 2)
    band = _Band(padded, weights, bias, pictures, lines)
    for first in range(0, count, pictures):
        some = slice(first, first + pictures)
        for top in range(0, height, 2 * lines):
            below = top + 2 * lines
            band.convolve(padded[some, top : below + 2], answer[some, top:below])
    return answer.permute(0, 3, 1, 2)


def _padded(picture: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, h + 2, w + 2, C) with a border of zeros."""
    count, channels, height, width = picture.shape
    padded = picture.new_empty((count, height + 2, width + 2, channels))
    padded[:, 0].zero_()
    padded[:, -1].zero_()
    padded[:, :, 0].zero_()
    padded[:, :, -1].zero_()
    padded[:, 1:-1, 1:-1] = picture.permute(0, 2, 3, 1)
    return padded


def _at_once(count: int, down: int, across: int) -> tuple[int, int]:
    """Pictures and rows of tiles to compute at once, which divide all pictures and rows evenly."""
    if down * across <= TILES:
        return _divisor(count, TILES // (down * across)), down
    return 1, _divisor(down, TILES // across)


def _divisor(number: int, most: int) -> int:
    return next(some for some in range(max(1, min(number, most)), 0, -1) if number % some == 0)


class _Band:
    """Memory for some pictures and rows of tiles, used again for the next ones."""

    def __init__(self, padded: Tensor, weights: Tensor, bias: Tensor | None, pictures: int, lines: int) -> None:
        across, channels = padded.shape[2] - 2, padded.shape[3]
        made, tiles = weights.shape[1], across // 2
        self._weights, self._bias = weights.transpose(1, 2), bias
        self._by_rows = padded.new_empty((4, pictures, lines, across + 2, channels))
        self._tiles = padded.new_empty((4, 4, pictures, lines, tiles, channels))
        self._products = padded.new_empty((16, pictures * lines * tiles, made))
        self._columns = padded.new_empty((4, pictures, lines, tiles, 2, made))
        self._sum = padded.new_empty((4, pictures, lines, tiles, made))
        self._last = padded.new_empty((pictures, lines, across, made))

    def convolve(self, given: Tensor, out: Tensor) -> None:
        """Padded lines of pictures (n, 2 x lines + 2, w + 2, C) -> (n, 2 x lines, w, K), written to `out`."""
        pictures, lines, across, made = self._last.shape
        _spread([given[:, first : first + 2 * lines : 2] for first in range(4)], self._by_rows)
        _spread([self._by_rows[..., first : first + across : 2, :] for first in range(4)], self._tiles)
        torch.bmm(self._tiles.view(16, -1, given.shape[-1]), self._weights, out=self._products)
        grid = self._products.view(4, *self._sum.shape)
        _gather(grid, self._sum, self._columns[..., 0, :], self._columns[..., 1, :])
        pairs = out.view(pictures, lines, 2, across, made)
        columns = self._columns.view(4, *self._last.shape)
        _gather(columns, self._last, pairs[:, :, 0], pairs[:, :, 1], self._bias)


def _spread(four: list[Tensor], out: Tensor) -> None:
    """The matrix B of the paper, transposed, times four neighbouring values."""
    torch.sub(four[0], four[2], out=out[0])
    torch.add(four[1], four[2], out=out[1])
    torch.sub(four[2], four[1], out=out[2])
    torch.sub(four[1], four[3], out=out[3])


def _gather(four: Tensor, own: Tensor, first: Tensor, second: Tensor, bias: Tensor | None = None) -> None:
    """The matrix A of the paper, transposed, times four values; `own` is memory to work in."""
    torch.add(four[1], four[2], out=own)
    if bias is not None:
        own += bias
    torch.add(four[0], own, out=first)
    torch.sub(four[1], four[2], out=own)
    if bias is not None:
        own += bias
    torch.sub(own, four[3], out=second)
