"""Maps in which each kind of thing has its own colour, drawn by a segmentation network that the user has installed."""

import numpy as np
import torch

from webui.extension_api.tensors import Segmenter

from .maps import Map, resized_for
from .palette import ADE20K
from .preprocessors import Settings

CLASSES = len(ADE20K)


def segmentation_map(network: Segmenter, picture: Map, settings: Settings) -> Map:
    """Each pixel in the colour of its class of ADE20K."""
    padded, (height, width) = resized_for(picture, settings.resolution)
    pixels = torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1)[None].float() / 255
    drawn: Map = colours()[network(pixels)[0].cpu().numpy()]
    return drawn[:height, :width]


def colours() -> Map:
    """(150, 3) uint8 RGB."""
    packed = np.array(ADE20K, np.uint32)
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=1).astype(np.uint8)
