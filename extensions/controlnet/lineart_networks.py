"""Networks that turn pictures into line drawings: black lines on white, as (1, 1, H, W) in 0..1.

`lines_of_photo` is the generator of Chan et al. 2022 (arXiv:2203.12691; `sk_model.pth`, `sk_model2.pth`): `model0` to
`model4`. `lines_of_anime` is a U-Net as in pix2pix (Isola et al. 2016, arXiv:1611.07004; `netG.pth`), whose levels lie
in each other: `model.model.1.model.3...`. Both normalise each map of a picture without weights.
"""

from itertools import count

import torch
from torch import Tensor
from torch.nn.functional import conv_transpose2d, instance_norm, leaky_relu, pad

from .annotator_weights import Weights
from .edge_networks import convolved

_SLOPE = 0.2  # of the U-Net's rectifiers on the way down


def lines_of_photo(weights: Weights, pixels: Tensor) -> Tensor:
    """Args:
    pixels: (1, 3, H, W) RGB in 0..1, sides multiples of four.
    """
    hidden = instance_norm(convolved(weights, "model0.1", _reflected(pixels, 3))).relu()
    for name in ("model1.0", "model1.3"):
        hidden = instance_norm(convolved(weights, name, hidden, stride=2, padding=1)).relu()
    for number in count():
        at = f"model2.{number}.conv_block"
        if f"{at}.1.weight" not in weights:
            break
        inner = instance_norm(convolved(weights, f"{at}.1", _reflected(hidden, 1))).relu()
        hidden = hidden + instance_norm(convolved(weights, f"{at}.5", _reflected(inner, 1)))
    for name in ("model3.0", "model3.3"):
        enlarged = conv_transpose2d(
            hidden, weights[f"{name}.weight"], weights.get(f"{name}.bias"), stride=2, padding=1, output_padding=1
        )
        hidden = instance_norm(enlarged).relu()
    return convolved(weights, "model4.1", _reflected(hidden, 3)).sigmoid()


def lines_of_anime(weights: Weights, pixels: Tensor) -> Tensor:
    """Args:
    pixels: (1, 3, H, W) RGB in -1..1, sides multiples of 256.
    """
    top = "model.model"
    hidden = convolved(weights, f"{top}.0", pixels, stride=2, padding=1)
    made = _enlarged(weights, f"{top}.3", _level(weights, f"{top}.1.model", hidden))
    return made.tanh() / 2 + 0.5


def _level(weights: Weights, at: str, outer: Tensor) -> Tensor:
    """What lies below a level, beside what came in, which the level's rectifier has changed already."""
    kept = leaky_relu(outer, _SLOPE)
    hidden = convolved(weights, f"{at}.1", kept, stride=2, padding=1)
    if f"{at}.5.weight" not in weights:  # the innermost
        return torch.cat([kept, _normalised(_enlarged(weights, f"{at}.3", hidden))], 1)
    inner = _level(weights, f"{at}.3.model", _normalised(hidden))
    return torch.cat([kept, _normalised(_enlarged(weights, f"{at}.5", inner))], 1)


def _enlarged(weights: Weights, name: str, hidden: Tensor) -> Tensor:
    return conv_transpose2d(hidden.relu(), weights[f"{name}.weight"], weights.get(f"{name}.bias"), stride=2, padding=1)


def _normalised(hidden: Tensor) -> Tensor:
    return instance_norm(hidden)


def _reflected(hidden: Tensor, width: int) -> Tensor:
    return pad(hidden, (width, width, width, width), mode="reflect")
