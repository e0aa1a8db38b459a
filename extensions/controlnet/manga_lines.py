"""Lines of printed drawings without their screens and grain (Li, Liu and Wong 2017, doi:10.1145/3072959.3073675), from
`erika.pth`: a U-Net of residual blocks, whose maps on the way up are added to those on the way down.
"""

from itertools import count

from torch import Tensor
from torch.nn.functional import batch_norm, interpolate, leaky_relu

from .annotator_weights import Weights
from .edge_networks import convolved

_DOWN, _UP = (0, 1, 2, 3, 4), (5, 6, 7, 8)  # numbers of the blocks
_LAST = 9
_SLOPE, _EPS = 0.2, 1e-3


def printed_lines(weights: Weights, pixels: Tensor) -> Tensor:
    """Grey (1, 1, H, W) in 0..255 to lines, dark on light, in about the same range; sides multiples of 16."""
    maps, hidden = [], pixels
    for block in _DOWN:
        hidden = _residuals(weights, f"block{block}", hidden, halved=block > 0)
        maps.append(hidden)
    for block in _UP:
        hidden = maps[_LAST - 1 - block] + _residuals(weights, f"block{block}", hidden, doubled=True)
    return _layer(weights, "conv15", _residuals(weights, f"block{_LAST}", hidden), padding=0)


def _residuals(weights: Weights, at: str, hidden: Tensor, *, halved: bool = False, doubled: bool = False) -> Tensor:
    """Blocks in a row: the last one halves the size, or the first one doubles it."""
    for number in count():
        name = f"{at}.model.{number}"
        if number > 0 and f"{name}.conv1.model.2.weight" not in weights:
            return hidden
        is_last = f"{at}.model.{number + 1}.conv1.model.2.weight" not in weights
        stride = 2 if halved and is_last else 1
        kept = hidden
        inner = _layer(weights, f"{name}.conv1", hidden, stride=stride)
        if f"{name}.shortcut.model.0.weight" in weights:
            kept = convolved(weights, f"{name}.shortcut.model.0", hidden, stride=stride)
        if doubled and number == 0:
            inner, kept = (interpolate(one, scale_factor=2.0, mode="nearest") for one in (inner, kept))
        hidden = kept + _layer(weights, f"{name}.residual", inner)
    raise AssertionError("the count has no end")


def _layer(weights: Weights, at: str, hidden: Tensor, *, stride: int = 1, padding: int = 1) -> Tensor:
    """Normalisation, rectifier, convolution."""
    name = f"{at}.model.0"
    mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    normed = batch_norm(hidden, mean, var, weights[f"{name}.weight"], weights[f"{name}.bias"], eps=_EPS)
    return convolved(weights, f"{at}.model.2", leaky_relu(normed, _SLOPE), stride=stride, padding=padding)
