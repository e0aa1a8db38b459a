"""A back that paints every picture in one colour, as fast or slow as a test wants, and a gate to hold it at."""

import io
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from webui.domain.errors import Cancelled
from webui.domain.extensions import ActionProgress
from webui.domain.memory_outlook import MemoryOutlook
from webui.domain.noise_levels import NoiseLevels
from webui.domain.noised_picture import LEVELS, NoisedPicture
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice, Progress
from webui.output.infotext import InfoFacts, write
from webui.processing.ports import Reporter

COLOURS = ((214, 90, 90), (90, 160, 214), (110, 190, 120), (200, 170, 80))
MINI = ModelFacts("mini", "0123456789")
VERSION = "v1.10.1"  # which the pictures' texts name
LOOK = 0.005  # seconds between looks of a job that waits at a gate


class Gate:
    """Where jobs can be made to wait for as long as a test looks at them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passes = math.inf

    def shut(self, *, after: int = 0) -> None:
        """Let nobody through but the first `after` that come."""
        with self._lock:
            self._passes = after

    def open(self) -> None:
        """Let through who waits and who comes."""
        with self._lock:
            self._passes = math.inf

    def pass_through(self, reporter: Reporter) -> None:
        """Wait while it is shut and the job is not stopped."""
        while not reporter.stopped():
            with self._lock:
                if self._passes > 0:
                    self._passes -= 1
                    return
            time.sleep(LOOK)


@dataclass
class PaintingBack:
    """Fills every picture with one colour, with progress and a preview of each step, and obeys a stop.

    Attributes:
        step_seconds: how long a step takes.
        gate: where every batch waits after its first step while it is shut.
        failure: raised when the pictures are made.
        size: of the pictures; None: as the request says.
        model: the facts of the model that the pictures are said to be of.
        notices: those of every job.
        loaded: the checkpoints that it was told to load.
    """

    step_seconds: float = 0.0
    gate: Gate = field(default_factory=Gate)
    failure: Exception | None = None
    size: tuple[int, int] | None = None
    model: ModelFacts = MINI
    notices: tuple[Notice, ...] = ()
    loaded: list[str] = field(default_factory=list)

    def run(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int] = frozenset()
    ) -> GenerationResult:
        images: list[GeneratedImage] = []
        batches, stopped = max(1, request.n_iter), ""
        for batch in range(batches):
            if images and reporter.finishing():
                stopped = "interrupt"
                break
            stopped = self._steps(request, batch, reporter)
            if stopped == "interrupt":
                break
            if not stopped:
                first = batch * request.batch_size
                missing = [first + index for index in range(request.batch_size) if first + index not in made]
                painted = [self._image(request, index) for index in missing]
                for image in painted:
                    reporter.image(image)
                images += painted
        if self.failure is not None:
            raise self.failure
        if not images and not made:
            raise Cancelled("Stopped before the first picture was made.")
        timings = {"sampling": 1.5}
        return GenerationResult(request, tuple(images), self.model, self.notices, timings, stopped == "interrupt")

    def load(self, checkpoint: str) -> None:
        self.loaded.append(checkpoint)

    def noise_levels(self, request: GenerationRequest) -> NoiseLevels:
        """A geometric series between Stable Diffusion's levels, steeper the longer the schedule's name is; or the
        list of the request.
        """
        high, low, steps = 14.6, 0.03, request.steps
        bend = len(request.scheduler) / 6
        levels = [high * (low / high) ** ((i / max(1, steps - 1)) ** bend) for i in range(steps)]
        sigmas = request.schedule.sigmas or (*levels, 0.0)
        label = "" if request.schedule.sigmas else request.scheduler
        return NoiseLevels(label, sigmas, tuple(1000.0 * level / high for level in sigmas), low, high)

    def memory_outlook(self, request: GenerationRequest) -> MemoryOutlook:
        """As large as the batch has pixels."""
        pixels = request.width * request.height * request.batch_size
        return MemoryOutlook("cpu", free=2**33, weights=2**31, sampling=pixels * 64, needs=2**31 + pixels * 64)

    def noised(
        self, request: GenerationRequest, report: Callable[[ActionProgress], None], stopped: Callable[[], bool]
    ) -> NoisedPicture:
        """Tiles of one colour each, and a loss that falls by half from level to level."""
        report(ActionProgress(1, LEVELS))
        atlas = Image.new("RGB", (13 * 8, 7 * 8))
        for place in range(13 * 7):
            atlas.paste(
                (2 * place, 40, 200 - 2 * place),
                (place % 13 * 8, place // 13 * 8, place % 13 * 8 + 8, place // 13 * 8 + 8),
            )
        steps = range(LEVELS)
        return NoisedPicture(
            atlas, 13, (8, 8), tuple(40.0 * at for at in steps), tuple(0.03 * 1.27**at for at in steps),
            tuple(0.5**at for at in steps), is_decoded=True,
        )  # fmt: skip

    def close(self) -> None: ...

    def _steps(self, request: GenerationRequest, batch: int, reporter: Reporter) -> str:
        """All steps of a batch; how it was stopped, or ""."""
        for step in range(1, request.steps + 1):
            if stopped := reporter.stopped():
                return stopped
            preview = jpeg(COLOURS[batch % 4], step)
            reporter.progress(Progress("sampling", step, request.steps, batch, request.n_iter, preview))
            if self.step_seconds:
                time.sleep(self.step_seconds)
            if step == 1:
                self.gate.pass_through(reporter)
        return reporter.stopped()

    def _image(self, request: GenerationRequest, index: int) -> GeneratedImage:
        seed = ((request.seed if request.seed >= 0 else 1000) + index) % 2**64
        one = request.model_copy(update={"seed": seed, "batch_size": 1, "n_iter": 1})
        image = Image.new("RGB", self.size or (one.width, one.height), COLOURS[index % 4])
        return GeneratedImage(image, one, text_of(one, self.model), index, 7 + index)


def text_of(request: GenerationRequest, model: ModelFacts = MINI) -> str:
    """The infotext of a picture."""
    return f"{write(request, InfoFacts(model=model))}, Version: {VERSION}"


def jpeg(colour: tuple[int, int, int], step: int) -> bytes:
    """A preview, which grows darker from step to step."""
    red, green, blue = (max(0, part - 3 * step) for part in colour)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (red, green, blue)).save(buffer, "JPEG")
    return buffer.getvalue()
