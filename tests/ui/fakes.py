"""An engine without models: makes coloured pictures as fast or slow as a test wants, remembers what was asked."""

import io
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.domain.errors import Cancelled, UnknownModelError, UnusableFileError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice, Progress
from webui.engine.generating import Generation
from webui.jobs.job import Job
from webui.jobs.record import JobRecord
from webui.library.family import Family
from webui.plugins.catalog import Catalog
from webui.weights.families.registry import FAMILIES

GENERATION = Generation(None, None, lambda request: None)  # type: ignore[arg-type]  # nothing is saved by it here
COLOURS = ((214, 90, 90), (90, 160, 214), (110, 190, 120), (200, 170, 80))


@dataclass(frozen=True)
class FakeFile:
    name: str
    usable: bool = True
    reason: str = ""

    @property
    def path(self) -> Path:
        return Path("nowhere", self.name)

    @property
    def stem(self) -> str:
        return self.path.stem


@dataclass
class FakeLibrary:
    models_dir = Path("models")
    files: list[FakeFile] = field(
        default_factory=lambda: [
            FakeFile("mini.safetensors"),
            FakeFile("sdxl/other.safetensors"),
            FakeFile("torn.safetensors", usable=False, reason="the file is shorter than its header says"),
        ]
    )

    def refresh(self) -> None: ...

    def checkpoints(self) -> tuple[FakeFile, ...]:
        return tuple(self.files)

    def vaes(self) -> tuple[FakeFile, ...]:
        return (FakeFile("soft.vae.safetensors"),)

    def upscalers(self) -> tuple[FakeFile, ...]:
        return ()

    def loras(self) -> tuple[FakeFile, ...]:
        return (FakeFile("ink.safetensors"), FakeFile("sub/<b>oil.safetensors"))

    def embeddings(self) -> tuple[FakeFile, ...]:
        return (FakeFile("face.pt"),)

    def hypernetworks(self) -> tuple[FakeFile, ...]:
        return ()

    @property
    def families(self) -> tuple[Family, ...]:
        return FAMILIES

    def fact(self, file: FakeFile, name: str) -> str:
        return file.stem

    def safetensors(self, file: FakeFile) -> Path:
        raise UnusableFileError(f"{file.name}: has not been converted to safetensors yet")

    def title(self, file: FakeFile) -> str:
        return f"{file.name} [0123456789]"

    def spec(self, file: FakeFile) -> NoReturn:
        raise UnusableFileError(f"{file.name}: there is only a name")

    def checkpoint(self, alias: str) -> FakeFile:
        for file in self.files:
            if alias in (file.name, Path(file.name).stem, self.title(file)):
                return file
        raise UnknownModelError(f"checkpoint: there is no {alias!r}; there are mini, other.")

    def chosen_checkpoint(self, alias: str) -> SimpleNamespace:
        return SimpleNamespace(file=self.checkpoint(alias), told="")


class FakeJob(Job[GenerationRequest, Progress, GenerationResult]):
    """A job whose work is done by a thread of its own, which obeys a stop."""

    def __init__(self, engine: "FakeEngine", number: int, request: GenerationRequest, owner: str = "") -> None:
        super().__init__(f"job-{number}", GENERATION, request, self.Control(self), owner=owner)
        self.engine, self.request = engine, request
        self.stop = self.skipped = False
        self.note_started()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @dataclass(frozen=True)
    class Control:
        job: "FakeJob"

        def cancel(self, job_id: str) -> None:
            self.job.stop = True

        def skip(self, job_id: str) -> None:
            self.job.skipped = True

    def _run(self) -> None:
        try:
            self.note_end(self._make())
        except Exception as error:
            self.note_end(error)

    def _make(self) -> GenerationResult:
        for batch in range(self.request.n_iter):
            self.skipped = False
            for step in range(self.request.steps):
                colour = COLOURS[batch % 4]
                place = (step + 1, self.request.steps, batch, self.request.n_iter)
                self.note_progress(Progress("sampling", *place, jpeg(colour, step + 1)))
                time.sleep(self.engine.step_seconds)
                if self.stop or self.skipped:
                    break
            if self.stop:
                break
            if not self.skipped:
                for index in range(self.request.batch_size):
                    self.note_image(self._image(batch * self.request.batch_size + index))
        if self.engine.failure is not None:
            raise self.engine.failure
        if self.stop and not self.images:
            raise Cancelled("Stopped before the first picture was made.")
        facts = ModelFacts("mini", "0123456789")
        notices = (Notice("prompt", "<b>one word</b> was not understood"),)
        return GenerationResult(self.request, self.images, facts, notices, {"sampling": 1.5}, self.stop)

    def _image(self, index: int) -> GeneratedImage:
        seed = (self.request.seed if self.request.seed >= 0 else 1000) + index
        one = self.request.with_(seed=seed, batch_size=1, n_iter=1)
        text = (
            f"{one.prompt}\nNegative prompt: {one.negative_prompt}\nSteps: {one.steps}, Sampler: {one.sampler}, "
            f"CFG scale: {one.cfg_scale}, Seed: {seed}, Size: {one.width}x{one.height}, Model: mini"
        )
        image = Image.new("RGB", (one.width, one.height), COLOURS[index % 4])
        path = ""
        if self.engine.outputs is not None:
            info = PngInfo()
            info.add_itxt("parameters", text)
            place = self.engine.outputs / f"{time.monotonic_ns()}-{seed}.png"
            image.save(place, pnginfo=info)
            path = str(place)
        return GeneratedImage(image, one, text, index, 500 + index, path)


@dataclass
class FakeQueue:
    reason: str = ""
    records: dict[str, JobRecord] = field(default_factory=dict)

    def record(self, job_id: str) -> JobRecord | None:
        return self.records.get(job_id)


class FakeEngine:
    def __init__(self, outputs: Path | None = None, step_seconds: float = 0.0) -> None:
        self.outputs, self.step_seconds = outputs, step_seconds
        self.library = FakeLibrary()
        self.extensions = Catalog()
        self.failure: Exception | None = None
        self.starting: dict[str, Any] = {}
        self.jobs: dict[str, FakeJob] = {}
        self.queue = FakeQueue()

    def submit(self, request: GenerationRequest, *, save: bool, job_id: str | None = None, owner: str = "") -> FakeJob:
        self.saved = save
        job = FakeJob(self, len(self.jobs), request, owner)
        self.jobs[job.id] = job
        return job

    @property
    def asked(self) -> list[GenerationRequest]:
        return [job.request for job in self.jobs.values()]

    def job(self, job_id: str) -> FakeJob | None:
        return self.jobs.get(job_id)

    def running(self) -> tuple[FakeJob, ...]:
        return tuple(job for job in self.jobs.values() if job.state == "running")

    def current(self) -> FakeJob | None:
        return next((job for job in self.jobs.values() if job.state == "running"), None)

    def interrupt(self) -> None:
        if (job := self.current()) is not None:
            job.cancel()

    def starting_values(self) -> GenerationRequest:
        return GenerationRequest(**self.starting)

    def change_starting_values(self, changes: Mapping[str, Any]) -> None:
        self.starting.update(changes)


def jpeg(colour: tuple[int, int, int], step: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), tuple(max(0, part - 3 * step) for part in colour)).save(buffer, "JPEG")
    return buffer.getvalue()
