"""Laws of legends and of tiles that fade into one another."""

import pytest
from PIL import Image, ImageChops

from webui.imaging.legend import Words, with_legend
from webui.imaging.matched_noise import filled_with_noise
from webui.imaging.patchwork import cut, joined

CELL = (100, 80)


def grid(columns: int, rows: int) -> Image.Image:
    return Image.linear_gradient("L").resize((100 * columns, 80 * rows)).convert("RGB")


def row(*texts: str) -> list[list[Words]]:
    return [[Words(text)] for text in texts]


def test_space_is_made_only_where_there_are_words() -> None:
    plain = grid(2, 2)
    assert with_legend(plain, CELL, row("", ""), row("", "")).size == (200, 160)
    above = with_legend(plain, CELL, row("seed", ""), row("", ""))
    assert above.width == 200
    assert above.height > 160
    assert with_legend(plain, CELL, row("", ""), row("", "steps")).size == (200 + 75, 160)


def test_cells_stay_as_they_are_and_move_apart_by_the_margin() -> None:
    plain = grid(2, 2)
    told = with_legend(plain, CELL, row("a", "b"), row("c", "d"), margin=6)
    left, top = 75, told.height - (2 * 80 + 6)
    assert told.width == 75 + 200 + 6
    second = told.crop((left + 106, top + 86, left + 206, top + 166))
    assert ImageChops.difference(second, plain.crop((100, 80, 200, 160))).getbbox() is None


def test_long_words_are_broken_and_what_does_not_hold_is_grey() -> None:
    short = with_legend(grid(1, 1), CELL, row("one"), row(""))
    long = with_legend(grid(1, 1), CELL, row("one two three four five six seven"), row(""))
    assert long.height > short.height
    off = with_legend(grid(1, 1), CELL, [[Words("one", False)]], row(""))
    assert min(off.crop((0, 0, 100, off.height - 80)).convert("L").tobytes()) == 0x99


@pytest.mark.parametrize(("size", "overlap"), [((256, 256), 32), ((200, 152), 16), ((128, 128), 32), ((300, 128), 0)])
def test_tiles_join_to_the_picture_that_they_were_cut_from(size: tuple[int, int], overlap: int) -> None:
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    where = cut(size, (128, 128), overlap)
    again = joined(where, [picture.crop(box) for box in where.boxes])
    assert max(ImageChops.difference(picture, again).tobytes()) <= 1
    assert where.boxes[-1][2:] == size


def test_an_overlap_as_large_as_a_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        cut((256, 256), (64, 64), 64)


def test_noise_has_the_colours_of_the_picture_and_leaves_it_alone() -> None:
    picture = Image.new("RGB", (64, 64), (200, 40, 40))
    picture.paste((20, 40, 200), (0, 0, 16, 64))
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (32, 0, 64, 64))
    noisy = filled_with_noise(picture, mask, 1.0, 0.05)
    old = (0, 0, 32, 64)
    assert max(ImageChops.difference(noisy.crop(old), picture.crop(old)).tobytes()) <= 1
    reds = noisy.crop((32, 0, 64, 64)).getchannel("R").tobytes()
    assert min(reds) >= 19
    assert max(reds) <= 200
    assert len(set(reds)) > 1
