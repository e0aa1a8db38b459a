"""The engine over a few named files, jobs in every state, and what is needed to call the API in front of them."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import httpx

from tests.doors import DoorEngine, HoldingExecutor, NamedLibrary
from tests.narrowing import untyped
from tests.painting import PaintingBack
from webui.api.application import create
from webui.api.parts import EncodedImage, Parts
from webui.domain.errors import Cancelled
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.domain.saving import Saving
from webui.engine.batch_door import BatchDoor
from webui.engine.folder_access import FolderAccess
from webui.engine.generating import Generation
from webui.executors.inline import InlineExecutor
from webui.installing.permission import Permission
from webui.jobs.job import Job
from webui.library.family import ModelSpec
from webui.library.files import ModelFile
from webui.plugins.catalog import Catalog
from webui.prompt.styles import Style
from webui.server.app import encoded
from webui.weights.families.registry import FAMILIES

BASE = "http://127.0.0.1:7860"
SHA = "b308822a78" + "0" * 54
GENERATION = Generation(untyped(None), untyped(None), lambda request: None)  # nothing is saved here


FILES = (
    ModelFile(Path("models/Stable-diffusion/tiny-sd1.safetensors"), "checkpoint", "tiny-sd1.safetensors"),
    ModelFile(Path("models/Stable-diffusion/sub/other.safetensors"), "checkpoint", "sub/other.safetensors"),
    ModelFile(Path("models/Stable-diffusion/bad.safetensors"), "checkpoint", "bad.safetensors", False, "truncated"),
    ModelFile(Path("models/VAE/tiny-vae.safetensors"), "vae", "tiny-vae.safetensors"),
    ModelFile(Path("models/RealESRGAN/RealESRGAN_x4plus.pth"), "upscaler", "RealESRGAN_x4plus.pth"),
    ModelFile(Path("models/ESRGAN/alpha.pth"), "upscaler", "alpha.pth"),
    ModelFile(Path("models/embeddings/ti.safetensors"), "embedding", "ti.safetensors"),
    ModelFile(Path("models/Lora/sub/ink.safetensors"), "lora", "sub/ink.safetensors"),
    ModelFile(Path("models/hypernetworks/h.pt"), "hypernetwork", "h.pt"),
)


class FakeLibrary(NamedLibrary):
    """The files above; a LoRA calls itself Ink Drawing."""

    def __init__(self, cache_dir: Path) -> None:
        super().__init__(FILES, {"tiny-sd1": SHA}, cache_dir)

    def spec(self, file: ModelFile) -> ModelSpec:
        alone = file.stem == "tiny-sd1"
        unet = SimpleNamespace(context_width=64)
        spec: ModelSpec = untyped(
            SimpleNamespace(stands_alone=alone, family=FAMILIES[0], unet=unet, prediction="epsilon", notices=())
        )
        return spec

    def fact(self, file: ModelFile, name: str) -> str | None:
        return "Ink Drawing"

    def safetensors(self, file: ModelFile) -> Path:
        return file.path


class Obedient:
    """Ends a job at once when it is asked to."""

    job: "FakeJob"

    def cancel(self, job_id: str) -> None:
        self.job.stopping = True
        self.job.note_end(Cancelled("stopped"))

    def skip(self, job_id: str) -> None: ...
    def finish(self, job_id: str) -> None: ...


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


class FakeEngine(DoorEngine):
    """The engine, whose jobs end before `submit` returns."""

    def __init__(
        self,
        *,
        extensions: Catalog | None = None,
        starting: GenerationRequest = GenerationRequest(),
        jobs: Mapping[str, FakeJob] = MappingProxyType({}),
        hold: bool = False,
        error: Exception | None = None,
        refuse: Exception | None = None,
    ) -> None:
        """
        Args:
            jobs: those that it knows from the beginning.
            hold: begin jobs and end none that nobody cancels.
            error: what every job fails with.
            refuse: what `submit` raises.
        """
        back = PaintingBack(failure=error, size=(8, 8), model=ModelFacts("tiny-sd1", SHA[:10]))
        executor = HoldingExecutor if hold else partial(InlineExecutor, back)
        super().__init__(FakeLibrary, executor, extensions=extensions, starting=starting)
        self.saver.folder = Path(self._folder.name, "pictures")
        self.refuse = refuse
        for job in jobs.values():
            self.place(job)


def encode(image: GeneratedImage, saving: Saving | None = None) -> EncodedImage:
    return encoded(Saving(), image, saving)


def parts_of(engine: FakeEngine, **more: Any) -> Parts:
    styles = {"ink": Style("ink", "ink drawing of {prompt}", "photo")}
    batches = BatchDoor(engine, FolderAccess(tuple, Permission()), Saving)
    return Parts(engine=engine, encode=encode, styles=lambda: styles, flags={"port": 7860}, batches=batches, **more)


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
