"""Regions: how prompts, numbers, masks and lines are read, and where regions lie."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from extensions.regions.couple_lines import lines_of, mapped_tiles, tiles_of
from extensions.regions.coverage import Matrix, Painted, Weighted, coloured_regions
from extensions.regions.divisions import Division, divided
from extensions.regions.options import RegionsOptions
from extensions.regions.region_colours import colours
from extensions.regions.separators import Cell, Parts, Rules, base_shares, cells_of, cut, has_regions
from tests.narrowing import known
from webui.domain.errors import BadRequestError
from webui.domain.images import Picture

SIDES = st.integers(1, 40)

# prompts


@pytest.mark.parametrize(
    ("prompt", "rules", "base", "lines"),
    [
        ("a BREAK b", Rules(), None, (("a", "b"),)),
        ("a BREAK b", Rules(is_rows=True), None, (("a", "b"),)),
        ("a AND b AND c", Rules(), None, (("a", "b", "c"),)),
        ("a AND b", Rules(keeps_and=True), None, (("a AND b",),)),
        ("an ANDROID BREAKS down BREAK b", Rules(), None, (("an ANDROID BREAKS down", "b"),)),
        ("a ADDCOL b ADDROW c", Rules(), None, (("a", "b"), ("c",))),
        ("a ADDCOL b ADDROW c", Rules(is_rows=True), None, (("a",), ("b", "c"))),
        ("a BREAK b ADDCOL c", Rules(), None, (("a BREAK b", "c"),)),
        ("a BREAK b", Rules(keeps_break=True), None, (("a BREAK b",),)),
        ("x ADDBASE a BREAK b", Rules(), "x", (("a", "b"),)),
        ("x BREAK a BREAK b", Rules(uses_base=True), "x", (("a", "b"),)),
        ("q ADDCOMM a BREAK b", Rules(), None, (("q, a", "q, b"),)),
        ("q BREAK x BREAK a BREAK b", Rules(uses_base=True, uses_common=True), "q, x", (("q, a", "q, b"),)),
        ("q ADDCOMM x ADDBASE a ADDCOL b", Rules(uses_base=True, uses_common=True), "q, x", (("q, a", "q, b"),)),
        ("a ADDCOL b ADDROW c", Rules(reverses=True), None, (("c", "b"), ("a",))),
        ("x ADDBASE a BREAK b", Rules(reverses=True), "x", (("b", "a"),)),
        ("a BREAK BREAK b", Rules(), None, (("a", "", "b"),)),
    ],
)
def test_prompts_are_cut_at_the_words(prompt: str, rules: Rules, base: str | None, lines: Any) -> None:
    parts = cut(prompt, rules)
    assert (parts.base, parts.lines) == (base, lines)


@pytest.mark.parametrize("prompt", ["a red cat", "ANDROID", "addcol", "BREAKFAST", ""])
def test_a_prompt_without_the_words_has_no_regions(prompt: str) -> None:
    assert not has_regions(prompt)
    assert divided(prompt, "", RegionsOptions()) is None


# numbers


def boxes(cells: tuple[Cell, ...]) -> list[tuple[float, ...]]:
    return [tuple(round(one, 4) for one in (cell.left, cell.top, cell.right, cell.bottom)) for cell in cells]


@pytest.mark.parametrize(
    ("prompt", "ratios", "rules", "expected"),
    [
        ("a BREAK b", "1,1", Rules(), [(0, 0, 0.5, 1), (0.5, 0, 1, 1)]),
        ("a BREAK b", "1,3", Rules(is_rows=True), [(0, 0, 1, 0.25), (0, 0.25, 1, 1)]),
        ("a BREAK b BREAK c", "2", Rules(), [(0, 0, 0.5, 1), (0.5, 0, 0.75, 1), (0.75, 0, 1, 1)]),
        ("a BREAK b", "x,inf", Rules(), [(0, 0, 0.5, 1), (0.5, 0, 1, 1)]),
        (
            "a ADDCOL b ADDROW c ADDCOL d", "1,1,1;2,1,3", Rules(),
            [(0, 0, 0.5, 0.3333), (0.5, 0, 1, 0.3333), (0, 0.3333, 0.25, 1), (0.25, 0.3333, 1, 1)],
        ),
        (
            "a ADDCOL b ADDROW c ADDCOL d", "1;1;1,2;1;3", Rules(flips=True),
            [(0, 0, 0.5, 0.3333), (0.5, 0, 1, 0.3333), (0, 0.3333, 0.25, 1), (0.25, 0.3333, 1, 1)],
        ),
        ("a ADDROW b", "1;3", Rules(), [(0, 0, 1, 0.25), (0, 0.25, 1, 1)]),
        ("a ADDROW b ADDCOL c", "1", Rules(is_rows=True), [(0, 0, 0.5, 0.5), (0, 0.5, 0.5, 1), (0.5, 0, 1, 1)]),
        (
            "a BREAK b BREAK c BREAK d BREAK e", "1,2,1,1;2,4,6", Rules(),
            [
                (0, 0, 0.5, 0.3333), (0.5, 0, 0.75, 0.3333), (0.75, 0, 1, 0.3333),
                (0, 0.3333, 0.4, 1), (0.4, 0.3333, 1, 1),
            ],
        ),
    ],
)  # fmt: skip
def test_numbers_say_where_regions_lie(prompt: str, ratios: str, rules: Rules, expected: Any) -> None:
    assert boxes(cells_of(ratios, cut(prompt, rules), rules)) == expected


@pytest.mark.parametrize(
    ("ratios", "regions", "expected"),
    [
        ("0.3", 2, (0.3, 0.3)),
        ("0.1,0.4", 2, (0.1, 0.4)),
        ("0.1;2", 3, (0.1, 1.0, 1.0)),
        ("", 1, (0.0,)),
        ("x", 1, (0.0,)),
    ],
)
def test_the_share_of_the_base_is_one_number_or_one_for_each(ratios: str, regions: int, expected: Any) -> None:
    assert base_shares(ratios, regions) == expected


RATIOS = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=4)
COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@given(RATIOS, COUNTS, st.booleans(), SIDES, SIDES, st.one_of(st.none(), st.floats(0, 1)))
def test_every_cell_is_shared_out_whole(
    ratios: list[list[int]], counts: list[int], is_rows: bool, height: int, width: int, base: float | None
) -> None:
    text = ";".join(",".join(map(str, group)) for group in ratios)
    parts = Parts(None, tuple(("x",) * count for count in counts), has_cells=True)
    cells = cells_of(text, parts, Rules(is_rows=is_rows))
    assert len(cells) == sum(counts)
    bases = None if base is None else (base,) * len(cells)
    shares = Matrix(cells, bases).shares(height, width)
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(height, width))
    assert (shares >= 0).all()
    assert len(shares) == len(cells) + (base is not None)


@pytest.mark.parametrize("size", [(8, 8), (3, 5), (1, 1)])
def test_equal_columns_part_at_whole_cells(size: tuple[int, int]) -> None:
    shares = Matrix(cells_of("1,1,1", cut("a BREAK b BREAK c", Rules()), Rules()), None).shares(*size)
    ends = [int(size[1] * number / 3) for number in range(1, 3)]
    expected = torch.zeros(3, *size)
    expected[0, :, : ends[0]], expected[1, :, ends[0] : ends[1]], expected[2, :, ends[1] :] = 1, 1, 1
    assert torch.equal(shares, expected)


# masks


def test_the_colours_of_regions_halve_the_circle_of_hues() -> None:
    assert colours(5) == ((128, 64, 64), (64, 128, 128), (96, 128, 64), (96, 64, 128), (128, 112, 64))
    many = colours(32)
    assert len(set(many)) == 32
    assert all(max(one) == 128 and min(one) == 64 for one in many)
    with pytest.raises(ValueError, match="360"):
        colours(361)


def painted() -> Image.Image:
    """Left the first region, right the second, a white stripe above."""
    mask = Image.new("RGB", (16, 16), colours(2)[0])
    mask.paste(colours(2)[1], (8, 0, 16, 16))
    mask.paste("white", (0, 0, 16, 4))
    return mask


def test_what_a_mask_leaves_free_is_the_bases_or_the_first_regions() -> None:
    own = coloured_regions(painted(), 2)
    alone = Painted(own, None).shares(4, 4)
    assert torch.equal(alone[0], torch.tensor([[1.0] * 4, *[[1.0, 1.0, 0.0, 0.0]] * 3]))
    assert torch.equal(alone.sum(dim=0), torch.ones(4, 4))
    based = Painted(own, (0.25, 0.5)).shares(4, 4)
    assert based[:, 0, 0].tolist() == [1, 0, 0]
    assert based[:, 1, 0].tolist() == [0.25, 0.75, 0]
    assert based[:, 1, 3].tolist() == [0.5, 0, 0.5]


def test_regions_by_colours_need_a_mask() -> None:
    with pytest.raises(BadRequestError, match="need a mask"):
        divided("a BREAK b", "", RegionsOptions(mode="Mask"))


# Forge Couple


@pytest.mark.parametrize(
    ("prompt", "separator", "brackets", "keeps", "lines"),
    [
        ("a\n\nb\n", "", "{ }", True, ("a", "b")),
        ("a\nb", "\\n", "{ }", True, ("a", "b")),
        ("a ; b\nc", ";", "{ }", True, ("a", "b\nc")),
        ("{q:good} a\n{q} b", "", "{ }", True, ("good a", "good b")),
        ("{q:good}\na {q}\nb", "", "{ }", False, ("a good", "b")),
        ("<q:good> a\n<q> b", "", "< >", True, ("good a", "good b")),
        ("{q:good} a\nb", "", "off", True, ("{q:good} a", "b")),
    ],
)
def test_lines_are_regions(prompt: str, separator: str, brackets: str, keeps: bool, lines: Any) -> None:
    assert lines_of(prompt, separator, brackets, keeps_definitions=keeps) == lines


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [("{}", "list of rows"), ("[1]", "row 1"), ("[[0, 1, 0, 1]]", "row 1"), ("[[0, 1, 0.5, 0, 1]]", "row 1"),
     ("[", "JSON"), ("[[0, 1, 0, 1, 1], [0, 1, 0, 1, 9]]", "row 2"), ("[[0, 1, 0, 1, NaN]]", "row 1")],
)  # fmt: skip
def test_a_mapping_that_is_none_is_refused_with_its_row(mapping: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        mapped_tiles(mapping)


@given(st.integers(1, 8), st.booleans(), SIDES, SIDES)
def test_tiles_cover_the_picture(count: int, is_vertical: bool, height: int, width: int) -> None:
    tiles = tiles_of(count, is_vertical=is_vertical, has_background=False)
    assert Weighted(tuple(tiles)).covers(height, width)


def coupled(prompt: str, **options: Any) -> Division:
    return known(divided(prompt, "bad", RegionsOptions(mode="Lines", **options)))


def test_a_background_acts_everywhere_by_its_weight() -> None:
    division = coupled("far\na\nb", background="First Line", background_weight=0.25)
    assert division.texts == ("far", "a", "b")
    assert division.negatives == ("bad",)
    shares = known(division.coverage).shares(2, 2)
    assert shares[:, 0, 0].tolist() == pytest.approx([0.2, 0.8, 0])
    last = coupled("a\nb\nfar", background="Last Line", background_weight=0.0)  # a tenth at least
    assert known(last.coverage).shares(2, 2)[:, 0, 1].tolist() == pytest.approx([0, 1 / 1.1, 0.1 / 1.1])


def test_rectangles_and_masks_are_as_many_as_lines() -> None:
    mapping = "[[0, 0.5, 0, 1, 1], [0.25, 1, 0, 1, 3]]"
    shares = known(coupled("a\nb", lines_mode="Advanced", mapping=mapping).coverage).shares(1, 4)
    assert shares[:, 0].tolist() == [[1, 0.25, 0, 0], [0, 0.75, 1, 1]]
    with pytest.raises(BadRequestError, match="2 rectangles for 3 lines"):
        coupled("a\nb\nc", lines_mode="Advanced", mapping=mapping)
    left = Image.new("L", (4, 4))
    left.paste(255, (0, 0, 2, 4))
    masks = [{"mask": Picture.of(left).to_base64(), "weight": 1}]
    with pytest.raises(BadRequestError, match="1 masks for 2 lines"):
        coupled("a\nb", lines_mode="Mask", masks=masks)
    whole = coupled("far\na", lines_mode="Mask", masks=masks, background="First Line", background_weight=1)
    assert known(whole.coverage).shares(1, 4)[:, 0].tolist() == [[0.5, 0.5, 1, 1], [0.5, 0.5, 0, 0]]


# negative prompts


@pytest.mark.parametrize(
    ("prompt", "negative", "options", "expected"),
    [
        ("a BREAK b", "x, y", {}, ("x, y",)),
        ("a BREAK b", "x BREAK y", {}, ("x", "y")),
        ("a BREAK b BREAK c", "x BREAK y", {}, ("x", "y", "y")),
        ("q ADDBASE a BREAK b", "x BREAK y", {}, ("x", "x", "y")),
        ("q ADDBASE a BREAK b", "w ADDBASE x BREAK y", {}, ("w", "x", "y")),
        ("a BREAK b", "c BREAK x BREAK y", {"use_common_negative": True}, ("c, x", "c, y")),
        ("a BREAK b", "x ADDCOL y", {"calculation": "Latent"}, ("x BREAK y",)),
    ],
)
def test_negative_prompts_are_divided_where_they_have_the_words(
    prompt: str, negative: str, options: Any, expected: Any
) -> None:
    assert known(divided(prompt, negative, RegionsOptions(**options))).negatives == expected
