"""The arithmetic of guidance, pure: weighted sums of AND parts and CFG rescale."""

import torch
from torch import Tensor

from webui.sampling.parameterisation import Parameterisation

_LEAST = 1e-8  # a deviation; an estimate without any is left as it is


def guide(rows: Tensor, against: Tensor, weights: list[list[float]], scale: float) -> Tensor:
    """u + sum_j w_j x scale x (c_j - u) for each image.

    Composable guidance (arXiv:2206.01714); with one part of weight 1 it is ordinary classifier-free guidance.

    Args:
        rows: (R, C, h, w), the parts of image 0, then those of image 1, ...
        against: (B, C, h, w), the negative prompt's.
        weights: for each image the weights of its parts, R numbers in all.
    """
    if all(parts == [weights[0][0]] for parts in weights):
        return against + (rows - against) * (weights[0][0] * scale)
    guided, row = against.clone(), 0
    for image, parts in enumerate(weights):
        for weight in parts:
            guided[image] += (rows[row] - against[image]) * (weight * scale)
            row += 1
    return guided


def towards_picture(guided: Tensor, shown: Tensor, unseen: Tensor, scale: float) -> Tensor:
    """Add guidance towards a picture to an estimate that is already guided by text (arXiv:2211.09800, equation 3). All
    (B, C, h, w).

    Args:
        shown: the output for the negative prompt with the picture, away from which `guided` was guided.
        unseen: the output for the negative prompt without the picture.
    """
    return guided + (scale - 1) * (shown - unseen)


def with_spread_of(guided: Tensor, cond: Tensor, strength: float) -> Tensor:
    """CFG rescale (arXiv:2305.08891, equations 15 and 16): `guided` with the standard deviation of `cond`, image by
    image. Both are (B, C, h, w).

    Args:
        cond: what the prompt alone gives, in the same quantity (output, noise or clean estimate).
        strength: phi of the paper; 0 changes nothing, 1 takes the whole deviation over.
    """
    ratio = _deviation(cond) / _deviation(guided).clamp(min=_LEAST)
    return torch.lerp(guided, guided * ratio, strength)


def rescaled(
    guided: Tensor, cond: Tensor, latents: Tensor, sigma: Tensor, asked: Parameterisation, strength: float
) -> Tensor:
    """CFG rescale of a guided clean estimate, all (B, C, h, w).

    The paper rescales the output of the network, so both estimates are converted back to outputs first.
    """
    mine, target = asked.output(guided, latents, sigma), asked.output(cond, latents, sigma)
    return asked.of_output(with_spread_of(mine, target, strength), latents, sigma)


def _deviation(tensor: Tensor) -> Tensor:
    """(B, 1, 1, 1) standard deviation of each image."""
    return tensor.std(dim=(1, 2, 3), keepdim=True)
