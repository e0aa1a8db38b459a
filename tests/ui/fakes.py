"""The engine for the page: over a few named files, with a back that is as fast or slow as a test wants."""

from pathlib import Path
from typing import Any

from tests.doors import DoorEngine, NamedLibrary, PaintingBack, ThreadedExecutor
from webui.domain.errors import UnusableFileError
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.engine.indexing import OnKept
from webui.executors.protocol import Executor, OnEvent
from webui.library.files import Kind, ModelFile

UNREADABLE = Notice("prompt", "<b>one word</b> was not understood")


def named(kind: Kind, name: str, *, usable: bool = True, reason: str = "") -> ModelFile:
    """A file that is not there."""
    return ModelFile(Path("nowhere", name), kind, name, usable, reason)


FILES = (
    named("checkpoint", "mini.safetensors"),
    named("checkpoint", "sdxl/other.safetensors"),
    named("checkpoint", "torn.safetensors", usable=False, reason="the file is shorter than its header says"),
    named("vae", "soft.vae.safetensors"),
    named("lora", "ink.safetensors"),
    named("lora", "sub/<b>oil.safetensors"),
    named("embedding", "face.pt"),
)


class FakeLibrary(NamedLibrary):
    """The files above, all with the same hash."""

    def __init__(self, cache_dir: Path) -> None:
        super().__init__(FILES, {}, cache_dir)

    def known_sha256(self, file: ModelFile) -> str | None:
        return "0123456789" + "0" * 54

    def fact(self, file: ModelFile, name: str) -> str | None:
        return file.stem

    def safetensors(self, file: ModelFile) -> Path:
        raise UnusableFileError(f"{file.name}: has not been converted to safetensors yet")


class FakeEngine(DoorEngine):
    """The engine, whose jobs are done in a thread."""

    def __init__(self, outputs: Path, step_seconds: float = 0.0, on_picture: OnKept = lambda job, image: None) -> None:
        self._back = PaintingBack(step_seconds, notices=(UNREADABLE,))
        self.outputs = outputs
        super().__init__(FakeLibrary, self._executor_of, outputs=outputs, on_picture=on_picture)

    def _executor_of(self, on_event: OnEvent) -> Executor:
        return ThreadedExecutor(self._back, on_event)

    @property
    def step_seconds(self) -> float:
        """How long a step takes."""
        return self._back.step_seconds

    @step_seconds.setter
    def step_seconds(self, seconds: float) -> None:
        self._back.step_seconds = seconds

    @property
    def failure(self) -> Exception | None:
        """What jobs fail with when their pictures are made."""
        return self._back.failure

    @failure.setter
    def failure(self, error: Exception | None) -> None:
        self._back.failure = error

    @property
    def asked(self) -> list[GenerationRequest]:
        """The requests, as the page sent them."""
        return [asked.request for asked in self.asked_for]

    @property
    def starting(self) -> dict[str, Any]:
        """The starting values that the page changed."""
        return {name: value for changes in self.changed for name, value in changes.items()}
