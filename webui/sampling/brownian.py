"""Step noise of the SDE samplers: increments of one Brownian motion over sigma, which stays the same whatever the steps
are.

A Brownian motion W has independent increments W(b) - W(a) of variance b - a. Its value at any time is found by halving
the interval again and again (a virtual Brownian tree: Li et al. 2020, arXiv:2001.01328, section 4), each halving with a
seed of its own, so that the path does not depend on the steps of a run or on the order in which it is asked. Seeds and
rounding follow torchsde's BrownianTree, with which A1111 draws this noise.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from webui.sampling.noise import Shape, Source, drawing_device, open_stream
from webui.sampling.transfer import uploaded

_DECIMALS = 6  # times closer than a millionth count as equal
_POOL_SIZE = 24  # of numpy's SeedSequence
_KEPT_HALVINGS = 48  # two paths from the root down to a millionth: neighbouring steps share most of theirs


class _Node(NamedTuple):
    """An interval of the tree: `key` numbers the nodes of one `depth` from the left, the root is (0, 0)."""

    start: float
    end: float
    key: int
    depth: int


class BrownianTree:
    """One Brownian motion over [start, end], 0 at the start.

    Args:
        entropy: the seed, 0 or above.
        start, end: in sigma, start <= end; rounded to a millionth, as all times are.
        shape: of the values.
        source, device: see `noise.open_stream`.
    """

    def __init__(
        self, entropy: int, start: float, end: float, shape: Shape, source: Source, device: torch.device
    ) -> None:
        if entropy < 0:
            raise ValueError(f"the seed of a Brownian tree is {entropy}, but must be 0 or above")
        if start > end:
            raise ValueError(f"a Brownian tree needs start <= end, but was given {start} and {end}")
        self._entropy = entropy
        self._root = _Node(round(start, _DECIMALS), round(end, _DECIMALS), 0, 0)
        self._shape = shape
        self._source: Source = source
        self._device = device
        self._halvings: OrderedDict[tuple[int, int], Tensor] = OrderedDict()
        self._whole = self._draw(()) * math.sqrt(self._root.end - self._root.start)

    def increment(self, start: float, end: float) -> Tensor:
        """W(end) - W(start), of the tree's shape, variance end - start; start <= end, clamped to the tree's range."""
        first, last = (round(min(max(time, self._root.start), self._root.end), _DECIMALS) for time in (start, end))
        return self._between(first, last, self._root, self._whole)

    def _between(self, start: float, end: float, node: _Node, value: Tensor) -> Tensor:
        """The part of a node's increment `value` that falls between two times: the sum of the nodes that cover it."""
        if start <= node.start and end >= node.end:
            return value
        middle = round((node.start + node.end) / 2, _DECIMALS)
        if end <= start or not node.start < middle < node.end:
            return torch.zeros_like(value)  # the interval is empty at a resolution of a millionth
        left, right = self._halve(node, middle, value)
        left_node = _Node(node.start, middle, 2 * node.key, node.depth + 1)
        right_node = _Node(middle, node.end, 2 * node.key + 1, node.depth + 1)
        if end <= middle:
            return self._between(start, end, left_node, left)
        if start >= middle:
            return self._between(start, end, right_node, right)
        return self._between(start, end, left_node, left) + self._between(start, end, right_node, right)

    def _halve(self, node: _Node, middle: float, value: Tensor) -> tuple[Tensor, Tensor]:
        """Increments of the two halves, given that of the whole (a Brownian bridge)."""
        left, right, total = middle - node.start, node.end - middle, node.end - node.start
        bridge = value * (left / total) + self._halving(node.key, node.depth) * math.sqrt(left * right / total)
        return bridge, value - bridge

    def _halving(self, key: int, depth: int) -> Tensor:
        """The unit normal draw that halves a node. The latest draws are kept in memory."""
        draw = self._halvings.pop((key, depth), None)
        self._halvings[key, depth] = self._draw((key, depth)) if draw is None else draw
        if len(self._halvings) > _KEPT_HALVINGS:
            self._halvings.popitem(last=False)
        return self._halvings[key, depth]

    def _draw(self, spawn_key: tuple[int, ...]) -> Tensor:
        seeds = np.random.SeedSequence(self._entropy, spawn_key=spawn_key, pool_size=_POOL_SIZE)
        return open_stream(int(seeds.generate_state(1)[0]), self._source, self._device)(self._shape)


class BrownianNoise:
    """Noise of one pass over a batch of images, from a Brownian tree for each (`StepNoise`).

    Args:
        seeds: one per image, 0 or above.
        shape: (C, h, w) of one latent.
        sigma_min, sigma_max: smallest and largest sigma above 0 of the **whole** schedule, also in img2img, so that
            the path does not depend on where a run starts. Equal in a run of one step, which draws nothing.
        source, device: see `noise.open_stream`.
        shared: one tree for the whole batch, as in A1111 before 1.5; an image then depends on its neighbours. Its seed
            is what torch's global generator gave after the start noise of the last image had seeded it; and its range
            was that of the steps really made, so the caller gives the levels of the img2img part.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        shape: tuple[int, int, int],
        sigma_min: float,
        sigma_max: float,
        source: Source,
        device: torch.device,
        shared: bool = False,
    ) -> None:
        self._shared = shared
        if shared:
            last = torch.Generator().manual_seed(seeds[-1])
            entropies: Sequence[int] = [int(torch.randint(0, 2**63 - 1, (), generator=last))]
        else:
            entropies = seeds
        of_tree = (len(seeds), *shape) if shared else shape
        self._device, on = device, drawing_device(source, device)
        self._trees = tuple(BrownianTree(entropy, sigma_min, sigma_max, of_tree, source, on) for entropy in entropies)

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """Unit noise (B, C, h, w) for the step between two levels of the tree's range (0-dimensional tensors).

        It is the increment of the path from sigma to sigma_next over its standard deviation, so it changes its sign
        with the direction of the step; 0 where the levels are equal.
        """
        start, end = float(sigma), float(sigma_next)
        low, high = min(start, end), max(start, end)
        increments = [tree.increment(low, high) for tree in self._trees]
        increment = increments[0] if self._shared else torch.stack(increments)
        if low < high:
            increment = increment * math.copysign(1 / math.sqrt(high - low), end - start)
        return uploaded(increment, self._device)
