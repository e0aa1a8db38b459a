"""What tests of the engine share: a library and a saver in a few lines, and an executor driven by hand."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.executors.prompted_back import picture
from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts
from webui.engine.engine import Engine
from webui.engine.generating import GenerationJob
from webui.executors.protocol import Finished, ImageMade, OnEvent, Started, Work
from webui.jobs.store import JobStore
from webui.library.family import Family
from webui.library.files import ModelFile
from webui.weights.families.registry import FAMILIES

FACTS = ModelFacts("tiny", "0123456789")
DATABASE = "jobs.sqlite3"


@dataclass
class Library:
    models_dir: Path
    names: list[str] = field(default_factory=lambda: ["tiny"])
    on_disk: list[str] = field(default_factory=list)
    families: tuple[Family, ...] = FAMILIES

    def embeddings(self) -> tuple[ModelFile, ...]:
        return ()

    def refresh(self) -> None:
        self.names += self.on_disk

    def checkpoints(self) -> tuple[ModelFile, ...]:
        return tuple(ModelFile(self.models_dir / name, "checkpoint", name) for name in self.names)

    def checkpoint(self, alias: str) -> ModelFile:
        if alias == "torn":
            raise UnusableFileError("torn: truncated")
        if found := next((file for file in self.checkpoints() if file.name == alias), None):
            return found
        raise UnknownModelError(f"checkpoint: no {alias!r}")

    def vae(self, name: str, checkpoint: ModelFile) -> None:
        if name not in ("Automatic", "None"):
            raise UnknownModelError(f"vae: no {name!r}")

    def is_bundled(self, file: ModelFile) -> bool:
        return False

    def is_merged(self, file: ModelFile) -> bool:
        return False

    def known_sha256(self, file: ModelFile) -> str | None:
        return None

    def spec(self, file: ModelFile) -> None:
        raise UnusableFileError("not read in these tests")


@dataclass
class Saver:
    folder: Path
    error: Exception | None = None

    def save(
        self,
        image: GeneratedImage,
        *,
        folder: str,
        job: GenerationRequest | None = None,
        saving: object = None,
        claim: Callable[[Path, str], None] | None = None,
    ) -> Path:
        if self.error:
            raise self.error
        place = self.folder / folder
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{len(list(place.iterdir()))}.png"
        buffer = io.BytesIO()
        image.image.save(buffer, "PNG")
        if claim is not None:
            claim(path, hashlib.sha256(buffer.getvalue()).hexdigest())
        path.write_bytes(buffer.getvalue())
        return path

    def has(self, folder: str, saving: object) -> bool:
        return False

    def check_room(self) -> None:
        if self.error:
            raise self.error


class Hand:
    """An executor that does what the test tells it."""

    def __init__(self, on_event: OnEvent) -> None:
        self.tell = on_event
        self.jobs: list[str] = []  # what it was given, in order
        self.work: dict[str, Work] = {}
        self.stops: list[tuple[str, str]] = []
        self.loaded: list[str] = []
        self.closed = 0
        self.capacity = 1

    def submit(self, job_id: str, work: Work) -> None:
        self.jobs.append(job_id)
        self.work[job_id] = work

    def cancel(self, job_id: str) -> None:
        self.stops.append((job_id, "interrupt"))

    def skip(self, job_id: str) -> None:
        self.stops.append((job_id, "skip"))

    def finish(self, job_id: str) -> None:
        self.stops.append((job_id, "finish"))

    def load(self, checkpoint: str) -> None:
        self.loaded.append(checkpoint)

    def running(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        self.closed += 1

    def do(self, job: GenerationJob, images: int = 1) -> None:
        self.tell(Started(job.id))
        made = tuple(picture(job.work, index) for index in range(images))
        for image in made:
            self.tell(ImageMade(job.id, image))
        self.tell(Finished(job.id, GenerationResult(job.work, made, FACTS)))


@dataclass
class Bench:
    """Makes engines on one data folder and closes them."""

    folder: Path
    max_queue: int = 8
    writes_beside: bool = False
    made: list[Engine] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.library = Library(self.folder / "models")
        self.saver = Saver(self.folder / "outputs")

    def engine(self, executor: Callable[[OnEvent], object] | None = None) -> Engine:
        def make(on_event: OnEvent) -> object:
            self.hand = Hand(on_event)
            return self.hand

        store = JobStore(self.folder / DATABASE)
        engine = Engine(
            executor or make,  # type: ignore[arg-type]
            self.library,  # type: ignore[arg-type]
            store,
            self.saver,
            data_dir=self.folder,
            max_queue=self.max_queue,
            writes_beside=self.writes_beside,
        )
        self.made.append(engine)
        return engine

    def close(self) -> None:
        """Close every engine that was made."""
        for engine in self.made:
            engine.close()

    def stored(self, job_id: str) -> tuple[str, str]:
        store = JobStore(self.folder / DATABASE)
        row = store.job(job_id)
        store.close()
        assert row
        return row.state, row.error
