"""What the tests of API and page stand on: the real engine over files that are only named.

`DoorEngine` is `webui.engine.engine.Engine` with nothing replaced but what lies outside of it: the library names files
that need not be there, the back is one of the tests' own (`painting.py` has one that fills pictures with one colour),
and what was asked of the engine is remembered.
"""

import hashlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL.PngImagePlugin import PngInfo

from webui.domain.errors import Cancelled, UnusableFileError, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Notice
from webui.domain.saving import Saving
from webui.domain.settings import BackSettings
from webui.engine.engine import Engine
from webui.engine.generating import GenerationJob
from webui.engine.indexing import OnKept
from webui.executors.inline import InlineExecutor
from webui.executors.protocol import Executor, Failed, OnEvent, Started, Work
from webui.jobs.store import JobStore
from webui.library.family import ModelSpec
from webui.library.files import Kind, ModelFile
from webui.library.library import ModelLibrary
from webui.output.store import Folder
from webui.plugins.catalog import Catalog
from webui.weights.families.registry import FAMILIES

PATIENCE = 60.0  # seconds that a test waits for something before it fails


class NamedLibrary(ModelLibrary):
    """A library of files that need not be there; what is inside them is what this says.

    Attributes:
        named: the files, of every kind.
        hashes: SHA-256 by the stem of a file.
        refreshed: how often somebody had it look at the folders.
    """

    def __init__(self, named: Iterable[ModelFile], hashes: Mapping[str, str], cache_dir: Path) -> None:
        super().__init__(Path("models"), cache_dir, FAMILIES)
        self.named = list(named)
        self.hashes = dict(hashes)
        self.refreshed = 0

    def refresh(self) -> None:
        self.refreshed += 1

    def files(self, kind: Kind) -> tuple[ModelFile, ...]:
        return tuple(file for file in self.named if file.kind == kind)

    def known_sha256(self, file: ModelFile) -> str | None:
        return self.hashes.get(file.stem)

    def usable(self, file: ModelFile) -> ModelFile:
        if not file.usable:
            raise UnusableFileError(f"{file.name}: {file.reason}")
        return file

    def spec(self, file: ModelFile) -> ModelSpec:
        raise UnusableFileError(f"{file.name}: there is only a name")

    def is_bundled(self, file: ModelFile) -> bool:
        return False

    def is_merged(self, file: ModelFile) -> bool:
        return False


class ThreadedExecutor(InlineExecutor):
    """Runs the jobs in a thread, one after the other, so that a test can look at one that is in work."""

    def _drive(self) -> None:
        threading.Thread(target=super()._drive, name="jobs of a test", daemon=True).start()


class HoldingExecutor:
    """Begins jobs and never ends one, unless it is asked to; then it does so at once."""

    def __init__(self, on_event: OnEvent) -> None:
        self._tell = on_event
        self._jobs: list[str] = []  # the first of them runs

    @property
    def capacity(self) -> int:
        return 1

    def running(self) -> tuple[str, ...]:
        return tuple(self._jobs[:1])

    def submit(self, job_id: str, work: Work) -> None:
        self._jobs.append(job_id)
        if self._jobs[0] == job_id:
            self._tell(Started(job_id))

    def cancel(self, job_id: str) -> None:
        running = self.running()
        self._jobs.remove(job_id)
        after = [one for one in self.running() if one not in running]
        self._tell(Failed(job_id, Cancelled("stopped")))
        for one in after:
            self._tell(Started(one))

    def skip(self, job_id: str) -> None: ...
    def finish(self, job_id: str) -> None: ...
    def load(self, checkpoint: str) -> None: ...
    def renew(self, settings: BackSettings) -> None: ...
    def close(self) -> None: ...


@dataclass
class Saver:
    """Writes pictures with their text into a folder, or refuses to where there is none."""

    folder: Path | None
    folders: list[str] = field(default_factory=list)  # the kinds of folder that were asked for, in order

    def save(
        self,
        image: GeneratedImage,
        *,
        folder: Folder,
        job: GenerationRequest | None = None,
        saving: Saving | None = None,
        claim: Callable[[Path, str], None] | None = None,
    ) -> Path:
        if self.folder is None:
            raise WebuiError("there is no folder for pictures")
        self.folders.append(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        info = PngInfo()
        info.add_itxt("parameters", image.infotext)
        path = self.folder / f"{time.monotonic_ns()}-{image.request.seed}.png"
        image.image.save(path, pnginfo=info)
        if claim is not None:
            claim(path, hashlib.sha256(path.read_bytes()).hexdigest())
        return path

    def has(self, folder: Folder, saving: Saving) -> bool:
        return False

    def check_room(self) -> None:
        if self.folder is None:
            raise WebuiError("there is no folder for pictures")


@dataclass(frozen=True)
class Asked:
    """A job as a door asked for it; whatever else it is asked for, the job itself answers."""

    job: GenerationJob
    request: GenerationRequest

    @property
    def cancelled(self) -> bool:
        return self.job.state == "cancelled"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.job, name)


class DoorEngine(Engine):
    """The engine, over a temporary folder; it remembers what was asked of it.

    Attributes:
        asked_for: the jobs in the order in which they were asked for.
        changed: the changes to the starting values.
        loaded: the checkpoints that were to be loaded.
        calls: how often, and in which order, `interrupt` and `skip` were called.
        refuse: raised by `submit` instead of taking a job on.
        store: its database.
    """

    library: NamedLibrary

    def __init__(
        self,
        library: Callable[[Path], NamedLibrary],
        executor: Callable[[OnEvent], Executor],
        *,
        extensions: Catalog | None = None,
        starting: GenerationRequest = GenerationRequest(),
        outputs: Path | None = None,
        on_picture: OnKept = lambda job, image: None,
    ) -> None:
        """
        Args:
            library: makes one, given a folder for what it remembers.
            executor: as the engine's own.
            starting: what a new form starts with.
            outputs: where pictures are saved; None: nowhere.
            on_picture: is told of each that was saved.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="doors-", ignore_cleanup_errors=True)
        data_dir = Path(self._folder.name)
        (data_dir / "starting_values.json").write_text(starting.model_dump_json(exclude_defaults=True))
        self.saver = Saver(outputs)
        self.store = JobStore(data_dir / "jobs.sqlite3")
        super().__init__(
            executor,
            library(data_dir / "cache"),
            self.store,
            self.saver,
            data_dir=data_dir,
            extensions=extensions,
            on_picture=on_picture,
        )
        self.asked_for: list[Asked] = []
        self.changed: list[Mapping[str, Any]] = []
        self.loaded: list[str] = []
        self.calls: list[str] = []
        self.refuse: Exception | None = None

    def submit(self, request: GenerationRequest, **how: Any) -> GenerationJob:
        if self.refuse is not None:
            raise self.refuse
        job = super().submit(request, **how)
        self.asked_for.append(Asked(job, request))
        return job

    @property
    def last(self) -> Asked:
        return self.asked_for[-1]

    @property
    def jobs(self) -> dict[str, Asked]:
        """By id; a job that was asked for twice is there once."""
        return {asked.job.id: asked for asked in self.asked_for}

    def interrupt(self) -> None:
        self.calls.append("interrupt")
        super().interrupt()

    def skip(self) -> None:
        self.calls.append("skip")
        super().skip()

    def load(self, checkpoint: str) -> None:
        super().load(checkpoint)
        self.loaded.append(checkpoint)

    def change_starting_values(self, changes: Mapping[str, Any]) -> None:
        super().change_starting_values(changes)
        self.changed.append(changes)

    def place(self, job: GenerationJob) -> None:
        """Have it know a job that was brought into a state without any work."""
        job.kind = self._generation
        self._board.add(job, at_end=True)

    def note_earlier(self, job_id: str, *, task: str = "", notices: tuple[Notice, ...] = ()) -> None:
        """Have its database know a job that an earlier run of the program has done."""
        work = GenerationRequest(seed=1).model_dump_json()
        self.store.add(job_id, self._generation.name, work, save=True, created=0.0, task=task)
        self.store.note_ended(job_id, "done", notices=notices)
