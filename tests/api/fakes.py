"""An engine that makes one-coloured pictures at once, and what is needed to call the API in front of it."""

import asyncio
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from PIL import Image

from webui.api.application import create
from webui.api.parts import EncodedImage, Parts
from webui.domain.errors import Cancelled, UnknownModelError, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.domain.saving import Saving
from webui.engine.generating import Generation
from webui.jobs.job import Job
from webui.jobs.record import JobRecord, record_of_job
from webui.library.files import ModelFile
from webui.plugins.catalog import Catalog
from webui.prompt.styles import Style
from webui.server.app import encoded
from webui.weights.families.registry import FAMILIES

BASE = "http://127.0.0.1:7860"
SHA = "b308822a78" + "0" * 54
GENERATION = Generation(None, None, lambda request: None)  # type: ignore[arg-type]  # nothing is saved here


@dataclass
class FakeLibrary:
    refreshed: int = 0
    models_dir: Path = Path("models")
    files: tuple[ModelFile, ...] = (
        ModelFile(Path("models/Stable-diffusion/tiny-sd1.safetensors"), "checkpoint", "tiny-sd1.safetensors"),
        ModelFile(Path("models/Stable-diffusion/sub/other.safetensors"), "checkpoint", "sub/other.safetensors"),
        ModelFile(Path("models/Stable-diffusion/bad.safetensors"), "checkpoint", "bad.safetensors", False, "truncated"),
    )

    def refresh(self) -> None:
        self.refreshed += 1

    def checkpoints(self) -> tuple[ModelFile, ...]:
        return self.files

    def spec(self, file: ModelFile) -> SimpleNamespace:
        return SimpleNamespace(
            stands_alone=file.stem == "tiny-sd1", family=FAMILIES[0], unet=SimpleNamespace(context_width=64)
        )

    def vaes(self) -> tuple[ModelFile, ...]:
        return (ModelFile(Path("models/VAE/tiny-vae.safetensors"), "vae", "tiny-vae.safetensors"),)

    def upscalers(self) -> tuple[ModelFile, ...]:
        return (
            ModelFile(Path("models/RealESRGAN/RealESRGAN_x4plus.pth"), "upscaler", "RealESRGAN_x4plus.pth"),
            ModelFile(Path("models/ESRGAN/alpha.pth"), "upscaler", "alpha.pth"),
        )

    def embeddings(self) -> tuple[ModelFile, ...]:
        return (ModelFile(Path("models/embeddings/ti.safetensors"), "embedding", "ti.safetensors"),)

    def loras(self) -> tuple[ModelFile, ...]:
        return (ModelFile(Path("models/Lora/sub/ink.safetensors"), "lora", "sub/ink.safetensors"),)

    def hypernetworks(self) -> tuple[ModelFile, ...]:
        return (ModelFile(Path("models/hypernetworks/h.pt"), "hypernetwork", "h.pt"),)

    def fact(self, file: ModelFile, name: str) -> str:
        return "Ink Drawing"

    def is_bundled(self, file: ModelFile) -> bool:
        return False

    def safetensors(self, file: ModelFile) -> Path:
        return file.path

    def checkpoint(self, alias: str) -> ModelFile:
        for file in self.files:
            if alias in (file.name, file.stem, file.model_name, self.title(file)):
                return file
        raise UnknownModelError(f"checkpoint: there is no {alias!r}; there are tiny-sd1, other")

    def known_sha256(self, file: ModelFile) -> str | None:
        return SHA if file.stem == "tiny-sd1" else None

    def title(self, file: ModelFile) -> str:
        known = self.known_sha256(file)
        return f"{file.name} [{known[:10]}]" if known else file.name


class Obedient:
    """Ends a job at once when it is asked to."""

    job: "FakeJob"

    def cancel(self, job_id: str) -> None:
        self.job.stopping = True
        self.job.note_end(Cancelled("stopped"))

    def skip(self, job_id: str) -> None: ...


class FakeJob(Job[GenerationRequest, Progress, GenerationResult]):
    """A job that was brought into a state without any work."""

    def __init__(
        self,
        name: str,
        request: GenerationRequest,
        save: bool = False,
        state: str = "done",
        *,
        progress: Progress = Progress(),
        preview: bytes | None = None,
        images: tuple[GeneratedImage, ...] = (),
        error: Exception | None = None,
        owner: str = "",
        task: str = "",
    ) -> None:
        control = Obedient()
        control.job = self
        super().__init__(name, GENERATION, request, control, save=save, owner=owner, task=task)
        if state != "queued":
            self.note_started()
        self.note_progress(replace(progress, preview=preview))
        if error is not None:
            self.note_end(error)
        elif state == "done":
            self.note_end(GenerationResult(request, images, ModelFacts("tiny-sd1", SHA[:10])))

    @property
    def request(self) -> GenerationRequest:
        return self.work

    @property
    def cancelled(self) -> bool:
        return self.state == "cancelled"


@dataclass
class FakeQueue:
    """Knows the jobs of its engine, and records of those that only a database would know."""

    engine: "FakeEngine"
    reason: str = ""
    records: dict[str, JobRecord] = field(default_factory=dict)

    def record(self, job_id: str) -> JobRecord | None:
        job = self.engine.jobs.get(job_id)
        return record_of_job(job, ()) if job is not None else self.records.get(job_id)

    def record_of_task(self, task: str) -> JobRecord | None:
        return next((one for one in self.records.values() if one.task == task), None)

    def is_same(self, job_id: str, request: GenerationRequest) -> bool:
        return job_id in self.records


@dataclass
class FakeEngine:
    """Set `hold` to keep jobs running, `error` to let them fail."""

    library: FakeLibrary = field(default_factory=FakeLibrary)
    starting: GenerationRequest = field(default_factory=GenerationRequest)
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    hold: bool = False
    error: Exception | None = None
    refuse: Exception | None = None
    calls: list[str] = field(default_factory=list)
    extensions: Catalog = field(default_factory=Catalog)

    @cached_property
    def queue(self) -> FakeQueue:
        return FakeQueue(self)

    def job_of_task(self, task: str) -> FakeJob | None:
        return next((job for job in reversed(self.jobs.values()) if task and job.task == task), None)

    def submit(
        self,
        request: GenerationRequest,
        *,
        save: bool,
        saving: Saving | None = None,
        job_id: str | None = None,
        owner: str = "",
        task: str = "",
    ) -> FakeJob:
        if self.refuse:
            raise self.refuse
        if request.checkpoint:
            self.library.checkpoint(request.checkpoint)
        self.extensions.check(request)
        name = job_id or f"job{len(self.jobs)}"
        if name not in self.jobs:
            images = () if self.hold else tuple(made(request))
            state = "running" if self.hold else "done"
            self.jobs[name] = FakeJob(
                name, request, save, state, images=images, error=self.error, owner=owner, task=task
            )
            self.jobs[name].saving = saving
        return self.jobs[name]

    def start(self, kind: Any, work: Any) -> Job[Any, Any, Any]:
        """Do the work of a kind that needs no back, here and now."""
        job = Job("front", kind, work, Obedient())
        try:
            job.note_end(kind.do(work, job.note_progress))
        except WebuiError as error:
            job.note_end(error)
        return job

    @property
    def last(self) -> FakeJob:
        return list(self.jobs.values())[-1]

    def job(self, job_id: str) -> FakeJob | None:
        return self.jobs.get(job_id)

    def action(self, job_id: str) -> None:
        return None

    def act(self, extension: str, action: str, options: Any) -> Any:
        self.extensions.call(extension, action, options)
        raise WebuiError("actions are not done here")

    def current(self) -> FakeJob | None:
        return next((job for job in self.jobs.values() if job.state == "running"), None)

    def queued(self) -> tuple[FakeJob, ...]:
        return tuple(job for job in self.jobs.values() if job.state == "queued")

    def interrupt(self) -> None:
        self.calls.append("interrupt")
        for job in self.jobs.values():
            job.cancel()

    def skip(self) -> None:
        self.calls.append("skip")

    async def aload(self, checkpoint: str) -> None:
        self.library.checkpoint(checkpoint)
        self.loaded.append(checkpoint)

    def starting_values(self) -> GenerationRequest:
        return self.starting

    def change_starting_values(self, changes: dict[str, Any]) -> None:
        self.changed.append(changes)


def made(request: GenerationRequest) -> Any:
    for index in range(request.images):
        seed = (max(0, request.seed) + index) % 2**64
        one = request.model_copy(update={"seed": seed, "batch_size": 1, "n_iter": 1})
        text = f"{request.prompt}\nSteps: {request.steps}, Sampler: {request.sampler}, Seed: {seed}, Version: v1.10.1"
        yield GeneratedImage(Image.new("RGB", (8, 8), (index, 0, 0)), one, text, index, 7 + index)


def encode(image: GeneratedImage, saving: Saving | None = None) -> EncodedImage:
    return encoded(Saving(), image, saving)


def parts_of(engine: FakeEngine, **more: Any) -> Parts:
    styles = {"ink": Style("ink", "ink drawing of {prompt}", "photo")}
    return Parts(engine=engine, encode=encode, styles=lambda: styles, flags={"port": 7860}, **more)  # type: ignore[arg-type]


def call(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    """One request, answered in this thread."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            return await client.request(method, path, **options)

    return asyncio.run(ask())


class Api:
    """The API in front of a fake engine."""

    def __init__(self, engine: FakeEngine | None = None) -> None:
        self.engine = engine or FakeEngine()
        self.parts = parts_of(self.engine)
        self.app = create(self.parts)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return call(self.app, "GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        if "content" in options:
            options.setdefault("headers", {"content-type": "application/json"})
            return call(self.app, "POST", path, **options)
        return call(self.app, "POST", path, json={} if body is None else body, **options)

    def txt2img(self, **body: Any) -> httpx.Response:
        return self.post("/sdapi/v1/txt2img", body)
