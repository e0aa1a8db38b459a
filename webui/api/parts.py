"""What the composition root hands to the API, so that no route reads a setting."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from PIL import Image

from webui.api.hidden_previews import HiddenPreviews
from webui.api.page.library_door import LibraryDoor
from webui.api.sdapi.dialect.chosen import ChosenSettings
from webui.api.webhooks import Webhooks
from webui.domain.errors import BusyError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.domain.saving import Saving
from webui.engine.batch_door import BatchDoor
from webui.engine.engine import Engine
from webui.imaging.encoding import file_bytes
from webui.installing.live import InstallDoor
from webui.jobs.watched import Flag
from webui.library.named_files import check_named
from webui.library.tag_lists import TagLists
from webui.preferences.door import PreferencesDoor
from webui.prompt.style_book import StyleBook
from webui.prompt.styles import Style

GridFolder = Literal["txt2img-grids", "img2img-grids", "txt2img-images", "img2img-images"]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """The bytes of an image file and their media type (`image/png`)."""

    data: bytes
    media_type: str


class Encoder(Protocol):
    """Makes the file of an image, with its infotext inside."""

    def __call__(self, image: GeneratedImage, saving: Saving | None = None) -> EncodedImage:
        """`saving` is how; None: as the program's settings say."""


class GridSaver(Protocol):
    """Writes the grid of a job's images beside them, or another picture that was put together of several."""

    def __call__(self, image: GeneratedImage, *, folder: GridFolder, job: GenerationRequest, saving: Saving) -> object:
        """Raises WebuiError where it cannot be written."""


class StopServer(Protocol):
    """Ends the program."""

    def __call__(self, *, at_once: bool) -> None:
        """Returns soon; `at_once` does not wait for the picture in work."""


def nothing() -> None:
    """For a program that holds no models."""


def no_grid(image: GeneratedImage, *, folder: GridFolder, job: GenerationRequest, saving: Saving) -> None:
    """For a program that writes no files."""


def as_png(image: Image.Image) -> EncodedImage:
    """A picture without parameters: a detected map, what an action made."""
    return EncodedImage(file_bytes(image, "PNG"), "image/png")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the routes work with.

    Attributes:
        styles: reads the saved styles.
        style_book: lists and changes the saved styles; None: none can be saved here.
        chosen: A1111's settings that are no starting values.
        save_grid: writes a grid into the outputs folder.
        unload: frees the memory that models hold.
        stop_server: ends the program; None: clients may not.
        flags: the program's settings without secrets, shown by `cmd-flags`.
        save_always: save images of the API also where the request does not ask.
        installing: how extensions are installed, and by whom; None: not here.
        library: the library of pictures; None: there is none.
        batches: begins batches of folders; None: not here.
        webhooks: tells clients of the end of their jobs.
        preferences: the settings, for the page; None: they cannot be seen there.
        tags: the lists of tags that prompts are completed with.
        cache_dir: where thumbnails are kept, and for this run pictures that were not saved; None: nowhere.
        is_shared: whether several people log in, so that each sees their own jobs on the page.
        previews: the jobs whose clients want no pictures on the way.
        closing: set when the server is to stop; new work is refused from then on.
    """

    engine: Engine
    encode: Encoder
    styles: Callable[[], Mapping[str, Style]] = dict
    style_book: StyleBook | None = None
    chosen: ChosenSettings = field(default_factory=ChosenSettings)
    save_grid: GridSaver = no_grid
    unload: Callable[[], None] = nothing
    stop_server: StopServer | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    save_always: bool = False
    installing: InstallDoor | None = None
    library: LibraryDoor | None = None
    batches: BatchDoor | None = None
    closing: Flag = field(default_factory=Flag)
    previews: HiddenPreviews = field(default_factory=HiddenPreviews)
    webhooks: Webhooks = field(default_factory=Webhooks)
    preferences: PreferencesDoor | None = None
    tags: TagLists = field(default_factory=TagLists)
    cache_dir: Path | None = None
    is_shared: bool = True

    def check_files(self, request: GenerationRequest) -> None:
        """Raises BadRequestError where a file that options of extensions name is not there, or cannot be used."""
        for name, values in request.extensions.items():
            info = self.engine.extensions.get(name)
            if info is not None and info.state == "ok" and info.options is not None:
                check_named(self.engine.library, info.options, values, f"extensions.{name}")

    def refuse_when_closing(self) -> None:
        """Raises BusyError once the server is stopping."""
        if self.closing.is_set():
            raise BusyError("the server is stopping; try again when it is back")
