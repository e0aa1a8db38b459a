"""What the tests of training share: a data set of drawn pictures, and runs of the action without a program around."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pydantic import JsonValue

from extensions.trainer.options import TrainOptions
from extensions.trainer.training import train
from webui.extension_api import ActionContext, ActionResult
from webui.library.library import ModelLibrary
from webui.plugins.models import LibraryModels
from webui.weights.families.registry import FAMILIES

SIDE = 64


def put_pictures(folder: Path, sizes: tuple[tuple[int, int], ...] = ((64, 64),) * 4) -> None:
    """Pictures with captions, the same at every run."""
    folder.mkdir(parents=True)
    for number, (width, height) in enumerate(sizes):
        chance = np.random.default_rng(number)
        Image.fromarray(chance.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a red thing, number {number}, on blue")


@dataclass
class Room:
    """A models folder and a data folder of one test."""

    models_dir: Path
    data_dir: Path
    told: dict[str, bytes] = field(default_factory=dict)
    places: list[tuple[Mapping[str, JsonValue], int]] = field(default_factory=list)  # at which it could go on

    def context(
        self,
        stopped: Callable[[], bool] = lambda: False,
        others_wait: Callable[[], bool] = lambda: False,
        progress: Callable[[int, int, str], None] = lambda done, total, text: None,
    ) -> ActionContext:
        library = ModelLibrary(self.models_dir, self.data_dir / "cache", FAMILIES)
        return ActionContext(
            LibraryModels(library), progress, stopped, torch.device("cpu"), torch.float32,
            record=self.told.__setitem__, data_dir=self.data_dir, others_wait=others_wait,
            can_go_on=lambda options, place: self.places.append((options, place)),
        )  # fmt: skip

    def train(self, context: ActionContext | None = None, **changes: Any) -> ActionResult:
        """A run of few steps on tiny pictures."""
        return train(options(**changes), context or self.context())

    def state(self) -> dict[str, Any]:
        """What was told last."""
        found: dict[str, Any] = json.loads(self.told["training"])
        return found


def options(**changes: Any) -> TrainOptions:
    """Options of a short run; `resume` alone goes on with one."""
    if "resume" in changes:
        return TrainOptions(**changes)
    usual: dict[str, Any] = {
        "base": "tiny-sd1", "data_set": "things", "output": "made", "steps": 4, "rank": 2, "alpha": 2,
        "resolution": SIDE, "min_bucket": SIDE, "learning_rate": 1e-2, "file_precision": "fp32", "batch_size": 2,
    }  # fmt: skip
    return TrainOptions(**{**usual, **changes})
