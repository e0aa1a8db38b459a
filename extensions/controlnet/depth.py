"""Preprocessors that draw depth with a network of the user's: which folder holds it, and the map made of its answer.

How such networks are read and run is the program's; nothing here names a path that a request could choose.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from webui.plugins.api import Models, UnusableFileError
from webui.plugins.tensors import DepthNetwork, build_depth

from .maps import Map, resized_for, three_channels
from .preprocessors import Preprocessor, Settings
from .weights import CONFIG, PROCESSOR, text_beside, weights_of

_FAR, _NEAR = 85, 2  # percentiles of the distance that become black and white


def depth_preprocessor(name: str, models: Models, device: torch.device) -> Preprocessor:
    """The preprocessor of that name. Its network is loaded when the first map is drawn, and kept for further jobs.

    Raises:
        UnusableFileError: its folder is missing or holds something else; says what belongs there.
    """
    path = weights_of(name, models)
    text_beside(path, CONFIG)

    def draw(picture: Map, settings: Settings) -> Map:
        return depth_map(load(name, path, models, device), picture, settings)

    return draw


def load(name: str, path: Path, models: Models, device: torch.device) -> DepthNetwork:
    """The network of a folder. Raises UnusableFileError, NotFiniteError where it cannot be used."""
    config = text_beside(path, CONFIG)
    processor = text_beside(path, PROCESSOR) if path.with_name(PROCESSOR).is_file() else ""
    try:
        return models.load(path, partial(build_depth, config=config, processor=processor, device=device))
    except UnusableFileError as error:
        raise UnusableFileError(f"{name}: {path.parent.name}/{error}") from error


def depth_map(network: DepthNetwork, picture: Map, settings: Settings) -> Map:
    """What is near is bright, over the whole range from 0 to 255, as sd-webui-controlnet draws it.

    Of distances, which have no natural end, a few of the nearest and the farthest are cut off.
    """
    padded, (height, width) = resized_for(picture, settings.resolution)
    pixels = torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1)[None].float() / 255
    depth = network(pixels, resized=not network.takes_any)
    if depth.shape[-2:] != padded.shape[:2]:
        depth = torch.nn.functional.interpolate(depth, padded.shape[:2], mode="bilinear", align_corners=False)
    values = depth[0, 0].cpu().numpy().astype(np.float64)
    if not np.isfinite(values).all():
        raise UnusableFileError("the depth network answered with NaN or infinity; take another file")
    if network.is_distance:
        drawn = 1 - _spread(values, *np.percentile(values, (_NEAR, _FAR)))
    else:
        drawn = _spread(values, values.min(), values.max())
    return three_channels((drawn * 255).clip(0, 255).astype(np.uint8)[:height, :width])


def _spread(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """0 at `low`, 1 at `high`; 0 everywhere where there is nothing between them."""
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
