"""Networks that find edges: HED (Xie and Tu 2015, arXiv:1504.06375), in the form in which ControlNet was trained on it.

Weights are named as in `ControlNetHED.pth`: `norm`, `block1` to `block5` with `convs.N` and `projection`.
"""

from itertools import count

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, max_pool2d

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
