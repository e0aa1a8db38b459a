"""Straight lines by M-LSD (Gu et al. 2021, arXiv:2106.00186), from `mlsd_large_512_fp32.pth`."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from .annotator_weights import Annotator, Weights
from .edge_networks import convolved
from .maps import Map
from .mobile_blocks import as_tensorflow, inverted_residual, normed, stem

CHANNELS = 4  # red, green, blue and ones
_STAGES = ((1, 1), (2, 2), (3, 2), (4, 2), (3, 1))  # blocks of each, and the stride of its first
_MERGED = ((17, 2), (19, 1), (21, 0))  # the block that takes in a stage's map from below, and that stage
_LINES, _APART = 200, 3  # lines at most, and the side of the square in which one centre remains
_UNUSED = 7  # channels of the answer that only training looks at


def lines_of_rooms(weights: Weights, pixels: Tensor) -> Tensor:
    """(1, 4, H, W) in -1..1 to (1, 9, H / 2, W / 2): a centre's score before the sigmoid, and from each centre the
    shifts to both ends of its line (x, y, x, y) in pixels of the answer.
    """
    hidden = stem(weights, "backbone.features.0", pixels, as_tensorflow)
    maps, number = [], 1
    for blocks, first in _STAGES:
        for block in range(blocks):
            at = f"backbone.features.{number}"
            hidden = inverted_residual(weights, at, hidden, first if block == 0 else 1, as_tensorflow)
            number += 1
        maps.append(hidden)
    hidden = _refined(weights, "block16", _joined(weights, "block15", maps[3], maps[4], grows=False))
    for block, stage in _MERGED:
        hidden = _refined(weights, f"block{block + 1}", _joined(weights, f"block{block}", maps[stage], hidden))
    hidden = _layer(weights, "block23.conv1", hidden, padding=5, dilation=5)
    hidden = _layer(weights, "block23.conv2", hidden, padding=1)
    return convolved(weights, "block23.conv3", hidden)[:, _UNUSED:]


def drawn_lines(network: Annotator, padded: Map, least_score: float, least_length: float) -> NDArray[np.uint8]:
    """White lines on black, (H, W).

    Args:
        padded: (H, W, 3) RGB.
        least_length: in pixels of half the size.
    """
    ones = np.ones((*padded.shape[:2], 1), np.float32)
    seen = np.concatenate([padded.astype(np.float32), ones], axis=2) / 127.5 - 1
    answer = network(torch.from_numpy(np.ascontiguousarray(seen)).permute(2, 0, 1)[None])[0]
    canvas = np.zeros(padded.shape[:2], np.uint8)
    for line in found_lines(answer, least_score, least_length):
        left, top, right, bottom = (int(value) for value in 2 * line)
        cv2.line(canvas, (left, top), (right, bottom), 255, 1)
    return canvas


def found_lines(answer: Tensor, least_score: float, least_length: float) -> NDArray[np.float32]:
    """(n, 4) x, y, x, y of both ends in pixels of the answer (9, h, w), surest first."""
    sure = answer[0].sigmoid()
    largest = max_pool2d(sure[None, None], _APART, 1, _APART // 2)[0, 0]
    kept = torch.where(largest == sure, sure, torch.zeros_like(sure)).flatten()
    scores, places = kept.topk(min(_LINES, len(kept)))
    down, across = places // sure.shape[1], places % sure.shape[1]
    shifts = answer[1:5, down, across].T
    long = (shifts[:, :2] - shifts[:, 2:]).norm(dim=1) > least_length
    lines = torch.stack([across, down, across, down], 1) + shifts
    found: NDArray[np.float32] = lines[long & (scores > least_score)].numpy()
    return found


def _joined(weights: Weights, at: str, beside: Tensor, below: Tensor, *, grows: bool = True) -> Tensor:
    """A stage's map beside what lies below it, at the size of the former."""
    below = _layer(weights, f"{at}.conv1", below)
    if grows:
        below = interpolate(below, scale_factor=2.0, mode="bilinear", align_corners=True)
    return torch.cat([_layer(weights, f"{at}.conv2", beside), below], 1)


def _refined(weights: Weights, at: str, hidden: Tensor) -> Tensor:
    hidden = hidden + _layer(weights, f"{at}.conv1", hidden, padding=1)
    return _layer(weights, f"{at}.conv2", hidden, padding=1)


def _layer(weights: Weights, at: str, hidden: Tensor, *, padding: int = 0, dilation: int = 1) -> Tensor:
    made = convolved(weights, f"{at}.0", hidden, padding=padding, dilation=dilation)
    return normed(weights, f"{at}.1", made).relu()
