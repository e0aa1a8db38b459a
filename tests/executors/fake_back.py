"""A back without models, for workers under test: what it does is written in the prompt, as words.

`steps=N` sampling steps a batch, `pause=S` seconds each, `preview` sends previews, `crash` kills the process, `raise`
and `refuse` fail, `exit` calls sys.exit, `deaf` never asks whether it should stop, `after` does the mischief after
the first image.
"""

import os
import signal
import sys
import time

from PIL import Image

from webui.domain.errors import BadRequestError, Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.executors.config import WorkerConfig
from webui.processing.ports import Reporter


class FakeBack:
    def __init__(self) -> None:
        self.loaded: list[str] = []

    def run(self, request: GenerationRequest, reporter: Reporter) -> GenerationResult:
        words = dict(word.partition("=")[::2] for word in request.prompt.split())
        if "after" not in words:
            mischief(words)
        images: list[GeneratedImage] = []
        for batch in range(request.n_iter):
            if not sample(request, reporter, batch, words):
                continue
            image = Image.new("RGB", (8, 8), (batch, 0, os.getpid() % 256))
            images.append(GeneratedImage(image, request.with_(seed=batch), f"pid {os.getpid()}", batch, 0))
            reporter.image(images[-1])
            mischief(words)
        return GenerationResult(request, tuple(images), ModelFacts("fake", "0123456789"))

    def load(self, checkpoint: str) -> None:
        if checkpoint == "broken":
            raise WebuiError("broken: cannot be loaded")
        self.loaded.append(checkpoint)

    def close(self) -> None:
        pass


def sample(request: GenerationRequest, reporter: Reporter, batch: int, words: dict[str, str]) -> bool:
    """Whether the batch was made, not skipped."""
    steps = int(words.get("steps", "1"))
    for step in range(1, steps + 1):
        time.sleep(float(words.get("pause", "0")))
        preview = b"jpeg %d" % step if "preview" in words else None
        reporter.progress(Progress("sampling", step, steps, batch, request.n_iter, preview))
        wish = "" if "deaf" in words else reporter.stopped()
        if wish == "interrupt":
            raise Cancelled("stopped by the user")
        if wish == "skip":
            return False
    return True


def mischief(words: dict[str, str]) -> None:
    if "crash" in words:
        os.kill(os.getpid(), signal.SIGKILL)
    if "raise" in words:
        raise ZeroDivisionError("a bug in the back")
    if "refuse" in words:
        raise BadRequestError("steps", "too many for this model")
    if "exit" in words:
        sys.exit(3)


def build(config: WorkerConfig) -> FakeBack:
    return FakeBack()


def build_fails(config: WorkerConfig) -> FakeBack:
    raise ImportError("no module named torch_of_another_world")


def build_dies(config: WorkerConfig) -> FakeBack:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
