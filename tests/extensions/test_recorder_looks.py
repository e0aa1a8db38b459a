"""What the recorder sees inside the network: where places look, what parts make, and words that are muted."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from extensions.run_recorder.activations import SIDE, telling
from extensions.run_recorder.additions import level_ends, skip_sources
from extensions.run_recorder.muting import Deafness, shares_of_heard, text_without
from extensions.run_recorder.network_parts import parts_of
from extensions.run_recorder.point_maps import MOST_BLOCKS, coarse_blocks, point_map
from extensions.run_recorder.word_maps import GRID
from tests.extensions.test_run_recorder import Keeping, made, pixels
from tests.library import full_size
from webui.processing.back import Back
from webui.sampling.attending import Attention, AttentionLayer
from webui.weights.attention_layers import attention_layers


@pytest.fixture(scope="module")
def back(bundled_back: Back) -> Back:
    return bundled_back


@pytest.fixture(scope="module")
def kept(back: Back) -> Keeping:
    """A run of which everything is recorded."""
    return made(back, steps=7, extensions={"run_recorder": {"enabled": True, "self_attention": True}})[1]


def test_each_place_shares_its_whole_attention_among_all(kept: Keeping) -> None:
    run = kept.json("run")
    assert 0 < len(run["looking"]) <= MOST_BLOCKS
    places = [at for at, step in enumerate(run["steps"]) if step["points"]]
    assert places == list(range(7))
    for place in places:
        maps = np.frombuffer(kept.parts[f"self_{place}"], np.float16).reshape(-1, GRID * GRID, GRID, GRID)
        assert len(maps) == len(run["looking"])
        assert np.abs(maps.astype(float).sum((2, 3)) - 1).max() < 5e-3


def test_a_point_sees_what_its_queries_see() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, GRID * GRID, 4), torch.randn(2, GRID * GRID, 4)
    shares = torch.softmax(query @ key.transpose(1, 2) / 2, -1).mean(0)
    torch.testing.assert_close(point_map(query, key, (GRID, GRID)).flatten(1), shares)
    assert point_map(query[:, :64], key[:, :64], (8, 8)).sum((1, 2)).allclose(torch.ones(GRID * GRID))


def test_fine_layers_of_a_full_size_network_are_left_in_the_fast_kernel() -> None:
    layers = attention_layers(full_size.sd1_unet())
    blocks = coarse_blocks(layers, (64, 64))
    assert len(blocks) == MOST_BLOCKS
    assert not [name for name in blocks if name.startswith(("down_blocks.0", "up_blocks.3"))]
    assert coarse_blocks(layers, (8, 8))[0] == "down_blocks.0.attentions.0"


def test_activations_have_the_shapes_of_the_network(kept: Keeping) -> None:
    told, parts = kept.json("activations"), {row["name"]: row for row in kept.json("parts")}
    assert told["steps"] == [0, 2, 3, 4, 6]
    assert set(told["shapes"]) == set(parts)
    for name, shape in told["shapes"].items():
        assert (shape["enters"][0], shape["leaves"][0]) == (parts[name]["enters"], parts[name]["leaves"])
    for place, cells in zip(told["steps"], told["places"], strict=True):
        data = kept.parts[f"cells_{place}"]
        assert sum(len(one["channels"]) * one["size"][0] * one["size"][1] for one in cells.values()) == len(data)
        assert {name for name in parts if parts[name]["kind"] != "embedding"} == set(cells)
        assert max(max(one["size"]) for one in cells.values()) <= SIDE
    last = told["places"][-1]["conv_out"]
    rows, columns = last["size"]
    values = np.frombuffer(kept.parts["cells_6"], np.uint8)[last["at"] :][: 4 * rows * columns].reshape(4, -1)
    assert (values.min(1), values.max(1)) == (pytest.approx([0] * 4), pytest.approx([255] * 4))


def test_channels_with_shape_come_before_grain_and_dead_ones() -> None:
    torch.manual_seed(0)
    made = torch.zeros(20, 16, 16)
    made[3:10] = torch.randn(7, 16, 16)
    shapes = [2, 4, 11, 12, 13, 14, 15, 16]
    made[shapes] = torch.linspace(-1, 1, 16).expand(8, 16, 16)
    assert telling(made) == shapes


def test_a_muted_token_is_as_if_the_text_lacked_it() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 2, 6, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4)

    def mix(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return (torch.softmax(query @ key.transpose(2, 3) / 2, -1) @ value).transpose(1, 2).flatten(2)

    layer = AttentionLayer("a", "cross", "down", 0, 0, 0, 2, 8, 8, lambda context: (context, context))
    due = Attention(layer, query, key, value, (0, 1), (2, 3), mix)
    answer = Deafness((2, 99), (True, False))(due, Attention.mixed)
    others = [0, 1, 3, 4]
    lacking = replace(due, key=key[:, :, others], value=value[:, :, others]).mixed()
    torch.testing.assert_close(answer[0], lacking[0])
    torch.testing.assert_close(answer[1], due.mixed()[1])
    shares = shares_of_heard(torch.softmax(query[0, 0] @ key[0, 0].T, -1).T, (2,))
    torch.testing.assert_close(shares[others], torch.softmax(query[0, 0] @ key[0, 0, others].T, -1).T)


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("a red circle, (Red:1.2) reddish", ("red",), "a circle, (:1.2) reddish"),
        ("a b", (), "a b"), ("猫和狗", ("和",), "猫狗"), ("a C++ book", ("c++",), "a book"),
    ],
)  # fmt: skip
def test_a_word_is_cut_out_where_it_stands_alone(text: str, words: tuple[str, ...], left: str) -> None:
    assert text_without(text, words) == left


def test_muted_words_and_tokens_change_the_picture_and_are_written_into_it(back: Back) -> None:
    plain, _ = made(back, prompt="a red cat", steps=2)
    for muted in ({"words": ["red"]}, {"tokens": [2]}):
        other, _ = made(back, prompt="a red cat", steps=2, extensions={"run_recorder": {"muted": muted}})
        assert not np.array_equal(pixels(plain), pixels(other))
        assert "Muted" in other.images[0].infotext
    cut, _ = made(back, prompt="a cat", steps=2)
    word, _ = made(back, prompt="a red cat", steps=2, extensions={"run_recorder": {"muted": {"words": ["red"]}}})
    assert np.array_equal(pixels(cut), pixels(word))


def test_a_recorded_run_with_muted_tokens_gives_them_no_share(back: Back) -> None:
    options = {"enabled": True, "muted": {"tokens": [2]}}
    quiet, _ = made(back, steps=2, extensions={"run_recorder": {"muted": {"tokens": [2]}}})
    result, kept = made(back, steps=2, extensions={"run_recorder": options})
    maps = np.frombuffer(kept.parts["maps_1"], np.float16).reshape(-1, 77, GRID, GRID).astype(float)
    assert maps[:, 2].max() == 0
    assert np.abs(maps.sum(1) - 1).max() < 2e-3
    assert np.abs(pixels(quiet) - pixels(result)).max() <= 1
    assert kept.json("run")["muted"] == {"words": [], "tokens": [2]}


def test_nothing_is_added_where_nobody_adds(kept: Keeping) -> None:
    assert kept.json("adds") == {"skips": {}, "levels": {}, "attention": {}, "weights": {}}


@pytest.mark.parametrize(("make", "skips", "levels"), [(full_size.sd1_unet, 12, 4), (full_size.sdxl_unet, 9, 3)])
def test_skips_are_those_that_a_control_network_adds_to(make: object, skips: int, levels: int) -> None:
    parts = parts_of(make())  # type: ignore[operator]
    assert len(skip_sources(parts)) == skips
    assert len(level_ends(parts)) == levels
