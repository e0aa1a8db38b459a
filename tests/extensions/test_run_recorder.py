"""The recorder of runs: what it keeps is what happened, it changes nothing, and it does nothing unless it is asked."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from extensions.run_recorder.word_maps import GRID, token_maps
from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]
REQUEST = GenerationRequest(
    prompt="a cat", checkpoint="tiny-sd1", sampler="Euler", steps=3, seed=5, width=64, height=64
)
ON = {"run_recorder": {"enabled": True}}


class Keeping(Silent):
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}

    def recorded(self, part: RecordedPart) -> None:
        self.parts[part.name] = part.data

    def json(self, name: str) -> Any:
        return json.loads(self.parts[name])

    def picture(self, name: str) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.parts[name])).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=ROOT / "extensions")


def made(back: Back, **changes: object) -> tuple[GenerationResult, Keeping]:
    kept = Keeping()
    result = back.run(REQUEST.with_(**changes), kept)
    assert not result.notices
    return result, kept


def pixels(result: GenerationResult) -> np.ndarray:
    return np.asarray(result.images[0].image).astype(int)


@pytest.mark.parametrize("sampler", ["Euler", "DDIM", "Heun", "DPM++ 2M"])
def test_a_recording_tells_every_step_and_changes_nothing(sampler: str, back: Back) -> None:
    plain, nothing = made(back, sampler=sampler)
    result, kept = made(back, sampler=sampler, extensions=ON)
    assert not nothing.parts
    assert np.abs(pixels(plain) - pixels(result)).max() <= 1  # attention is opened, which may round otherwise
    run = kept.json("run")
    steps = run["steps"]
    assert run["is_done"]
    assert len(steps) == run["total"]
    assert all(one["sigma"] > one["next"] for one in steps)
    assert [one["next"] for one in steps[:-1]] == [one["sigma"] for one in steps[1:]]
    last = kept.picture(f"clean_{len(steps) - 1}")  # the clean estimate at the last step is the picture
    assert np.abs(last - pixels(result)).max() <= 1
    assert kept.picture("latents_0").shape == (8, 24, 3)


def test_shares_of_the_words_sum_to_one_at_each_place(back: Back) -> None:
    _, kept = made(back, extensions=ON, prompt="a red circle")
    run = kept.json("run")
    for place in range(len(run["steps"])):
        maps = np.frombuffer(kept.parts[f"maps_{place}"], np.float16).reshape(len(run["blocks"]), -1, GRID, GRID)
        assert maps.shape[1] == run["tokens"] == 77
        assert np.abs(maps.astype(float).sum(1) - 1).max() < 2e-3


def test_maps_are_the_softmax_of_each_place() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 12, 4), torch.randn(2, 5, 4)
    maps = token_maps(query, key, (3, 4))
    assert maps.shape == (5, GRID, GRID)
    torch.testing.assert_close(maps.sum(0), torch.ones(GRID, GRID))
    shares = torch.softmax(query @ key.transpose(1, 2) / 2, -1).mean(0)  # (places, tokens)
    torch.testing.assert_close(maps, functional.adaptive_avg_pool2d(shares.T.view(5, 3, 4), GRID))


def test_long_runs_stay_within_their_bounds(back: Back) -> None:
    _, kept = made(back, steps=61, extensions=ON)
    run = kept.json("run")
    assert len(run["steps"]) <= 60
    assert run["steps"][-1]["next"] == 0
    assert sum(one["maps"] for one in run["steps"]) <= 24
    assert run["is_done"]


def test_only_the_first_picture_is_recorded(back: Back) -> None:
    _, alone = made(back, extensions=ON)
    _, several = made(back, extensions=ON, n_iter=2)
    assert alone.parts == several.parts


def test_a_part_that_is_left_out_changes_the_picture_and_one_that_counts_as_usual_does_not(back: Back) -> None:
    plain, _ = made(back)
    same, _ = made(back, extensions={"run_recorder": {"blocks": {"mid_block.resnets.0": 1}}})
    other, _ = made(back, extensions={"run_recorder": {"blocks": {"up_blocks.1.resnets.0": 0}}})
    assert np.array_equal(pixels(plain), pixels(same))
    assert not np.array_equal(pixels(plain), pixels(other))
    assert "Block scales" in other.images[0].infotext
    assert "Block scales" not in same.images[0].infotext
    again, _ = made(back)  # the network is as it was
    assert np.array_equal(pixels(plain), pixels(again))


def test_the_parts_have_all_parameters(back: Back) -> None:
    _, kept = made(back, extensions=ON)
    rows = json.loads(kept.parts["parts"])
    assert sum(row["parameters"] for row in rows) > 1000
    assert [row["kind"] for row in rows][-1] == "conv"
