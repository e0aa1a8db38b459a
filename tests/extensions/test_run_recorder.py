"""The recorder of runs: what it keeps is what happened, it changes nothing, and it does nothing unless it is asked."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from extensions.run_recorder.network_parts import parts_of
from extensions.run_recorder.step_frames import CLEAN_SIDE
from extensions.run_recorder.word_maps import GRID, token_maps
from tests.library import full_size
from tests.processing.reporters import Silent
from webui.domain.hires import Hires
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest, Txt2Img
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
def back(bundled_back: Back) -> Back:
    return bundled_back


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


def test_a_large_picture_is_decoded_once_recorded_or_not(back: Back) -> None:
    """Its clean estimates are shown by their latents, and the last one by the picture that the run makes anyway."""
    decoded: list[str] = []
    counting = nn.modules.module.register_module_forward_hook(
        lambda module, given, output: decoded.append("") if type(module).__name__ == "Decoder" else None
    )
    large = {"width": CLEAN_SIDE + 64, "height": 64, "extensions": ON}
    try:
        result, kept = made(back, **large)
    finally:
        counting.remove()
    assert len(decoded) == 1
    run = kept.json("run")
    assert run["is_done"]
    assert [one["decoded"] for one in run["steps"]] == [False, False, True]
    picture = result.images[0].image.copy()
    picture.thumbnail((CLEAN_SIDE, CLEAN_SIDE), Image.Resampling.LANCZOS)
    assert np.abs(kept.picture("clean_2") - np.asarray(picture).astype(int)).max() <= 4  # rounded before, not after
    with_hires, kept = made(back, **large, task=Txt2Img(hires=Hires(enabled=True, scale=1.2, steps=1)))
    assert kept.json("run")["steps"][-1]["decoded"]
    assert kept.picture("clean_2").shape[1] < with_hires.images[0].image.width


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


def test_the_parts_of_a_recording_are_those_of_the_network(back: Back) -> None:
    _, kept = made(back, extensions=ON)
    rows = kept.json("parts")
    assert sum(row["parameters"] for row in rows) > 1000
    assert [row["name"] for row in rows][-1] == "conv_out"


@pytest.mark.parametrize(
    ("make", "parameters", "transformers", "layers"),
    [
        (full_size.sd1_unet, 859_520_964, 16, 16),
        (full_size.sd2_unet, 865_910_724, 16, 16),
        (full_size.sdxl_unet, 2_567_463_684, 11, 70),
    ],
)
def test_counts_of_full_size_networks_are_the_modules_own(
    make: Callable[[], nn.Module], parameters: int, transformers: int, layers: int
) -> None:
    unet = make()
    parts = parts_of(unet)
    assert sum(part.parameters for part in parts) == parameters == sum(one.numel() for one in unet.parameters())
    modules = dict(unet.named_modules())
    assert all(part.name in modules for part in parts)
    depths = [part.depth for part in parts if part.kind == "transformer"]
    assert (len(depths), sum(depths)) == (transformers, layers)
    skips = [part.leaves for part in parts if part.side == "down" and part.kind in ("resnet", "down")]
    entering = [part for part in parts if part.side == "up" and part.kind == "resnet"]
    before = [part.leaves for part in parts if part.kind == "resnet"][-len(entering) - 1 : -1]
    added = [part.enters - leaves for part, leaves in zip(entering, before, strict=True)]
    assert added == [*reversed(skips), parts[2 if parts[1].kind == "embedding" else 1].leaves]  # each skip arrives


class Operations(TorchDispatchMode):
    """Counts what torch is asked to compute."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def test_looking_costs_nothing_when_it_is_off(back: Back) -> None:
    made(back)  # whatever is prepared once is prepared
    counts = []
    cases: tuple[dict[str, Any], ...] = ({}, {"run_recorder": {}}, ON)
    for extensions in cases:
        with Operations() as operations:
            made(back, extensions=extensions)
        counts.append(operations.count)
    assert counts[0] == counts[1] < counts[2]
