"""Enlarging 8-bit pictures: by a filter, or by a network in tiles. The networks themselves are loaded in `weights/`.

The order of passes, the blending of tiles and the sizes in hires fix are those of A1111, so that pictures are the same.
"""

import math
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]  # (h, w, 3), RGB in 0..1
UpscalerPass = Callable[[Image.Image], Image.Image]  # one pass of an upscaler: returns a larger picture
Watch = Callable[[int, int], None]  # (tiles done, of); may raise Cancelled

LANCZOS, NEAREST = Image.Resampling.LANCZOS, Image.Resampling.NEAREST
MAX_PASSES = 3
STEP = 8  # A1111 cuts the sides of what it enlarges down to multiples of it
TILE, OVERLAP = 192, 8  # pixels of the picture that goes in


class TileModel(Protocol):
    """A network that enlarges pictures of any size.

    Attributes:
        scale: factor on both sides.
        averages: whether overlaps of tiles are averaged; otherwise each tile fades in over its neighbour.
    """

    @property
    def scale(self) -> int: ...
    @property
    def averages(self) -> bool: ...
    def __call__(self, pixels: Pixels) -> Pixels: ...


def upscale(image: Image.Image, scale: float, once: UpscalerPass, *, in_eights: bool = False) -> Image.Image:
    """The picture enlarged by `scale`, sides rounded to whole pixels, so that it keeps its proportions.

    Args:
        in_eights: both sides are cut down to multiples of 8, as in A1111.
    """
    whole = cut if in_eights else rounded
    width, height = (max(1, whole(side * scale)) for side in image.size)
    return _grown(image, width, height, scale, once)


def is_in_eights(image: Image.Image) -> bool:
    """Whether both sides are multiples of 8, as those of every picture are that a latent model made."""
    return image.width % STEP == 0 and image.height % STEP == 0


def _grown(image: Image.Image, width: int, height: int, scale: float, once: UpscalerPass) -> Image.Image:
    """The picture at width x height, by passes that shall reach `scale`.

    The pass is repeated, three times at most, until both sides are long enough. Lanczos brings the picture to its size.
    """
    for number in range(MAX_PASSES):
        if image.width >= width and image.height >= height and (number > 0 or scale != 1):
            break
        before = image.size
        image = once(image)
        if image.size == before:
            break
    return image if image.size == (width, height) else image.resize((width, height), LANCZOS)


def resized(image: Image.Image, width: int, height: int, once: Callable[[float], UpscalerPass] | None) -> Image.Image:
    """The picture at exactly width x height.

    Args:
        once: takes the factor wanted and returns the upscaler's pass, for a picture that must grow; None: Lanczos only.
    """
    scale = max(width / image.width, height / image.height)
    if once is not None and scale > 1:
        wide, high = (cut(side * scale) for side in image.size)
        image = _grown(image, wide, high, scale, once(scale))
    return image if image.size == (width, height) else image.resize((width, height), LANCZOS)


def rounded(side: float) -> int:
    """The nearest whole number of pixels, halves upwards."""
    return math.floor(side + 0.5)


def cut(side: float) -> int:
    """The largest multiple of 8 that is no longer than the side, but 8 at least."""
    return max(STEP, int(side // STEP * STEP))


def by_filter(scale: float, resample: Image.Resampling, whole: Callable[[float], int] = rounded) -> UpscalerPass:
    """A pass that is a filter: Lanczos or nearest neighbour. `whole` says which whole number of pixels a side gets."""

    def once(image: Image.Image) -> Image.Image:
        width, height = (max(1, whole(side * scale)) for side in image.size)
        return image.resize((width, height), resample)

    return once


def by_model(model: TileModel, watch: Watch, *, tile: int = TILE, overlap: int = OVERLAP) -> UpscalerPass:
    """A pass that runs a network over tiles. Transparency is enlarged by Lanczos.

    Args:
        tile: side of the square tiles in pixels of the picture; 0 works on the whole picture at once.
    """

    def once(image: Image.Image) -> Image.Image:
        colours = image.convert("RGB")
        if tile <= 0 or max(image.size) <= tile:
            watch(0, 1)
            large = _image(model(_pixels(colours)))
            watch(1, 1)
        elif model.averages:
            large = _averaged(model, colours, watch, tile, overlap)
        else:
            large = _faded(model, colours, watch, tile, overlap)
        if image.has_transparency_data:
            large.putalpha(image.convert("RGBA").getchannel("A").resize(large.size, LANCZOS))
        return large

    return once


def places(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side: evenly spread, the last one ending at the edge."""
    count = max(1, math.ceil((length - overlap) / (tile - overlap)))
    distance = (length - tile) / (count - 1) if count > 1 else 0.0
    return [max(0, min(int(number * distance), length - tile)) for number in range(count)]


def _faded(model: TileModel, image: Image.Image, watch: Watch, tile: int, overlap: int) -> Image.Image:
    """The picture from rows of tiles, each of which fades in over those before it. One row is in memory beside the
    result.
    """
    scale, (width, height) = model.scale, image.size
    wide, high = min(tile, width), min(tile, height)
    tops, lefts = places(height, tile, overlap), places(width, tile, overlap)
    ramp = (np.arange(overlap * scale) * 255 / (overlap * scale)).astype(np.uint8)
    across = Image.fromarray(np.tile(ramp[None], (high * scale, 1)))
    down = Image.fromarray(np.tile(ramp[:, None], (1, width * scale)))
    result = Image.new("RGB", (width * scale, height * scale))
    done = _counted(watch, len(tops) * len(lefts))
    for top in tops:
        row = Image.new("RGB", (width * scale, high * scale))
        for left in lefts:
            next(done)
            small = image.crop((left, top, left + wide, top + high))
            _fade_in(row, _image(model(_pixels(small))), (left * scale, 0), across)
        _fade_in(result, row, (0, top * scale), down)
    next(done)
    return result


def _fade_in(onto: Image.Image, piece: Image.Image, place: tuple[int, int], ramp: Image.Image) -> None:
    """Paste a piece whose first columns (or rows) fade in by the ramp; at the picture's edge nothing fades."""
    x, y = place
    if x == 0 and y == 0:
        onto.paste(piece, place)
        return
    box = (0, 0, min(ramp.width, piece.width), min(ramp.height, piece.height))
    onto.paste(piece.crop(box), place, ramp.crop(box))
    if x:
        onto.paste(piece.crop((ramp.width, 0, *piece.size)), (x + ramp.width, y))
    else:
        onto.paste(piece.crop((0, ramp.height, *piece.size)), (x, y + ramp.height))


def _averaged(model: TileModel, image: Image.Image, watch: Watch, tile: int, overlap: int) -> Image.Image:
    """The picture from tiles at a fixed distance, with overlaps averaged."""
    scale, (width, height) = model.scale, image.size
    tile = min(tile, width, height)
    stride = tile - min(overlap, tile - 1)
    tops, lefts = ([*range(0, side - tile, stride), side - tile] for side in (height, width))
    total = np.zeros((height * scale, width * scale, 3), np.float32)
    weights = np.zeros((height * scale, width * scale, 1), np.float32)
    done = _counted(watch, len(tops) * len(lefts))
    for top in tops:
        for left in lefts:
            next(done)
            area = np.s_[top * scale : (top + tile) * scale, left * scale : (left + tile) * scale]
            total[area] += model(_pixels(image.crop((left, top, left + tile, top + tile))))
            weights[area] += 1
    next(done)
    total /= weights
    return _image(total)


def _counted(watch: Watch, total: int) -> Iterator[None]:
    """Tell how many tiles are done, once before each and once at the end."""
    for number in range(total + 1):
        watch(number, total)
        yield


def _pixels(image: Image.Image) -> Pixels:
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _image(pixels: Pixels) -> Image.Image:
    """8 bits by rounding."""
    return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
