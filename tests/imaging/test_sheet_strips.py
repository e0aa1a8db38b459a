"""Sheets that are written strip by strip: the same pixels as those laid out in memory, and bounded memory."""

import io
import weakref

import numpy as np
import pytest
from PIL import Image

from webui.imaging.grids import grid_of
from webui.imaging.legend import Words, with_legend
from webui.imaging.png_rows import PngRows
from webui.imaging.sheet_strips import SheetStrips

X, Y = ("Seed: 1", "Seed: 2", "a long label of several words"), ("cat", "dog")


def written(sheet: SheetStrips, pictures: dict[tuple[int, int, int], Image.Image]) -> Image.Image:
    file = io.BytesIO()
    rows = PngRows(file, *sheet.size, {"parameters": "grün\nSteps: 1"})
    for strip in sheet.strips(lambda x, y, z: pictures[x, y, z]):
        rows.write(strip)
    rows.close()
    picture = Image.open(io.BytesIO(file.getvalue()))
    picture.load()
    return picture


@pytest.mark.parametrize("over", [("",), ("Z: 1", "Z: 2")])
@pytest.mark.parametrize("legend", [True, False])
def test_strips_are_the_sheet_that_is_laid_out_in_memory(legend: bool, over: tuple[str, ...]) -> None:
    drawn = np.random.default_rng(1)
    pictures = {
        (x, y, z): Image.fromarray(drawn.integers(0, 256, (64, 96 - 16 * (x == 1), 3), np.uint8))
        for x in range(3)
        for y in range(2)
        for z in range(len(over))
    }
    margin = 6 if legend else 0
    grids = []
    for z in range(len(over)):
        grid = grid_of([pictures[x, y, z] for y in range(2) for x in range(3)], 2)
        words = [[Words(text)] for text in X], [[Words(text)] for text in Y]
        grids.append(with_legend(grid, (96, 64), *words, margin=margin) if legend else grid)
    whole = grid_of(grids, 1)
    if legend:
        whole = with_legend(whole, grids[0].size, [[Words(text)] for text in over], [[Words()]])
    found = written(SheetStrips(X, Y, over, (96, 64), legend, margin), pictures)
    assert found.size == whole.size
    assert (np.asarray(found) == np.asarray(whole)).all()
    assert found.info["parameters"] == "grün\nSteps: 1"


def test_no_more_than_a_row_of_cells_is_in_memory() -> None:
    side, across = 64, 128  # 8192 x 8192 pixels would be 201 MB
    alive: list[weakref.ref[Image.Image]] = []
    most, asked = 0, []

    def find(x: int, y: int, z: int) -> Image.Image:
        nonlocal most
        picture = Image.new("RGB", (side, side), (x, y, 0))
        alive[:] = [*(one for one in alive if one() is not None), weakref.ref(picture)]
        most = max(most, len(alive))
        asked.append((y, x))
        return picture

    names = ("",) * across
    sheet = SheetStrips(names, names, ("",), (side, side), legend=False)
    largest = height = 0
    file = io.BytesIO()
    rows = PngRows(file, *sheet.size, {})
    for strip in sheet.strips(find):
        largest, height = max(largest, 3 * strip.width * strip.height), height + strip.height
        rows.write(strip)
    rows.close()
    assert sheet.size == (side * across, side * across) == (8192, height)
    assert largest == 3 * side * across * side  # bytes of one row of cells
    assert most <= 2
    assert asked == sorted(asked)
    assert len(set(asked)) == across * across
    assert Image.open(io.BytesIO(file.getvalue())).size == sheet.size


def test_rows_that_do_not_fit_are_refused() -> None:
    rows = PngRows(io.BytesIO(), 4, 4, {})
    with pytest.raises(ValueError, match="does not fit"):
        rows.write(Image.new("RGB", (5, 1)))
    with pytest.raises(ValueError, match="4 rows are missing"):
        rows.close()
    with pytest.raises(ValueError, match="cannot have"):
        PngRows(io.BytesIO(), 0, 4, {})
