"""The engine for the page: over a few named files, with a back that is as fast or slow as a test wants."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.doors import PATIENCE, DoorEngine, NamedLibrary, ThreadedExecutor
from tests.painting import PaintingBack
from webui.domain.errors import UnusableFileError
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.engine.indexing import OnKept
from webui.executors.protocol import Executor, OnEvent
from webui.library.files import Kind, ModelFile

MANY = 10_000  # jobs; more than a test has
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


def _value_of(fields: Any, name: str) -> Any:
    """The value of a dotted name."""
    for part in name.split("."):
        fields = fields[part]
    return fields


class FakeLibrary(NamedLibrary):
    """The files above, all with the same hash."""

    def __init__(self, cache_dir: Path) -> None:
        super().__init__(FILES, {}, cache_dir)

    def forget(self) -> None:
        """Be as at first, whatever a test has put in the place of files, folders and answers."""
        self.named, self.models_dir, self.refreshed = list(FILES), Path("models"), 0
        for name in [name for name in vars(self) if hasattr(FakeLibrary, name)]:
            delattr(self, name)

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

    def forget(self) -> None:
        """Be as at first: without jobs, pictures and extensions, and with the first files and starting values."""
        self.step_seconds, self.failure, self.refuse = 0.0, None, None
        self._end_all()
        self.go_on()
        for job in {job.id: job for job in (*self.overview.ended(MANY), *(one.job for one in self.asked_for))}:
            self.queue.delete(job)
        with closing(sqlite3.connect(self.store.path)) as database, database:
            database.execute("DELETE FROM images")
        shutil.rmtree(self.outputs, ignore_errors=True)
        self.outputs.mkdir()
        usual = GenerationRequest().model_dump(mode="json")
        for name in self.starting:
            super().change_starting_values({name: _value_of(usual, name)})
        self.extensions.replace(())
        self.recordings._kept.clear()
        if isinstance(self.library, FakeLibrary):
            self.library.forget()
        for told in (self.asked_for, self.changed, self.loaded, self.calls):
            told.clear()

    def _end_all(self) -> None:
        """Stop what runs and cancel what waits, and wait until it has ended."""
        end = time.monotonic() + PATIENCE
        while going := (*self.overview.beside(), *self.overview.line()):
            assert time.monotonic() < end, f"these jobs do not end: {going}"
            for job in going:
                self.forever.end(job.owner)
                job.cancel()
                job.wait_for(lambda now: now.ended, PATIENCE)
        self.queue.resume()

    def _executor_of(self, on_event: OnEvent) -> Executor:
        return ThreadedExecutor(self._back, on_event)

    @property
    def step_seconds(self) -> float:
        """How long a step takes."""
        return self._back.step_seconds

    @step_seconds.setter
    def step_seconds(self, seconds: float) -> None:
        self._back.step_seconds = seconds

    def hold(self, *, after: int = 0) -> None:
        """Have jobs wait at their first step until they may go on, or are stopped.

        Args:
            after: how many batches are still made before.
        """
        self._back.gate.shut(after=after)

    def go_on(self) -> None:
        """What is held, and what comes, is made at once."""
        self._back.gate.open()

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
