"""Surface normals (Bae et al. 2021, arXiv:2109.09881), from `scannet.pt`: an EfficientNet (arXiv:1905.11946) whose maps
of five sizes are joined on the way up, where each size refines the last answer.
"""

from itertools import count

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv1d, interpolate, leaky_relu, pad, silu

from .annotator_weights import Weights
from .edge_networks import convolved

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB in 0..1
_ENCODER, _DECODER = "encoder.original_model", "decoder"
_STRIDES = (1, 2, 2, 2, 1, 2, 1)  # of the encoder's stages
_JOINED = (4, 2, 1, 0)  # the stages that are joined, from the smallest map on
_EPS, _DECODER_EPS = 1e-3, 1e-5
_LEAST_LENGTH = 1e-10
_LEAST_SURENESS = 0.01


def surface_normals(weights: Weights, pixels: Tensor) -> Tensor:
    """(1, 3, H, W) RGB in 0..1, sides multiples of 32, to (1, 3, H, W): x, y and z of length 1."""
    mean, spread = (pixels.new_tensor(one).view(1, 3, 1, 1) for one in (MEAN, SPREAD))
    maps, hidden = _stages(weights, (pixels - mean) / spread)
    hidden = convolved(weights, f"{_DECODER}.conv2", hidden)
    sizes = []
    for number, stage in enumerate(_JOINED, 1):
        hidden = _joined(weights, f"{_DECODER}.up{number}._net", hidden, maps[stage])
        sizes.append(hidden)
    answer = _of_length_one(convolved(weights, f"{_DECODER}.out_conv_res8", sizes[1], padding=1))
    for size, hidden in zip((4, 2, 1), sizes[1:], strict=True):
        seen = torch.cat([_doubled(hidden), _doubled(answer)], 1)
        answer = _of_length_one(_refined(weights, f"{_DECODER}.out_conv_res{size}", seen))
    return answer[:, :3]


def _stages(weights: Weights, pixels: Tensor) -> tuple[list[Tensor], Tensor]:
    """The map of each stage, and the last one with many channels."""
    hidden = _same_size(weights, f"{_ENCODER}.conv_stem", pixels, 2)
    hidden = silu(_normed(weights, f"{_ENCODER}.bn1", hidden))
    maps = []
    for stage, first in enumerate(_STRIDES):
        for block in count():
            at = f"{_ENCODER}.blocks.{stage}.{block}"
            if block > 0 and f"{at}.conv_pw.weight" not in weights:
                break
            hidden = _block(weights, at, hidden, first if block == 0 else 1)
        maps.append(hidden)
    return maps, convolved(weights, f"{_ENCODER}.conv_head", hidden)


def _block(weights: Weights, at: str, hidden: Tensor, stride: int) -> Tensor:
    """Wider (but in the first stage), each channel for itself, weighed by channel, and narrower."""
    inner, norm = hidden, 1
    is_wide = f"{at}.conv_pwl.weight" in weights
    if is_wide:
        inner = silu(_normed(weights, f"{at}.bn1", convolved(weights, f"{at}.conv_pw", hidden)))
        norm = 2
    inner = _same_size(weights, f"{at}.conv_dw", inner, stride, groups=inner.shape[1])
    inner = silu(_normed(weights, f"{at}.bn{norm}", inner))
    mean = silu(convolved(weights, f"{at}.se.conv_reduce", inner.mean((2, 3), keepdim=True)))
    inner = inner * convolved(weights, f"{at}.se.conv_expand", mean).sigmoid()
    last = f"{at}.conv_pwl" if is_wide else f"{at}.conv_pw"
    made = _normed(weights, f"{at}.bn{norm + 1}", convolved(weights, last, inner))
    return hidden + made if made.shape == hidden.shape else made


def _same_size(weights: Weights, name: str, hidden: Tensor, stride: int, *, groups: int = 1) -> Tensor:
    """A convolution with TensorFlow's border: the stride divides the size, and an odd rest lies right and below."""
    kernel = weights[f"{name}.weight"].shape[-1]
    rests = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in hidden.shape[-2:]]
    (down, across) = rests
    widened = pad(hidden, (across // 2, across - across // 2, down // 2, down - down // 2))
    return convolved(weights, name, widened, stride=stride, groups=groups)


def _joined(weights: Weights, at: str, hidden: Tensor, beside: Tensor) -> Tensor:
    enlarged = interpolate(hidden, beside.shape[-2:], mode="bilinear", align_corners=True)
    made = torch.cat([enlarged, beside], 1)
    for conv in (0, 3):
        made = convolved(weights, f"{at}.{conv}", made, padding=1)
        made = leaky_relu(_normed(weights, f"{at}.{conv + 1}", made, eps=_DECODER_EPS))
    return made


def _refined(weights: Weights, at: str, seen: Tensor) -> Tensor:
    """Each pixel for itself through four layers."""
    hidden = seen.flatten(2)
    for layer in (0, 2, 4, 6):
        hidden = conv1d(hidden, weights[f"{at}.{layer}.weight"], weights[f"{at}.{layer}.bias"])
        hidden = hidden.relu() if layer < 6 else hidden
    return hidden.reshape(*hidden.shape[:2], *seen.shape[-2:])


def _of_length_one(answer: Tensor) -> Tensor:
    """(1, 4, h, w): the direction with length 1, and how sure the network is of it, which is positive."""
    length = answer[:, :3].square().sum(1, keepdim=True).sqrt() + _LEAST_LENGTH
    sure = torch.nn.functional.elu(answer[:, 3:]) + 1 + _LEAST_SURENESS
    return torch.cat([answer[:, :3] / length, sure], 1)


def _doubled(hidden: Tensor) -> Tensor:
    return interpolate(hidden, scale_factor=2.0, mode="bilinear", align_corners=True)


def _normed(weights: Weights, name: str, hidden: Tensor, eps: float = _EPS) -> Tensor:
    mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    return batch_norm(hidden, mean, var, weights[f"{name}.weight"], weights[f"{name}.bias"], eps=eps)
