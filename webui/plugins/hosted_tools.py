"""The tools of all extensions, called as any of their code is, with their answers checked."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import torch
from PIL import Image

from webui.domain.errors import Cancelled, UnknownModelError
from webui.extension_api.model_files import Models
from webui.extension_api.picture_tools import Found, PictureTool, ToolKind, ToolWork
from webui.plugins.calling import Calls, ExtensionError, said
from webui.plugins.loader import Loaded

MOST_FOUND = 1000
LONGEST_SIDE = 32768

Answer = TypeVar("Answer")


class HostedTools:
    """Implements `picture_tools.Tools`."""

    def __init__(self, loaded: Loaded, models: Models, device: torch.device, dtype: torch.dtype, calls: Calls) -> None:
        owners: dict[tuple[str, str], tuple[str, PictureTool]] = {}
        for name in sorted(loaded.extensions):
            for key, tool in loaded.extensions[name].tools.items():
                owners.setdefault(key, (name, tool))
        self._owners: Mapping[tuple[str, str], tuple[str, PictureTool]] = MappingProxyType(owners)
        self._models, self._device, self._dtype, self._calls = models, device, dtype, calls

    def names(self, kind: ToolKind) -> tuple[str, ...]:
        """See `Tools`."""
        return tuple(name for one, name in self._owners if one == kind)

    def picture(self, kind: ToolKind, name: str, image: Image.Image, size: float) -> Image.Image:
        """See `Tools`."""
        return self._run(kind, name, image, size, _as_picture)

    def found(self, name: str, image: Image.Image) -> tuple[Found, ...]:
        """See `Tools`."""
        return self._run("detector", name, image, 0.0, lambda answer: _as_found(answer, image.size))

    def _run(
        self, kind: ToolKind, name: str, image: Image.Image, size: float, check: Callable[[object], Answer]
    ) -> Answer:
        if (kind, name) not in self._owners:
            raise UnknownModelError(f"there is no {kind} {name!r}; there are: {', '.join(self.names(kind)) or 'none'}")
        extension, tool = self._owners[kind, name]
        work = ToolWork(image.convert("RGB"), size, self._models, self._device, self._dtype)
        try:
            with self._calls.inside(extension, f"{kind} {name}"):
                return check(tool.run(work))
        except Cancelled:
            raise
        except Exception as error:
            text = str(error) if isinstance(error, ExtensionError) else said(error)
            raise ExtensionError(f"extension {extension}, {kind} {name}: {text}") from error


def _as_picture(answer: object) -> Image.Image:
    if not isinstance(answer, Image.Image):
        raise ExtensionError(f"returned {type(answer).__name__}, expected a picture")
    if not 0 < min(answer.size) <= max(answer.size) <= LONGEST_SIDE:
        raise ExtensionError(f"returned a picture of {answer.width} x {answer.height}")
    return answer.convert("RGB")


def _as_found(answer: object, size: tuple[int, int]) -> tuple[Found, ...]:
    if not isinstance(answer, list | tuple) or len(answer) > MOST_FOUND:
        raise ExtensionError(f"returned {type(answer).__name__}, expected at most {MOST_FOUND} of Found")
    for one in answer:
        if not isinstance(one, Found):
            raise ExtensionError(f"returned {type(one).__name__}, expected Found")
        left, top, right, bottom = (float(side) for side in one.box)
        if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1] and 0 <= float(one.confidence) <= 1):
            raise ExtensionError(f"found {one.box} (confidence {one.confidence}), which is not within the picture")
        if one.mask is not None and (not isinstance(one.mask, Image.Image) or one.mask.size != size):
            raise ExtensionError("found something whose mask is not as large as the picture")
    return tuple(answer)
