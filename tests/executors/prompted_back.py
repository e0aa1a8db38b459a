"""A back without torch for worker processes, whose behaviour is chosen by words in the prompt.

slow: every step takes a while; deaf: never asks whether to stop; die: kills its own process; two images then die;
raise: a bug; refuse: an expected failure; unpicklable: an error, or a result, that cannot cross to the front;
quit: calls sys.exit. Anything else: coloured images at once. Its actions are called wait (until it is stopped), raise,
and anything else, which is done at once.
"""

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from webui.domain.errors import BadRequestError, Cancelled, UnusableFileError, WebuiError
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ExtensionInfo
from webui.domain.planned_image import PlannedImage, SettledPlan
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.domain.settings import BackSettings
from webui.processing.ports import Reporter, Share

STEP = 0.01  # seconds, of a slow job
PIDS = "pids"  # file in data_dir: a line for every worker that built a back
HELD = "held"  # file in data_dir: as long as it is there, no back is built


class PromptedBack:
    """`extensions` tells for which device it was made, so that tests can tell backs apart."""

    def __init__(self, device: str = "auto") -> None:
        self._device = device

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        return (ExtensionInfo("prompted", "prompted", version=self._device),)

    def act(
        self, call: ActionCall, progress: Callable[[ActionProgress], None], stopped: Callable[[], bool], *_: object
    ) -> ActionOutcome:
        progress(ActionProgress(1, 2, call.action))
        if call.action == "raise":
            raise ValueError("a bug in the action")
        while call.action == "wait" and not stopped():
            time.sleep(STEP)
        return ActionOutcome(text=f"{call.action} is done")

    def run(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int] = frozenset()
    ) -> GenerationResult:
        prompt = request.prompt
        misbehave(prompt)
        images: list[GeneratedImage] = []
        stopped = ""
        for batch in range(request.n_iter):
            if batch in made:
                continue
            if images and reporter.finishing():
                stopped = "interrupt"
                break
            stopped = steps(request, batch, reporter)
            if stopped == "interrupt":
                break
            if stopped == "skip":
                continue
            images.append(picture(request, batch))
            reporter.image(images[-1])
            if "two images then die" in prompt and len(images) == 2 and not made:
                os.kill(os.getpid(), signal.SIGKILL)
        if not images and not made:
            raise Cancelled("stopped before the first image was made")
        timings: dict[str, Any] = {"lock": threading.Lock()} if prompt == "unpicklable result" else {"sampling": 0.5}
        model = ModelFacts("tiny", "0123456789")
        return GenerationResult(request, tuple(images), model, (), timings, stopped == "interrupt")

    def run_share(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int], share: Share
    ) -> GenerationResult:
        misbehave(request.prompt)
        if share.plan is None:
            images = tuple(PlannedImage(request.prompt, "", request.seed + index, 7) for index in range(request.n_iter))
            share.tell(SettledPlan(request, images, (1,) * request.n_iter))
        others = {*range(request.n_iter)} - set([index for index in range(request.n_iter) if index not in made][:1])
        try:
            return self.run(request, reporter, made | others)
        except Cancelled:
            return GenerationResult(request, (), ModelFacts("tiny", "0123456789"), interrupted=True)

    def load(self, checkpoint: str) -> None:
        if checkpoint == "broken":
            raise UnusableFileError("broken.safetensors: truncated")
        if checkpoint == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        pass


def picture(request: GenerationRequest, index: int) -> GeneratedImage:
    """One colour; its seed is the request's plus its index."""
    one = request.with_(seed=max(0, request.seed) + index, n_iter=1, batch_size=1)
    return GeneratedImage(Image.new("RGB", (8, 8), (index, 100, 200)), one, f"{request.prompt}\nSteps: 1", index, 7)


def misbehave(prompt: str) -> None:
    if prompt == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if prompt == "raise":
        raise ValueError("a bug in the back")
    if prompt == "refuse":
        raise BadRequestError("steps", "too many for this model")
    if prompt == "quit":
        sys.exit(3)
    if prompt == "unpicklable":

        class LocalError(Exception):
            def __init__(self) -> None:
                super().__init__("held by a lock")
                self.lock = threading.Lock()

        raise LocalError


def steps(request: GenerationRequest, batch: int, reporter: Reporter) -> str:
    """All steps of a batch; how it was stopped, or ""."""
    for step in range(request.steps):
        if "slow" in request.prompt:
            time.sleep(STEP)
        preview = jpeg(step) if step % 5 == 4 else None
        reporter.progress(Progress("sampling", step + 1, request.steps, batch, request.n_iter, preview))
        if "deaf" not in request.prompt and (stopped := reporter.stopped()):
            return stopped
    return ""


def jpeg(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8), shade % 256).save(buffer, "JPEG")
    return buffer.getvalue()


def build(settings: BackSettings) -> PromptedBack:
    while Path(settings.data_dir, HELD).exists():
        time.sleep(STEP)
    if settings.device == "none":
        raise WebuiError("device: there is no none")
    with Path(settings.data_dir, PIDS).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return PromptedBack(settings.device)


def build_dies(settings: BackSettings) -> PromptedBack:
    build(settings)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed above")


def build_dies_once(settings: BackSettings) -> PromptedBack:
    is_first = not Path(settings.data_dir, PIDS).exists()
    return build_dies(settings) if is_first else build(settings)


def build_fails(settings: BackSettings) -> PromptedBack:
    raise WebuiError(f"device: there is no {settings.device}")
