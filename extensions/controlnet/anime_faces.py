"""The parts of drawn faces, each in a colour of its own, from `UNet.pth` (siyeong0/Anime-Face-Segmentation, MIT): a
U-Net whose way down is a MobileNetV2.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import instance_norm, interpolate, leaky_relu

from .annotator_weights import Annotator, Weights, pixels_of_map
from .edge_networks import convolved
from .maps import Map
from .mobile_blocks import evenly, inverted_residual, stem

SIDE = 512  # pixels of the short side at which it was trained
# background, hair, eye, mouth, face, skin, clothes
COLOURS = (
    (255, 255, 0), (0, 0, 255), (255, 0, 0), (255, 255, 255), (0, 255, 0), (0, 255, 255), (255, 0, 255),
)  # fmt: skip
_STRIDES = ((2, 1), (2, 1, 1), (2, 1, 1, 1, 1, 1, 1), (2, 1, 1))  # of the blocks of each stage below the first
_SLOPE = 0.1


def face_parts(weights: Weights, pixels: Tensor) -> Tensor:
    """Which part each pixel is: (1, 3, H, W) RGB in 0..1 to (1, 7, H, W), largest for the likeliest."""
    hidden = stem(weights, "en_block0.0", pixels, evenly)
    hidden = inverted_residual(weights, "en_block0.1", hidden, 1, evenly)
    maps = [hidden]
    for stage, strides in enumerate(_STRIDES, 1):
        for block, stride in enumerate(strides):
            hidden = inverted_residual(weights, f"en_block{stage}.{block}", hidden, stride, evenly)
        maps.append(hidden)
    for stage in (4, 3, 2, 1):
        beside = maps[stage - 1]
        raised = leaky_relu(instance_norm(_doubled(weights, f"de_block{stage}.1", hidden)), _SLOPE)
        raised = interpolate(raised, beside.shape[-2:], mode="bilinear", align_corners=True)
        hidden = torch.cat([raised, beside], 1)
    return _doubled(weights, "de_block0.1", hidden)


def face_map(network: Annotator, padded: Map) -> NDArray[np.uint8]:
    """(H, W, 3): each pixel in the colour of its part."""
    height, width = padded.shape[:2]
    scale = SIDE / min(height, width)
    size = (max(SIDE, int(width * scale)), max(SIDE, int(height * scale)))
    seen = padded if size == (width, height) else cv2.resize(padded, size, interpolation=cv2.INTER_CUBIC)
    parts = network(pixels_of_map(seen.astype(np.uint8)) / 255)[0].argmax(0).numpy()
    drawn: Map = np.array(COLOURS, np.uint8)[parts]
    if drawn.shape[:2] != (height, width):
        drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
    return drawn


def _doubled(weights: Weights, name: str, hidden: Tensor) -> Tensor:
    return convolved(weights, name, interpolate(hidden, scale_factor=2.0, mode="nearest"), padding=1)
