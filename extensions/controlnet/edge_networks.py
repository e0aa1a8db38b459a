"""Networks that find edges: HED (Xie and Tu 2015, arXiv:1504.06375) as ControlNet was trained on it, and TEED (Soria et
al. 2023, arXiv:2308.06468).

Weights are named as in `ControlNetHED.pth` (`norm`, `block1` to `block5` with `convs.N` and `projection`), and as in
`7_model.pth` and `MTEED.pth` (`block_1`, `dblock_3.denselayer1`, `up_block_1.features.0`, ...).
"""

from itertools import count

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, max_pool2d

from .annotator_weights import Weights

HED_BLOCKS = 5


def hed(weights: Weights, pixels: Tensor) -> Tensor:
    """How sure it is of an edge at each pixel: (1, 3, H, W) RGB in 0..255 to (1, 1, H, W) in 0..1.

    Each block answers at its own size. The answers are enlarged and averaged before the sigmoid.
    """
    hidden = pixels - weights["norm"]
    answers = []
    for block in range(1, HED_BLOCKS + 1):
        if block > 1:
            hidden = max_pool2d(hidden, 2, 2)
        at = f"block{block}"
        for number in count():
            if number > 0 and f"{at}.convs.{number}.weight" not in weights:
                break
            hidden = convolved(weights, f"{at}.convs.{number}", hidden, padding=1).relu()
        answers.append(convolved(weights, f"{at}.projection", hidden))
    return mean_of_sizes(answers, pixels).sigmoid()


def teed(weights: Weights, pixels: Tensor) -> Tensor:
    """How sure it is of an edge at each pixel: (1, 3, H, W) RGB in 0..255 to (1, 1, H, W) in 0..1.

    Sides must be multiples of eight. Three sizes and their fusion answer; the mean of the four goes into the sigmoid.
    """
    first = _twice(weights, "block_1", pixels, stride=2, last=True)
    second = _twice(weights, "block_2", first, stride=1, last=False)
    halved = max_pool2d(second, 3, 2, 1)
    beside = convolved(weights, "pre_dense_3.conv", halved)
    dense = _smish(halved + convolved(weights, "side_1.conv", first, stride=2))
    at = "dblock_3.denselayer1"
    dense = convolved(weights, f"{at}.conv2", _smish(convolved(weights, f"{at}.conv1", dense, padding=2)))
    third = (dense + beside) / 2
    answers = [_enlarged(weights, f"up_block_{number}", one) for number, one in enumerate((first, second, third), 1)]
    answers.append(_fused(weights, torch.cat(answers, 1)))
    return mean_of_sizes(answers, pixels).sigmoid()


def _twice(weights: Weights, at: str, hidden: Tensor, *, stride: int, last: bool) -> Tensor:
    """Two convolutions; `last`: the rectifier follows the second one too."""
    inner = _smish(convolved(weights, f"{at}.conv1", hidden, stride=stride, padding=1))
    made = convolved(weights, f"{at}.conv2", inner, padding=1)
    return _smish(made) if last else made


def _enlarged(weights: Weights, at: str, hidden: Tensor) -> Tensor:
    """One map, twice as large for each pair of layers: 1x1, then a transposed convolution."""
    for number in count(0, 3):
        if number > 0 and f"{at}.features.{number}.weight" not in weights:
            return hidden
        hidden = _smish(convolved(weights, f"{at}.features.{number}", hidden))
        enlarge = f"{at}.features.{number + 2}"
        kernel = weights[f"{enlarge}.weight"]
        padding = kernel.shape[-1] // 2 - 1
        hidden = conv_transpose2d(hidden, kernel, weights.get(f"{enlarge}.bias"), stride=2, padding=padding)
    raise AssertionError("the count has no end")


def _fused(weights: Weights, maps: Tensor) -> Tensor:
    """One map of three."""
    at = "block_cat"
    wide = convolved(weights, f"{at}.DWconv1", _smish(maps), padding=1, groups=maps.shape[1])
    again = convolved(weights, f"{at}.DWconv2", _smish(wide), padding=1, groups=wide.shape[1])
    return _smish((wide + again).sum(1, keepdim=True))


def _smish(hidden: Tensor) -> Tensor:
    """The rectifier x tanh(ln(1 + sigmoid(x))) (Wang et al. 2022)."""
    return hidden * torch.log1p(hidden.sigmoid()).tanh()


def mean_of_sizes(answers: list[Tensor], pixels: Tensor) -> Tensor:
    """The mean of maps, each brought to the size of the pixels."""
    size = pixels.shape[-2:]
    return torch.stack([interpolate(one, size, mode="bilinear", align_corners=False) for one in answers]).mean(0)


def convolved(
    weights: Weights,
    name: str,
    hidden: Tensor,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """A convolution by the weights of a name, with its bias where there is one."""
    bias = weights.get(f"{name}.bias")
    return conv2d(hidden, weights[f"{name}.weight"], bias, stride, padding, dilation, groups)
