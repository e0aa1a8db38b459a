"""Regions: how prompts and numbers are read, where regions lie, what A1111's words mean, what is told."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from extensions.regions.couple_lines import lines_of, mapped_tiles, tiles_of
from extensions.regions.coverage import Matrix, Painted, Weighted, coloured_regions
from extensions.regions.divisions import Division, divided
from extensions.regions.drawn_places import PlacesOptions, region_places
from extensions.regions.options import KEEPS_AND, KEEPS_BREAK, NOT_HIRES, REVERSES, RegionsOptions
from extensions.regions.region_colours import colours
from extensions.regions.region_runs import mixed_runs, run_plain
from extensions.regions.region_words import fields_of
from extensions.regions.regional_attention import parts_in
from extensions.regions.regional_text import RegionalText, encoded
from extensions.regions.separators import Cell, Parts, Rules, base_shares, cells_of, cut, has_regions
from extensions.regions.word_regions import WordMaps, target_word
from tests.narrowing import known
from tests.reference import OURS, Case, cases, each
from webui.api.sdapi.dialect.alwayson import listed_names, options_of, place_of
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import Picture
from webui.output.parse import parse, read_fields
from webui.plugins.loader import load_all
from webui.prompt.conditioning import Conditioning, Part, PromptTexts, Span
from webui.sampling.attending import Attention, AttentionLayer
from webui.sampling.steps import ModelCall, Place, Row, Step

ROOT = Path(__file__).parents[2]
SIDES = st.integers(1, 40)


@pytest.fixture(scope="module")
def infos() -> tuple[ExtensionInfo, ...]:
    return load_all(ROOT / "extensions", ()).infos


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


# in the network


def fake_texts(*prompts: str) -> PromptTexts:
    """Texts whose encoding has two tokens a word, all of the sum of its letters."""

    def span(text: str) -> tuple[Span, ...]:
        return (Span(99, torch.full((2 * max(1, len(text.split())), 3), float(sum(map(ord, text))))),)

    def encode(positives: Any, negatives: Any) -> Conditioning:
        return Conditioning(tuple((Part(1.0, span(one)),) for one in positives), tuple(map(span, negatives)))

    return PromptTexts(prompts, ("bad",) * len(prompts), encode)


def regional(*prompts: str, **options: Any) -> RegionalText:
    texts = fake_texts(*prompts)
    plain = texts.encode(list(prompts), list(texts.negatives))
    return known(encoded(plain, texts, RegionsOptions(**options)))


def call_of(text: RegionalText, *prompts: str) -> ModelCall:
    """A call for the prompts and then their negative prompts, whose contexts have one length."""
    parts = [known(image)[0].spans[0].context for image in text.conditioning.positive]
    against = [spans[0].context for spans in text.conditioning.negative]
    longest = max(len(one) for one in [*parts, *against])
    context = torch.stack([torch.cat([one, one[-1:].expand(longest - len(one), -1)]) for one in [*parts, *against]])
    rows = tuple(Row(image, positive, 0) for positive in (True, False) for image in range(len(prompts)))
    layer = AttentionLayer(
        "x.attn2", "cross", "down", 0, 0, 0, 1, 3, 3, lambda context: (context[:, None], context[:, None])
    )
    count = len(rows)
    return ModelCall(
        Step(0, 4, torch.tensor(1.0), torch.tensor(0.5), Place()), torch.zeros(count, 3, 2, 4), torch.zeros(count),
        context, torch.tensor([row.positive for row in rows]), rows=rows, layers={"x.attn2": layer},
    )  # fmt: skip


def test_each_token_asks_the_text_of_its_region_and_the_negative_prompt_is_left() -> None:
    prompts = ("a BREAK b c", "only one")
    text = regional(*prompts)
    call = call_of(text, *prompts)
    layer = call.layers["x.attn2"]
    key, value = layer.project(call.context)
    due = Attention(layer, torch.zeros(4, 1, 8, 3), key, value, (0, 1, 2, 3), (2, 4), lambda q, k, v: v)
    out = parts_in(call, text)["x.attn2"](due, lambda one: one.value.mean(dim=2).expand(-1, 8, -1))
    first = out[0, :, 0].view(2, 4)
    assert (first[:, :2] == ord("a")).all()
    assert (first[:, 2:] == sum(map(ord, "b c"))).all()
    assert (out[1] == call.context[1].mean(dim=0)).all()
    assert (out[2:] == sum(map(ord, "bad"))).all()


def test_in_latent_mode_each_region_has_a_run_and_shares_are_of_its_output() -> None:
    text = regional("x ADDBASE a BREAK b", "a BREAK c", calculation="Latent", base_ratios="0.25")
    call = call_of(text, "", "")
    asked: list[int] = []

    def network(part: ModelCall) -> torch.Tensor:
        asked.append(len(part.sample))
        return part.context[:, :1, :1, None].expand(-1, 3, 2, 4).clone()

    out = mixed_runs(call, network, text)
    assert out[0, 0, 0].tolist() == pytest.approx([0.25 * ord("x") + 0.75 * ord(one) for one in "aabb"])
    assert out[1, 0, 0].tolist() == [ord(one) for one in "aacc"]
    assert (out[2:] == sum(map(ord, "bad"))).all()
    assert asked == [4, 2, 1]


def test_parts_of_and_have_regions_of_their_own_where_and_keeps_its_meaning() -> None:
    texts = fake_texts("a BREAK b AND c:0.5")
    plain = Conditioning(((Part(1.0, ()), Part(0.5, ())),), ((Span(99, torch.zeros(2, 3)),),))
    text = known(encoded(plain, texts, RegionsOptions(options=(KEEPS_AND,))))
    assert [part.weight for part in text.conditioning.positive[0]] == [1.0, 0.5]
    assert [row.division is not None for row in text.positive] == [True, False]
    assert text.of(Row(0, True, 1)) is text.positive[1]


# by words


def seen_call(number: int) -> ModelCall:
    step = Step(number, 4, torch.tensor(1.0), torch.tensor(0.5), Place(call=number))
    return ModelCall(
        step, torch.zeros(1, 3, 2, 4), torch.zeros(1), torch.zeros(1, 2, 3), torch.ones(1, dtype=torch.bool)
    )


@pytest.mark.parametrize(
    ("mode", "middle"), [("Prompt", [0.1, 0.45, 0.45]), ("Prompt-Ex", [0.1, 0.0, 0.9])], ids=["both", "the later"]
)
def test_a_region_lies_where_its_word_was_seen_until_now(mode: Any, middle: list[float]) -> None:
    maps = WordMaps(RegionsOptions(mode="Prompt", prompt_mode=mode, threshold="0.4,0.5"))
    maps.begin(seen_call(0))
    seen = torch.zeros(2, 1, 4)
    seen[0, 0, :3], seen[1, 0, 2:] = 2.0, 7.0
    seen[1, 0, 0] = 3.0  # below the threshold of the second
    maps.note(0, seen, (1, 4))
    assert maps.shares(0, (0.1, 0.1), (1, 4)) is None  # nothing was seen before this call
    maps.begin(seen_call(1))
    shares = known(maps.shares(0, (0.1, 0.1), (1, 4)))
    assert shares[:, 0, 0].tolist() == pytest.approx([0.1, 0.9, 0])
    assert shares[:, 0, 2].tolist() == pytest.approx(middle)
    assert shares[:, 0, 3].tolist() == pytest.approx([0.1, 0, 0.9])
    maps.begin(seen_call(0))
    assert maps.shares(0, (0.1, 0.1), (1, 4)) is None  # another run


def test_the_word_of_a_region_stands_behind_its_last_comma() -> None:
    assert [target_word(text) for text in ("long red hair, hair", "hair", "a, b , blue dress")] == [
        "hair",
        "hair",
        "blue dress",
    ]
    division = known(divided("a girl BREAK red hair, hair ADDP blue dress, dress", "", RegionsOptions(mode="Prompt")))
    assert division.texts == ("a girl", "red hair, hair", "blue dress, dress")
    assert divided("a girl ADDCOL b", "", RegionsOptions(mode="Prompt")) is None  # there is no base


# where regions do not act


def test_a_pass_without_regions_gets_the_prompts_as_they_stand() -> None:
    text = regional("a BREAK b", options=(NOT_HIRES,))
    call = call_of(text, "a BREAK b")
    out = run_plain(call, lambda part: part.context[:, :1, :1, None].expand(-1, 3, 2, 4).clone(), text.plain)
    assert out[:, 0, 0, 0].tolist() == [sum(map(ord, "a BREAK b")), sum(map(ord, "bad"))]


# words of A1111

RP = [
    True, False, "Matrix", "Rows", "Mask", "Prompt", "1,2", 0.3, True, False, True, "Latent", [KEEPS_BREAK], "0", "0",
    "0.4", "", "0", "3", True,
]  # fmt: skip


def options(infos: tuple[ExtensionInfo, ...], title: str, args: Any) -> RegionsOptions:
    return RegionsOptions.model_validate(options_of({title: {"args": args}}, infos)["regions"])


def test_the_arguments_of_regional_prompter_are_read_by_their_place(infos: tuple[ExtensionInfo, ...]) -> None:
    whole = options(infos, "Regional Prompter", RP)
    assert whole == RegionsOptions(
        direction="Rows", ratios="1,2", base_ratios="0.3", use_base=True, use_common_negative=True,
        calculation="Latent", options=(KEEPS_BREAK,), lora_hires_stop=3, flip=True,
    )  # fmt: skip
    assert options(infos, "regional prompter", RP[:17]) == whole.model_copy(
        update={"lora_hires_stop": 0, "flip": False}
    )
    assert options(infos, "Regional Prompter", [True, False, "Matrix", "Vertical"]).direction == "Rows"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (True, (KEEPS_AND,)),
        (False, ()),
        ("Flip prompts", (REVERSES,)),
        (["No Options"], ()),
        ("flip PROMPTS,", (REVERSES,)),
    ],
)
def test_its_options_come_in_several_forms(infos: tuple[ExtensionInfo, ...], sent: Any, read: Any) -> None:
    assert options(infos, "Regional Prompter", [*RP[:12], sent]).options == read


def test_a_path_of_a_mask_is_refused(infos: tuple[ExtensionInfo, ...]) -> None:
    with pytest.raises(ValueError, match="mask"):
        options(infos, "Regional Prompter", [*RP[:16], "/etc/passwd"])
    with pytest.raises(ValueError, match="is none of"):
        options(infos, "Regional Prompter", [*RP[:12], ["Fly"]])


def test_the_arguments_of_forge_couple_are_read_by_their_place(infos: tuple[ExtensionInfo, ...]) -> None:
    rows = [[0, 0.5, 0, 1, 1.0], [0.5, 1, 0, 1, 1.0]]
    read = options(
        infos, "forge couple", [True, False, "Advanced", "", "Vertical", "None", 0.5, rows, "off", False, False]
    )
    assert read == RegionsOptions(
        mode="Lines", lines_mode="Advanced", direction="Rows", mapping=json.dumps(rows), brackets="off",
        keeps_definitions=False, first_pass_only=False,
    )  # fmt: skip
    masks = [{"mask": Picture.of(painted()).to_base64(), "weight": 0.7}] * 2
    assert len(options(infos, "Forge Couple", [True, True, "Mask", "", "Horizontal", "None", 0.5, masks]).masks) == 2
    assert options(infos, "Forge Couple", []).mode == "Lines"


def test_of_two_scripts_that_are_sent_the_one_that_is_on_counts(infos: tuple[ExtensionInfo, ...]) -> None:
    off = {"args": [False]}
    for scripts in (
        {"Regional Prompter": {"args": RP}, "forge couple": off},
        {"forge couple": off, "Regional Prompter": {"args": RP}},
    ):
        assert options_of(scripts, infos)["regions"]["ratios"] == "1,2"
    info = next(info for info in infos if info.name == "regions")
    assert listed_names(info) == ["regional prompter", "forge couple"]
    place = place_of(("extensions", "regions", "lines_mode"), {"forge couple": {"args": [True, True, "x"]}}, infos)
    assert place == ("alwayson_scripts", "forge couple", "args", 2)


# infotexts


@each(cases(".txt", where=lambda case: case.group == "regional", folders=(OURS,)))
def test_what_is_told_is_what_a1111_tells_and_is_read_back(case: Case, infos: tuple[ExtensionInfo, ...]) -> None:
    read = options(infos, "regional prompter", case.body()["alwayson_scripts"]["regional prompter"]["args"])
    text = parse(case.infotexts()[0])
    assert {key: str(value) for key, value in fields_of(read).items()} == {
        key: value for key, value in text.items() if key.startswith("RP ")
    }
    back = read_fields(text, infos).request.extensions["regions"]
    assert RegionsOptions.model_validate(back) == read


@pytest.mark.parametrize(
    "asked",
    [
        {
            "lines_mode": "Basic",
            "direction": "Rows",
            "background": "Last Line",
            "background_weight": 0.75,
            "separator": ";",
        },
        {"lines_mode": "Advanced", "mapping": "[[0, 1, 0, 1, 1]]", "brackets": "off", "first_pass_only": False},
    ],
)
def test_what_forge_couple_tells_is_read_back(asked: Any, infos: tuple[ExtensionInfo, ...]) -> None:
    read = RegionsOptions(mode="Lines", **asked)
    told = {key: str(value) for key, value in fields_of(read).items()}
    back = read_fields({"Prompt": "a", "Steps": "20", **told}, infos).request.extensions["regions"]
    assert RegionsOptions.model_validate(back) == read


# the drawing


def drawn(prompt: str, **options: Any) -> dict[str, Any]:
    asked = PlacesOptions(options=options, prompt=prompt)
    data: Any = region_places(asked, SimpleNamespace()).data  # type: ignore[arg-type]
    return dict(data)


def test_the_form_is_told_where_regions_lie() -> None:
    found = drawn("a cat BREAK a dog", ratios="1,3")
    assert found["places"][1] == {"name": "2 a dog", "left": 0.25, "top": 0.0, "width": 0.75, "height": 1.0}
    assert [one["top"] for one in drawn("a\nb", mode="Lines", direction="Rows")["places"]] == [0.0, 0.5]
    assert len(drawn("far\na\nb", mode="Lines", background="First Line")["places"]) == 2
    mapping = "[[0, 0.5, 0, 1, 1]]"
    assert drawn("a", mode="Lines", lines_mode="Advanced", mapping=mapping)["places"][0]["width"] == 0.5


@pytest.mark.parametrize(
    ("prompt", "options", "says"),
    [
        ("a cat", {}, "BREAK"),
        ("a", {"mode": "Lines"}, "line"),
        ("a", {"mapping": "["}, "JSON"),
        ("a BREAK b", {"mode": "Mask"}, ""),
    ],
)
def test_without_rectangles_it_says_what_to_do(prompt: str, options: Any, says: str) -> None:
    found = drawn(prompt, **options)
    assert found["places"] == []
    assert says in found["say"]
