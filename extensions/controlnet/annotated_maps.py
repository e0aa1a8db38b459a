"""Maps by networks that are filled from the files that people have: edges, scribbles, lines and parts of faces."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from webui.extension_api import Models

from .anime_faces import face_map, face_parts
from .annotator_files import files_of
from .annotator_weights import annotator, pixels_of_map
from .edge_networks import hed, teed
from .lineart_networks import lines_of_anime, lines_of_photo
from .manga_lines import printed_lines
from .maps import Map, line_maxima, resized_for, three_channels
from .preprocessors import Preprocessor, Settings, standard_lines
from .surface_normals import surface_normals
from .wireframes import CHANNELS, drawn_lines, lines_of_rooms

_SAFE_STEPS = 2
_ANIME_SIDE = 256  # pixels, of which both sides must be multiples
_LEAST_PATCH = 12  # pixels of a line drawing's patch that anyline keeps
_SCRIBBLE_BLUR, _SCRIBBLE_SURE, _SCRIBBLE_DRAWN = 3.0, 127, 4
Draw = Callable[[Map, Settings, Path, Models, torch.device], NDArray[np.uint8]]


def annotated(module: str, models: Models, device: torch.device) -> Preprocessor:
    """The preprocessor of a module in `DRAWN_FROM_FILES`. Its network is loaded when the first map is drawn.

    Raises:
        UnusableFileError: its file is missing; says which, and its folder.
    """
    [path] = files_of(module, models)
    draw = DRAWN_FROM_FILES[module]

    def drawn(picture: Map, settings: Settings) -> Map:
        padded, (height, width) = resized_for(picture, settings.resolution)
        made = draw(padded, settings, path, models, device)
        return three_channels(np.ascontiguousarray(made[:height, :width]))

    return drawn


def stepped(values: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Values in 0..1 cut to so many steps, which hides in soft edges what else would show through ("safe")."""
    return (values * np.float32(steps + 1)).astype(np.int32).astype(np.float32) / np.float32(steps)


def as_scribble(edges: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Strokes of one width along the ridges of soft edges: 0 or 255."""
    blurred = cv2.GaussianBlur(edges.astype(np.float32), (0, 0), _SCRIBBLE_BLUR).astype(np.float32)
    ridges = np.where(line_maxima(blurred) > _SCRIBBLE_SURE, 255, 0).astype(np.uint8)
    thick = cv2.GaussianBlur(ridges, (0, 0), _SCRIBBLE_BLUR)
    return np.where(thick > _SCRIBBLE_DRAWN, 255, 0).astype(np.uint8)


def _soft_edges(
    padded: Map, settings: Settings, path: Path, models: Models, device: torch.device, *, safe: bool = False
) -> NDArray[np.uint8]:
    values = annotator(models, path, hed, device)(pixels_of_map(padded))[0, 0].numpy()
    if safe:
        values = stepped(values, _SAFE_STEPS)
    return (values * 255).clip(0, 255).astype(np.uint8)


def _scribble(padded: Map, settings: Settings, path: Path, models: Models, device: torch.device) -> NDArray[np.uint8]:
    return as_scribble(_soft_edges(padded, settings, path, models, device))


def _photo_lines(
    padded: Map, settings: Settings, path: Path, models: Models, device: torch.device
) -> NDArray[np.uint8]:
    """White lines on black, as control networks were trained."""
    lines = annotator(models, path, lines_of_photo, device)(pixels_of_map(padded) / 255)[0, 0].numpy()
    return 255 - (lines * 255).clip(0, 255).astype(np.uint8)


def _printed_lines(
    padded: Map, settings: Settings, path: Path, models: Models, device: torch.device
) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(padded, cv2.COLOR_RGB2GRAY).astype(np.float32)
    lines = annotator(models, path, printed_lines, device, channels=1)(torch.from_numpy(grey)[None, None])
    return (255 - lines[0, 0].numpy()).clip(0, 255).astype(np.uint8)


def _anime_lines(
    padded: Map, settings: Settings, path: Path, models: Models, device: torch.device
) -> NDArray[np.uint8]:
    height, width = padded.shape[:2]
    size = tuple(-(-side // _ANIME_SIDE) * _ANIME_SIDE for side in (width, height))
    seen = cv2.resize(padded, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    made = annotator(models, path, lines_of_anime, device)(pixels_of_map(seen) / 127.5 - 1)[0, 0].numpy()
    lines = cv2.resize(made * 255, (width, height), interpolation=cv2.INTER_CUBIC)
    return 255 - lines.clip(0, 255).astype(np.uint8)


def _tiny_edges(padded: Map, settings: Settings, path: Path, models: Models, device: torch.device) -> NDArray[np.uint8]:
    """TEED's edges, in as many steps as threshold A says; 0: smooth."""
    values = annotator(models, path, teed, device)(pixels_of_map(padded))[0, 0].numpy()
    steps = int(settings.threshold_a)
    if steps > 0:
        values = stepped(values, steps)
    return (values * 255).clip(0, 255).astype(np.uint8)


def _any_line(padded: Map, settings: Settings, path: Path, models: Models, device: torch.device) -> NDArray[np.uint8]:
    """TEED's edges, darkened where a drawing of lines has a patch of the faintest grey that is no speck."""
    edges = _tiny_edges(padded, settings, path, models, device)
    faint = (standard_lines(padded) == 1).astype(np.uint8)
    _, patches, facts, _ = cv2.connectedComponentsWithStats(faint, connectivity=4)
    large = np.asarray(facts)[:, cv2.CC_STAT_AREA] >= _LEAST_PATCH
    return np.where(large[np.asarray(patches)] & (faint > 0), 1, edges).astype(np.uint8)


def _straight_lines(
    padded: Map, settings: Settings, path: Path, models: Models, device: torch.device
) -> NDArray[np.uint8]:
    network = annotator(models, path, lines_of_rooms, device, channels=CHANNELS)
    return drawn_lines(network, padded, settings.threshold_a, settings.threshold_b)


def _normals(padded: Map, settings: Settings, path: Path, models: Models, device: torch.device) -> NDArray[np.uint8]:
    """Directions as colours: -1..1 becomes 0..255."""
    network = annotator(models, path, surface_normals, device, below="model.")
    directions = network(pixels_of_map(padded) / 255)[0].permute(1, 2, 0).numpy()
    return ((directions + 1) / 2 * 255).clip(0, 255).astype(np.uint8)


def _face_parts(padded: Map, settings: Settings, path: Path, models: Models, device: torch.device) -> NDArray[np.uint8]:
    return face_map(annotator(models, path, face_parts, device), padded)


DRAWN_FROM_FILES: Mapping[str, Draw] = MappingProxyType(
    {
        "softedge_hed": _soft_edges,
        "softedge_hedsafe": partial(_soft_edges, safe=True),
        "scribble_hed": _scribble,
        "lineart_realistic": _photo_lines,
        "lineart_coarse": _photo_lines,
        "lineart_anime": _anime_lines,
        "lineart_anime_denoise": _printed_lines,
        "softedge_teed": _tiny_edges,
        "softedge_anyline": _any_line,
        "mlsd": _straight_lines,
        "normal_bae": _normals,
        "seg_anime_face": _face_parts,
    }
)
