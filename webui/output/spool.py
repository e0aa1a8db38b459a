"""Pictures that could not be saved in their folder, kept whole in another one until there is room for them.

Each is two files of one name: a PNG that carries its text, and a JSON with what the saving needs to know. The JSON is
written last, so a PNG without one was never finished.
"""

import contextlib
import uuid
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.library.unfinished import write_atomically
from webui.output.metadata import encode
from webui.output.store import Folder


class SpoolNote(BaseModel):
    """What stands in the JSON."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    folder: Folder
    index: int
    subseed: int
    infotext: str
    request: GenerationRequest
    words: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A picture that waits for its place."""

    path: Path
    job_id: str
    folder: Folder
    image: GeneratedImage


class Spool:
    """The folder of pictures that wait for room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, image: GeneratedImage, *, folder: Folder, job_id: str) -> Path:
        """Keep a picture; gives back its file.

        Raises:
            WebuiError: there is no room here either.
        """
        note = SpoolNote(
            job_id=job_id,
            folder=folder,
            index=image.index,
            subseed=image.subseed,
            infotext=image.infotext,
            request=image.request,
            words=dict(image.words),
        )
        data = encode(image.image, "png", infotext=image.infotext, request=image.request).data
        path = self.folder / f"{uuid.uuid4().hex}.png"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data, durable=True)
            write_atomically(path.with_suffix(".json"), note.model_dump_json().encode(), durable=True)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink()
            raise WebuiError(f"nor in {self.folder}: {error.strerror or type(error).__name__}") from error
        return path

    def waiting(self) -> tuple[Path, ...]:
        """The files of the pictures that wait, the oldest first."""
        found = [path for path in self.folder.glob("*.png") if path.with_suffix(".json").is_file()]
        return tuple(sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)))

    def read(self, path: Path) -> Spooled:
        """A picture that waits.

        Raises:
            WebuiError: its files cannot be read.
        """
        try:
            note = SpoolNote.model_validate_json(path.with_suffix(".json").read_bytes())
            with Image.open(path) as opened:
                pixels = opened.convert("RGB") if opened.mode not in ("RGB", "RGBA", "L") else opened.copy()
        except (OSError, ValidationError, SyntaxError) as error:
            raise WebuiError(f"{path} cannot be read ({type(error).__name__}); it stays where it is") from error
        image = GeneratedImage(pixels, note.request, note.infotext, note.index, note.subseed, words=note.words)
        return Spooled(path, note.job_id, note.folder, image)

    def remove(self, path: Path) -> None:
        """A picture has its place. The JSON goes first, so that nobody saves it again."""
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what a kill left unfinished."""
        for path in self.folder.glob("*.png"):
            if not path.with_suffix(".json").is_file():
                path.unlink(missing_ok=True)
