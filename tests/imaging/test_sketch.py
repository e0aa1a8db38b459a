"""Paint over a picture: what it makes of the picture, and the mask it leaves."""

import numpy as np
from PIL import Image

from tests.narrowing import channels
from webui.imaging.sketch import blended, paint_alpha, paint_mask, painted_over

SIZE = (32, 24)
NOISE = Image.fromarray(np.random.default_rng(3).integers(0, 255, (24, 32, 3), dtype=np.uint8))


def layer(colour: tuple[int, int, int, int], box: tuple[int, int, int, int]) -> Image.Image:
    clear = Image.new("RGBA", SIZE)
    clear.paste(colour, box)
    return clear


def test_the_last_layer_lies_on_top() -> None:
    red, blue = layer((255, 0, 0, 255), (4, 4, 20, 20)), layer((0, 0, 255, 255), (10, 4, 20, 20))
    painted = painted_over(NOISE, [red, blue])
    assert (painted.mode, painted.getpixel((5, 5)), painted.getpixel((12, 5))) == ("RGB", (255, 0, 0), (0, 0, 255))
    assert painted.getpixel((0, 0)) == NOISE.getpixel((0, 0))
    assert painted_over(NOISE, []).tobytes() == NOISE.tobytes()


def test_a_layer_of_another_size_is_fitted() -> None:
    small = Image.new("RGBA", (16, 12), (1, 2, 3, 255))
    assert painted_over(NOISE, [small]).getcolors() == [(32 * 24, (1, 2, 3))]
    assert paint_alpha(SIZE, [small]).getcolors() == [(32 * 24, 255)]


def test_the_mask_is_where_pixels_differ() -> None:
    flat = Image.new("RGB", SIZE, (10, 20, 30))
    painted = painted_over(flat, [layer((10, 20, 31, 255), (8, 8, 16, 16)), layer((10, 20, 30, 255), (0, 0, 8, 8))])
    mask = paint_mask(flat, painted)
    assert mask is not None
    assert mask.getbbox() == (8, 8, 16, 16)  # the square in the picture's own colour changed nothing
    assert mask.getcolors() == [(32 * 24 - 64, 0), (64, 255)]
    assert paint_mask(flat, flat) is None


def test_transparency_takes_from_the_mask() -> None:
    painted = painted_over(NOISE, [layer((255, 255, 255, 255), (8, 8, 16, 16))])
    mask = paint_mask(NOISE, painted, transparency=40)
    assert mask is not None
    assert mask.getextrema() == (0, 153)
    assert paint_mask(NOISE, painted, transparency=100) is None


def test_without_blur_the_start_is_the_painted_picture() -> None:
    painted = painted_over(NOISE, [layer((255, 255, 255, 255), (8, 8, 16, 16))])
    mask = paint_mask(NOISE, painted)
    assert mask is not None
    assert blended(NOISE, painted, mask, 0).tobytes() == painted.tobytes()
    soft = np.asarray(blended(NOISE, painted, mask, 2)).astype(int)
    assert soft[11, 11].tolist() != painted.getpixel((11, 11))
    assert soft[0, 31].tolist() == list(channels(NOISE, 31, 0))
