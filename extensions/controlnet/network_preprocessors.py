"""Preprocessors that draw with a network that the user has installed. The network is found by the preprocessor's name.

No path can be chosen by a request.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from webui.extension_api import Models, UnusableFileError
from webui.extension_api.tensors import build_depth, build_segmenter

from .depth import depth_map, normal_map
from .maps import Map
from .preprocessors import Preprocessor, Settings
from .segmentation import CLASSES, segmentation_map
from .weights import CONFIG, PROCESSOR, text_beside, weights_of


def network_preprocessor(name: str, models: Models, device: torch.device) -> Preprocessor:
    """The preprocessor of that name. Its network is loaded when the first map is drawn, and kept for further jobs.

    Raises:
        UnusableFileError: its folder is missing or holds something else; says what belongs there.
    """
    path = weights_of(name, models)
    text_beside(path, CONFIG)
    draw: Callable[[Any, Map, Settings], Map] = (
        segmentation_map if _segments(name) else normal_map if name == "normal_midas" else depth_map
    )

    def drawn(picture: Map, settings: Settings) -> Map:
        return draw(load(name, path, models, device), picture, settings)

    return drawn


def load(name: str, path: Path, models: Models, device: torch.device) -> Any:
    """The network of a folder. Raises UnusableFileError, NotFiniteError where it cannot be used."""
    config = text_beside(path, CONFIG)
    processor = text_beside(path, PROCESSOR) if path.with_name(PROCESSOR).is_file() else ""
    build = partial(build_segmenter, classes=CLASSES) if _segments(name) else build_depth
    try:
        return models.load(path, partial(build, config=config, processor=processor, device=device))
    except UnusableFileError as error:
        raise UnusableFileError(f"{name}: {path.parent.name}/{error}") from error


def _segments(name: str) -> bool:
    return name.startswith("seg_")
