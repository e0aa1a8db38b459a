"""Brings a preprocessor's output to a map of exactly the wanted size, as numpy arrays.

A map is (H, W, 3) uint8 RGB, or (H, W, 4) where the fourth channel is an inpainting mask (255: repaint). The latter is
brought to size in float32 and not rounded, as in A1111, because its pixels are those of the finished picture.
"""

from typing import Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.uint8]
FineMap = NDArray[np.float32]  # 0..255, or a little more or less where a cubic filter overshoots
Depth = TypeVar("Depth", np.uint8, np.float32)
Fit = Literal["Just Resize", "Crop and Resize", "Resize and Fill"]

_PAD = 64  # the sides of pictures for preprocessors are multiples of this
_SHARP_COLOURS = range(3, 200)  # a map with so few colours is a segmentation, whose colours must not be mixed
_THINNINGS = 32
_HALF = 127  # a mask counts as painted above this

# Thinning by hit-or-miss (Golay 1969, alphabet L): 1 must be set, -1 must not, 0 does not matter. Each is turned in
# four directions; the ends are what is cut off where thinning leaves short spurs.
_EDGE = ((-1, -1, -1), (0, 1, 0), (1, 1, 1))
_CORNER = ((0, -1, -1), (1, 1, -1), (0, 1, 0))
_END_LEFT = ((-1, -1, -1), (-1, 1, -1), (0, 0, -1))
_END_RIGHT = ((-1, -1, -1), (-1, 1, -1), (-1, 0, 0))


def three_channels(picture: NDArray[np.uint8]) -> Map:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) -> (H, W, 3); alpha lies on white."""
    if picture.ndim == 2:
        picture = picture[:, :, None]
    channels = picture.shape[2]
    if channels == 1:
        return np.repeat(picture, 3, axis=2)
    if channels == 4:
        colour, alpha = picture[:, :, :3].astype(np.float32), picture[:, :, 3:].astype(np.float32) / 255
        return (colour * alpha + 255 * (1 - alpha)).clip(0, 255).astype(np.uint8)
    return picture


def resized_for(picture: Map, resolution: int) -> tuple[Map, tuple[int, int]]:
    """The picture with its short side at `resolution`, padded by its edge to sides that are multiples of 64.

    Returns:
        The padded picture, and the height and width of the part that is not padding (top left).
    """
    height, width = picture.shape[:2]
    scale = resolution / min(height, width)
    inner = (round(height * scale), round(width * scale))
    scaled = cv2.resize(picture, inner[::-1], interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    pad = [(0, -side % _PAD) for side in inner] + [(0, 0)] * (picture.ndim - 2)
    return np.pad(scaled, pad, mode="edge"), inner


def pixel_perfect_resolution(picture: Map, height: int, width: int, fit: Fit) -> int:
    """The preprocessor resolution at which one pixel of its output becomes one pixel of the map."""
    raw_height, raw_width = picture.shape[:2]
    scales = (height / raw_height, width / raw_width)
    scale = min(scales) if fit == "Resize and Fill" else max(scales)
    exact: float = scale * min(raw_height, raw_width)
    return round(exact)


def fitted(drawn: NDArray[Depth], height: int, width: int, fit: Fit) -> NDArray[Depth]:
    """The map at exactly height x width, in the number format of the input. Its mask is 0 or 255.

    Args:
        fit: `Just Resize` stretches; `Crop and Resize` covers the size and cuts what stands out; `Resize and Fill` puts
            all of it in the middle of the median colour of its border.
    """
    if fit == "Just Resize":
        return np.ascontiguousarray(resized(drawn, height, width))
    own_height, own_width = drawn.shape[:2]
    scales = (height / own_height, width / own_width)
    if fit == "Resize and Fill":
        scale = min(scales)
        whole = resized(drawn, round(own_height * scale), round(own_width * scale))
        border = np.concatenate([drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]])
        colour = np.median(border, axis=0).astype(drawn.dtype)
        if drawn.shape[2] == 4:
            colour[3] = 255  # the added border is to be repainted
        canvas = np.tile(colour, (height, width, 1))
        top, left = max(0, (height - whole.shape[0]) // 2), max(0, (width - whole.shape[1]) // 2)
        canvas[top : top + whole.shape[0], left : left + whole.shape[1]] = whole
        return canvas
    scale = max(scales)
    whole = resized(drawn, round(own_height * scale), round(own_width * scale))
    top, left = max(0, (whole.shape[0] - height) // 2), max(0, (whole.shape[1] - width) // 2)
    return np.ascontiguousarray(whole[top : top + height, left : left + width])


def resized(drawn: NDArray[Depth], height: int, width: int) -> NDArray[Depth]:
    """The map stretched to height x width, by a filter that suits its content; the mask is set to 0 or 255 afterwards.

    Few colours are not mixed; two colours stay two; lines one pixel wide stay one pixel wide.
    """
    colour, mask = drawn[:, :, :3], drawn[:, :, 3:]
    if drawn.shape[:2] != (height, width):
        filter_ = _filter_for(colour, height * width)
        if mask.size:
            mask = cv2.resize(mask, (width, height), interpolation=filter_)[:, :, None].astype(drawn.dtype)
        colour = _stretched(colour, height, width, filter_)
    if not mask.size:
        return np.ascontiguousarray(colour)
    return np.concatenate([colour, np.where(mask > _HALF, 255, 0).astype(drawn.dtype)], axis=2)


def _filter_for(colour: NDArray[Depth], area: int) -> int:
    """OpenCV's filter that brings a picture to an area in pixels."""
    if len(np.unique(colour.reshape(-1, 3), axis=0)) in _SHARP_COLOURS:
        return cv2.INTER_NEAREST
    return cv2.INTER_AREA if area < colour.shape[0] * colour.shape[1] else cv2.INTER_CUBIC


def _stretched(colour: NDArray[Depth], height: int, width: int, filter_: int) -> NDArray[Depth]:
    scaled = cv2.resize(colour, (width, height), interpolation=filter_)
    is_binary = len(np.unique(colour.reshape(-1, 3), axis=0)) == 2 and colour.min() < 16 and colour.max() > 240
    if is_binary:
        grey = scaled.mean(axis=2).clip(0, 255).astype(np.uint8)
        grows = height * width > colour.shape[0] * colour.shape[1]
        scaled = np.repeat(_binary(grey, lines=_is_lines(colour), prune=grows)[:, :, None], 3, axis=2)
    return scaled.astype(colour.dtype)


def line_maxima(grey: NDArray[Depth]) -> NDArray[Depth]:
    """Keep pixels that are the largest of three along a row, a column or a diagonal (non-maximum suppression)."""
    straight = np.zeros((3, 3), np.uint8)
    straight[1] = 1
    lines = (straight, straight.T, np.eye(3, dtype=np.uint8), np.eye(3, dtype=np.uint8)[:, ::-1])
    kept = np.zeros_like(grey)
    for line in lines:
        is_largest = cv2.dilate(grey, np.ascontiguousarray(line)) == grey
        kept[is_largest] = grey[is_largest]
    return kept


def thinned(lines: NDArray[np.uint8], *, prune: bool) -> NDArray[np.uint8]:
    """White lines on black thinned to one pixel; `prune` also cuts the last pixel of every loose end."""
    drawn = lines
    for _ in range(_THINNINGS):
        drawn, changed = _hit_and_clear(drawn, _turned(_EDGE, _CORNER))
        if not changed:
            break
    return _hit_and_clear(drawn, _turned(_END_LEFT, _END_RIGHT))[0] if prune else drawn


def _is_lines(colour: NDArray[Depth]) -> bool:
    """Whether the map consists of lines: opening by three pixels removes most of its white."""
    square = np.ones((3, 3), np.uint8)
    opened = cv2.dilate(cv2.erode(colour, square), square)
    return bool(np.count_nonzero(opened < colour) * 2 > np.count_nonzero(colour > 127))


def _binary(grey: NDArray[np.uint8], *, lines: bool, prune: bool) -> NDArray[np.uint8]:
    drawn = otsu(line_maxima(grey) if lines else grey)
    return thinned(drawn, prune=prune) if lines else drawn


def otsu(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Black and white, cut where the two classes differ most (Otsu 1979)."""
    return cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1].astype(np.uint8)


def _turned(*kernels: tuple[tuple[int, int, int], ...]) -> list[NDArray[np.int32]]:
    return [np.ascontiguousarray(np.rot90(np.array(one, np.int32), turn)) for turn in range(4) for one in kernels]


def _hit_and_clear(lines: NDArray[np.uint8], kernels: list[NDArray[np.int32]]) -> tuple[NDArray[np.uint8], bool]:
    drawn, changed = lines.copy(), False
    for kernel in kernels:
        hit = cv2.morphologyEx(drawn, cv2.MORPH_HITMISS, kernel) > 127
        changed = changed or bool(hit.any())
        drawn[hit] = 0
    return drawn, changed
