"""Fill, paste back, growing and colour correction: what stays is the original, to the pixel."""

import numpy as np
import pytest
from PIL import Image

from webui.domain.inpainting import SoftInpainting
from webui.imaging.color import matched
from webui.imaging.outpaint import Margins, grown, rounded
from webui.imaging.overlay import composite, filled, laid_over, placed, protected
from webui.imaging.soft import changed_mask, ranked_mean

RNG = np.random.default_rng(1)
NOISY = Image.fromarray(RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8))
OTHER = Image.fromarray(RNG.integers(0, 256, (48, 64, 3), dtype=np.uint8))
LEFT = Image.fromarray(np.repeat([[255] * 32 + [0] * 32], 48, 0).astype(np.uint8))


def values(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, int)


def test_what_the_mask_protects_is_the_original_to_the_pixel() -> None:
    result = laid_over(OTHER, protected(NOISY, LEFT))
    assert (values(result)[:, 32:] == values(NOISY)[:, 32:]).all()
    assert (values(result)[:, :32] == values(OTHER)[:, :32]).all()


def test_a_part_is_pasted_where_it_came_from() -> None:
    canvas = placed(NOISY.crop((10, 8, 42, 40)), NOISY.size, (10, 8, 42, 40))
    assert (values(canvas)[8:40, 10:42, :3] == values(NOISY)[8:40, 10:42]).all()
    assert values(canvas)[..., 3].sum() == 255 * 32 * 32


def test_a_part_of_another_shape_is_cut_to_its_box_and_not_stretched() -> None:
    bars = Image.new("RGB", (96, 32), "red")
    bars.paste("blue", (32, 0, 64, 32))
    canvas = placed(bars, (40, 40), (4, 4, 36, 36))
    assert all(canvas.getpixel(at) == (0, 0, 255, 255) for at in ((12, 6), (20, 20), (28, 34)))


def test_a_fill_leaves_the_rest_and_takes_colours_from_around() -> None:
    red = Image.new("RGB", (64, 48), (200, 10, 20))
    hole = Image.new("L", red.size)
    hole.paste(255, (20, 10, 40, 30))
    made = filled(NOISY, hole)
    outside = values(hole) == 0
    assert abs(values(made)[outside] - values(NOISY)[outside]).max() <= 1
    assert abs(values(filled(red, hole)) - values(red)).max() <= 8


def test_a_composite_shows_only_what_was_painted() -> None:
    cut = composite(NOISY, LEFT)
    assert values(cut)[:, 32:, 3].max() == 0
    assert (values(cut)[:, :31, :3] == values(NOISY)[:, :31]).all()


@pytest.mark.parametrize("margins", [Margins(right=16), Margins(left=8, top=24), Margins(8, 8, 8, 8)])
def test_a_grown_picture_holds_the_old_one_and_its_mask_the_new_parts(margins: Margins) -> None:
    canvas, mask = grown(NOISY, margins, overlap=4)
    old = (margins.left, margins.top, margins.left + 64, margins.top + 48)
    assert canvas.size == mask.size == (64 + margins.left + margins.right, 48 + margins.top + margins.bottom)
    assert canvas.crop(old).tobytes() == NOISY.tobytes()
    kept = mask.crop(old)
    assert kept.getpixel((32, 24)) == 0
    assert values(kept)[:, -4:].all() == bool(margins.right)
    mask.paste(255, old)
    assert mask.getextrema() == (255, 255)


def test_margins_are_rounded_up_to_whole_cells() -> None:
    assert rounded(Margins(right=10), 61, 48) == Margins(right=11)
    assert rounded(Margins(left=10), 61, 50) == Margins(left=11, bottom=6)


def test_colours_are_matched_and_lightness_stays() -> None:
    assert abs(values(matched(NOISY, NOISY)) - values(NOISY)).mean() < 2
    grey = Image.fromarray(np.repeat(np.linspace(60, 180, 64, dtype=np.uint8)[None], 48, 0)).convert("RGB")
    channel = grey.getchannel(0)
    warm = Image.merge(
        "RGB", (channel.point(lambda v: min(255, v + 40)), channel, channel.point(lambda v: max(0, v - 40)))
    )
    made = values(matched(grey, warm))
    assert (made[..., 0] > made[..., 2] + 30).all()
    weights = np.array([0.299, 0.587, 0.114])
    assert abs(made @ weights - values(grey) @ weights).max() < 3


def test_a_ranked_mean_of_an_even_field_is_the_field_and_outliers_do_not_count_in_the_middle() -> None:
    even = np.full((7, 9), 2.5)
    assert np.allclose(ranked_mean(even, 0.25, 0.75), even)
    even[3, 4] = 100
    assert ranked_mean(even, 0.25, 0.75).max() < 50
    assert ranked_mean(even, 0.9, 1.0)[3, 4] > 50


def test_soft_masks_follow_what_changed() -> None:
    distance = np.zeros((16, 16))
    distance[:, 8:] = 5.0
    mask = values(changed_mask(distance, np.full((16, 16), 0.5), SoftInpainting(), 128, 128))
    assert mask[64, 4] == 0
    assert mask[64, 124] > 240
