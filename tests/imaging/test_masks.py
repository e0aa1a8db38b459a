"""Masks: what they cover, how they are blurred, and which box "only masked" works on."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from webui.domain.masks import Mask
from webui.imaging.masks import Box, blurred, coverage, doubled, painted_box, with_aspect


def square(box: Box, size: tuple[int, int] = (64, 64)) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


@pytest.mark.parametrize(
    ("box", "target", "image", "expected"),
    [  # answers of A1111's own function
        ((100, 100, 228, 132), (512, 512), (512, 512), (100, 52, 228, 180)),
        ((0, 0, 50, 200), (512, 512), (640, 480), (0, 0, 200, 200)),
        ((300, 400, 500, 470), (768, 512), (512, 512), (300, 369, 500, 502)),
        ((10, 10, 500, 20), (512, 768), (512, 512), (10, 0, 500, 512)),
        ((400, 100, 511, 300), (512, 512), (512, 512), (312, 100, 512, 300)),
    ],
)
def test_a_box_gets_the_aspect_of_its_target(
    box: Box, target: tuple[int, int], image: tuple[int, int], expected: Box
) -> None:
    assert with_aspect(box, target, image) == expected


def test_the_box_around_what_is_painted_has_a_margin_and_stays_inside() -> None:
    mask = square((20, 30, 40, 35))
    assert painted_box(mask, 8) == (12, 22, 48, 43)
    assert painted_box(mask, 32) == (0, 0, 64, 64)
    assert painted_box(Image.new("L", (64, 64)), 8) is None


boxes = st.tuples(st.integers(0, 90), st.integers(0, 90), st.integers(1, 60), st.integers(1, 60))


@given(boxes, st.tuples(st.integers(8, 512), st.integers(8, 512)))
def test_a_grown_box_holds_the_old_one_and_lies_inside(box: Box, target: tuple[int, int]) -> None:
    left, top, width, height = box
    old = (left, top, min(100, left + width), min(100, top + height))
    new = with_aspect(old, target, (100, 100))
    assert 0 <= new[0] <= old[0] < old[2] <= new[2] <= 100
    assert 0 <= new[1] <= old[1] < old[3] <= new[3] <= 100


def test_blurring_keeps_even_parts_and_falls_off_evenly() -> None:
    mask = square((16, 0, 48, 64))
    soft = np.asarray(blurred(mask, 4, 0), int)
    assert (soft == soft[0]).all()
    assert soft[0, 32] == 255
    assert soft[0, 0] == 0
    assert (np.diff(soft[0, :33]) >= 0).all()
    assert abs(soft[0, 15] + soft[0, 16] - 255) <= 1
    assert blurred(mask, 0, 0).tobytes() == mask.tobytes()


@pytest.mark.parametrize("blur", [1, 4, 12, 64, 256])
def test_blur_is_that_of_opencv(blur: int) -> None:
    mask = np.random.default_rng(3).integers(0, 256, (40, 30), np.uint8)
    reach = 2 * int(2.5 * blur + 0.5) + 1
    theirs = cv2.GaussianBlur(cv2.GaussianBlur(mask, (reach, 1), blur), (1, reach), blur)
    assert (np.asarray(blurred(Image.fromarray(mask), blur, blur)) == theirs).all()


@pytest.mark.parametrize(("alpha", "painted"), [(0, 0), (127, 0), (128, 0), (129, 255), (255, 255)])
def test_more_than_half_an_alpha_is_painted_where_masks_are_rounded(alpha: int, painted: int) -> None:
    mask = Image.new("LA", (2, 2), (255, alpha))
    assert coverage(mask, rounded=True).getextrema() == (painted, painted)
    assert coverage(mask, rounded=False).getextrema() == (alpha, alpha)


def test_doubling_leaves_only_the_outer_half_of_the_rim() -> None:
    values = Image.fromarray(np.array([[0, 1, 127, 128, 255]], np.uint8))
    assert list(np.asarray(doubled(values))[0]) == [0, 2, 254, 255, 255]


def test_transparency_is_the_mask_where_there_is_some_else_brightness() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    clear.putpixel((1, 1), (0, 0, 0, 200))
    clear.putpixel((2, 2), (0, 0, 0, 100))
    mask = Mask.of(clear)
    whole = coverage(mask.open(), rounded=True)
    assert [whole.getpixel(at) for at in ((0, 0), (1, 1), (2, 2))] == [0, 255, 0]
    soft = coverage(mask.open(), rounded=False)
    assert [soft.getpixel(at) for at in ((0, 0), (1, 1), (2, 2))] == [0, 200, 100]
    assert Mask.from_base64(mask.to_base64()) == mask
    for bright in (Image.new("RGBA", (4, 4), "white"), Image.new("1", (4, 4), 1), Image.new("I;16", (4, 4), 65535)):
        assert coverage(Mask.of(bright).open(), rounded=True).getextrema() == (255, 255)
