"""Draws maps of depth, and of the normals that follow from it, with a network that the user has installed. The program
itself reads and runs such networks.
"""

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import DepthNetwork

from .maps import Map, resized_for, three_channels
from .preprocessors import Settings

_FAR, _NEAR = 85, 2  # percentiles of the distance that become black and white
_TOWARDS = 2 * math.pi  # the part of a normal that points to the camera, before it has length 1


def depth_map(network: DepthNetwork, picture: Map, settings: Settings) -> Map:
    """The depth map: near things are bright, over the whole range from 0 to 255, as sd-webui-controlnet draws it.

    Networks that output distances have no largest value, so the extremes are cut off at percentiles.
    """
    padded, (height, width) = resized_for(picture, settings.resolution)
    values = _depth(network, padded)
    if network.is_distance:
        drawn = 1 - _spread(values, *np.percentile(values, (_NEAR, _FAR)))
    else:
        drawn = _spread(values, values.min(), values.max())
    return three_channels((drawn * 255).clip(0, 255).astype(np.uint8)[:height, :width])


def normal_map(network: DepthNetwork, picture: Map, settings: Settings) -> Map:
    """Directions of surfaces from the slope of depth, as colours: z, y, x in red, green, blue.

    Where the depth, brought to 0..1, is under threshold A, the surface faces the camera.
    """
    padded, (height, width) = resized_for(picture, settings.resolution)
    values = _depth(network, padded)
    slopes = [cv2.Sobel(values.astype(np.float32), cv2.CV_32F, *axis, ksize=3) for axis in ((1, 0), (0, 1))]
    is_far = _spread(values, values.min(), values.max()) < settings.threshold_a
    across, down = (np.where(is_far, 0, one) for one in slopes)
    normals = np.stack([np.full_like(across, _TOWARDS), down, across], axis=2)
    normals /= np.sqrt((normals**2).sum(axis=2, keepdims=True))
    drawn: Map = (normals * 127.5 + 127.5).clip(0, 255).astype(np.uint8)[:height, :width]
    return drawn


def _depth(network: DepthNetwork, padded: Map) -> NDArray[np.float64]:
    """(H, W): what the network answers, at the size of the picture."""
    pixels = torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1)[None].float() / 255
    depth = network(pixels, resized=not network.takes_any)
    if depth.shape[-2:] != padded.shape[:2]:
        depth = torch.nn.functional.interpolate(depth, padded.shape[:2], mode="bilinear", align_corners=False)
    values = depth[0, 0].cpu().numpy().astype(np.float64)
    if not np.isfinite(values).all():
        raise UnusableFileError("the depth network answered with NaN or infinity; take another file")
    return values


def _spread(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """The values scaled so that `low` becomes 0 and `high` 1; all 0 where the two are equal."""
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
