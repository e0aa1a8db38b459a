"""A back that makes small pictures quickly, a few steps each, so that a kill may come at any moment of a job."""

import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.executors.prompted_back import PIDS
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.domain.settings import BackSettings
from webui.processing.ports import Reporter

STEPS = 4
STEP = 0.02  # seconds
SIDE = 16


class QuickBack:
    """What a picture shows depends on its seed alone."""

    def run(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int] = frozenset()
    ) -> GenerationResult:
        images = []
        for index in range(request.n_iter):
            if index in made:
                continue
            for step in range(STEPS):
                time.sleep(STEP)
                reporter.progress(Progress("sampling", step + 1, STEPS, index, request.n_iter))
            seed = request.seed + index
            one = request.with_(seed=seed, n_iter=1)
            text = f"{request.prompt}\nSteps: {STEPS}, Sampler: Euler, Seed: {seed}, Size: {SIDE}x{SIDE}"
            images.append(GeneratedImage(shown(seed), one, text, index, request.subseed + index))
            reporter.image(images[-1])
        return GenerationResult(request, tuple(images), ModelFacts("tiny", "0123456789"))

    def load(self, checkpoint: str) -> None: ...
    def close(self) -> None: ...


def shown(seed: int) -> Image.Image:
    """The picture of a seed."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def build(settings: BackSettings) -> QuickBack:
    with Path(settings.data_dir, PIDS).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return QuickBack()
