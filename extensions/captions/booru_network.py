"""DeepDanbooru's network (KichangKim/DeepDanbooru, ported to torch by A1111): a ResNet whose layers are numbered.

The file is a flat dict: `n_Conv_0.weight` to `n_Conv_178.weight`, batch norm folded in, and the list `tags`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from webui.extension_api import UnusableFileError, fitted
from webui.extension_api.tensors import TensorFile

SIDE = 512  # pixels
BLOCKS = (3, 8, 20, 20, 3, 3)  # of the stages
PROJECTED_LAST = 3  # the stage, from 0, whose projection has its number behind the other three
LAST = 178
HIDDEN = "rating:"  # tags that are no description


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The numbers of a block's convolutions; `projection` is that of its shortcut, None where it has none."""

    convolutions: tuple[int, int, int]
    projection: int | None
    stride: int


def bottlenecks() -> Iterator[Bottleneck]:
    """The blocks in order, with the numbers that their layers have in the file."""
    number = 1
    for stage, count in enumerate(BLOCKS):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            if block > 0:
                yield Bottleneck((number, number + 1, number + 2), None, stride)
                number += 3
            elif stage == PROJECTED_LAST:
                yield Bottleneck((number, number + 1, number + 2), number + 3, stride)
                number += 4
            else:
                yield Bottleneck((number + 1, number + 2, number + 3), number, stride)
                number += 4


class BooruNetwork:
    """The network with its tags."""

    def __init__(self, weights: Mapping[str, Tensor], tags: tuple[str, ...]) -> None:
        self._weights = weights
        self.tags = tags

    @torch.no_grad()
    def __call__(self, image: Image.Image) -> dict[str, float]:
        """How sure it is of each tag, 0..1; without ratings."""
        square = fitted(image.convert("RGB"), "fill", SIDE, SIDE)
        pixels = torch.from_numpy(np.array(square, np.float32) / np.float32(255)).permute(2, 0, 1)[None]
        scores = self.probabilities(pixels)[0].tolist()
        return {tag: score for tag, score in zip(self.tags, scores, strict=True) if not tag.startswith(HIDDEN)}

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, h, w) in 0..1 to (B, tags)."""
        made = self._conv(0, pad(pixels, (2, 3, 2, 3)), stride=2).relu()
        made = max_pool2d(pad(made, (0, 1, 0, 1), value=float("-inf")), 3, 2)
        for block in bottlenecks():
            first, second, third = block.convolutions
            shortcut = made if block.projection is None else self._conv(block.projection, made, stride=block.stride)
            inner = self._conv(first, made).relu()
            border = (0, 1, 0, 1) if block.stride == 2 else (1, 1, 1, 1)
            inner = self._conv(second, pad(inner, border), stride=block.stride).relu()
            made = (self._conv(third, inner) + shortcut).relu()
        return self._conv(LAST, made).mean((2, 3)).sigmoid()

    def _conv(self, number: int, pixels: Tensor, stride: int = 1) -> Tensor:
        name = f"n_Conv_{number}"
        return conv2d(pixels, self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias"), stride)


def build_booru(file: TensorFile) -> BooruNetwork:
    """The network in a file.

    Raises:
        UnusableFileError: layers or tags are missing.
    """
    wanted = [f"n_Conv_{number}.weight" for number in range(LAST + 1)]
    missing = [name for name in wanted if name not in file]
    if missing:
        raise UnusableFileError(f"{file.path.name} is no DeepDanbooru network: {missing[0]} is not in it")
    weights = {name: file.read_as(name, torch.float32) for name in file.names() if name.startswith("n_Conv_")}
    count = weights[wanted[-1]].shape[0]
    told = file.header.metadata
    tags = tuple(told[f"tags.{place}"] for place in range(count) if f"tags.{place}" in told)
    if len(tags) != count:
        raise UnusableFileError(f"{file.path.name}: {count} tags are told, but it names {len(tags)}")
    return BooruNetwork(weights, tags)
