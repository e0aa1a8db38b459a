"""What extensions add to the lists of others: preprocessors, detectors, upscalers. Needs no torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from PIL import Image

from webui.domain.errors import UnknownModelError
from webui.extension_api.model_files import Models

if TYPE_CHECKING:
    import torch

ToolKind = Literal["preprocessor", "detector", "upscaler"]


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a detector has found.

    Attributes:
        box: left, top, right and bottom in pixels.
        confidence: 0..1.
        mask: white where it is, as large as the picture; None: the whole box.
        label: what it is.
    """

    box: tuple[float, float, float, float]
    confidence: float = 1.0
    mask: Image.Image | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class ToolWork:
    """What a tool is asked to do.

    Attributes:
        image: RGB.
        size: of a preprocessor: the resolution, the shorter side in pixels; of an upscaler: how many times as large.
        models: files by name, and what was built from them.
        device, dtype: where networks run and with which numbers.
    """

    image: Image.Image
    size: float
    models: Models
    device: "torch.device"
    dtype: "torch.dtype"


@dataclass(frozen=True, slots=True)
class PictureTool:
    """One entry of a list that others show.

    Attributes:
        kind: `preprocessor` (its map is as a ControlNet unit gets it), `detector` or `upscaler`.
        name: what is shown and sent; at most 60 characters.
        run: does the work, in the worker: gives a picture, of a detector a sequence of `Found`.
    """

    kind: ToolKind
    name: str
    run: Callable[[ToolWork], Image.Image | Sequence[Found]]


class Tools(Protocol):
    """The tools of all extensions that work."""

    def names(self, kind: ToolKind) -> tuple[str, ...]:
        """Those of a kind, in order."""

    def picture(self, kind: ToolKind, name: str, image: Image.Image, size: float) -> Image.Image:
        """The map of a preprocessor, or the enlarged picture of an upscaler.

        Raises:
            UnknownModelError: there is none of that name.
            WebuiError: it failed, with the name of its extension.
        """

    def found(self, name: str, image: Image.Image) -> tuple[Found, ...]:
        """What a detector finds. Raises as `picture` does."""


@dataclass(frozen=True, slots=True)
class NoTools:
    """Where no extension is loaded."""

    def names(self, kind: ToolKind) -> tuple[str, ...]:
        """None."""
        return ()

    def picture(self, kind: ToolKind, name: str, image: Image.Image, size: float) -> Image.Image:
        """Raises UnknownModelError."""
        raise UnknownModelError(f"there is no {kind} {name!r}")

    def found(self, name: str, image: Image.Image) -> tuple[Found, ...]:
        """Raises UnknownModelError."""
        raise UnknownModelError(f"there is no detector {name!r}")


NO_TOOLS = NoTools()
