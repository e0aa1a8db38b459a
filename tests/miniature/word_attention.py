"""How much of a word's attention lies on the object that it names, on pictures of the miniature."""

import json
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.processing.reporters import Silent
from tools.train_mini.judge import Found, judge
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.processing.back import Back

PROMPT = "a red circle to the left of a blue square"
TOKENS = {"red": 2, "circle": 3, "blue": 9, "square": 10}  # places in the context; 0 is its beginning
SIDE = 128  # pixels, which the judge measures on


class Keeping(Silent):
    """Keeps what is recorded of a job."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}

    def recorded(self, part: RecordedPart) -> None:
        self.parts[part.name] = part.data


class Attended(NamedTuple):
    """How much denser a word's attention is inside the box of its object than outside."""

    circle: float
    square: float


def attended(back: Back, seed: int, *, steps: int = 15) -> Attended | None:
    """None where the picture is not as asked.

    What was found by looking: "circle" (with "red" and "blue") has its place in the last block, at all steps; "square"
    has it in the first, in the last third of the steps.
    """
    request = GenerationRequest(
        prompt=PROMPT, checkpoint="mini", sampler="DPM++ 2M", scheduler="Karras", steps=steps, cfg_scale=5.0, seed=seed,
        width=SIDE, height=SIDE, extensions={"run_recorder": {"enabled": True}},
    )  # fmt: skip
    kept = Keeping()
    picture = back.run(request, kept).images[0].image
    circle, square = _found(picture, "circle"), _found(picture, "square")
    if circle is None or square is None:
        return None
    maps = _maps(kept)
    return Attended(
        _denser(maps[:, -1, TOKENS["circle"]].mean(0), circle),
        _denser(maps[-(steps // 3) :, 0, TOKENS["square"]].mean(0), square),
    )


def _maps(kept: Keeping) -> np.ndarray:
    """(steps, blocks, T, grid, grid)."""
    run = json.loads(kept.parts["run"])
    blocks, grid = len(run["blocks"]), run["grid"]
    steps = [kept.parts[f"maps_{at}"] for at in range(len(run["steps"]))]
    whole = np.stack([np.frombuffer(one, np.float16).reshape(blocks, -1, grid, grid) for one in steps])
    return np.asarray(whole.astype(np.float64))


def _found(picture: Image.Image, shape: str) -> Found | None:
    return next((one for one in judge(picture).objects if one.shape == shape), None)


def _denser(values: np.ndarray, thing: Found) -> float:
    """Mean inside the box of an object over the mean outside."""
    centres = (np.arange(len(values)) + 0.5) * SIDE / len(values)
    inside = np.outer(abs(centres - thing.y) <= thing.radius, abs(centres - thing.x) <= thing.radius)
    return float(values[inside].mean() / values[~inside].mean())
