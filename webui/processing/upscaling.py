"""Finds upscalers by name: filters, networks from the models folder, what extensions bring. `imaging/upscale.py`
enlarges pictures with them.
"""

from collections.abc import Callable

from PIL import Image

from webui.domain.request import GenerationRequest
from webui.domain.upscale import PLAIN_UPSCALERS
from webui.extension_api.picture_tools import NO_TOOLS, Tools
from webui.imaging.resize import Grow
from webui.imaging.upscale import LANCZOS, NEAREST, UpscalerPass, Watch, by_filter, by_model, resized, rounded
from webui.library.library import ModelLibrary
from webui.library.upscalers import check_upscalers, find_upscaler, has_upscaler
from webui.weights.upscalers import UpscalerCache

NONE, LANCZOS_NAME, NEAREST_NAME = PLAIN_UPSCALERS


class Upscalers:
    """Provides upscalers by name. Networks are loaded when they are first used."""

    def __init__(self, library: ModelLibrary, cache: UpscalerCache, tools: Tools = NO_TOOLS) -> None:
        """Args:
        tools: of extensions; among them may be upscalers.
        """
        self._library = library
        self._cache = cache
        self._tools = tools

    def check(self, request: GenerationRequest) -> None:
        """Raises BadRequestError, naming the field, where an upscaler of the request does not exist."""
        check_upscalers(self._library, request)

    def pass_of(self, name: str, scale: float, watch: Watch, whole: Callable[[float], int] = rounded) -> UpscalerPass:
        """One pass of an upscaler that shall reach `scale`.

        Args:
            watch: hears of tiles and may raise Cancelled.
            whole: of filters, how sides become whole pixels.
        """
        if name in PLAIN_UPSCALERS:
            return by_filter(scale, NEAREST if name == NEAREST_NAME else LANCZOS, whole)
        if name in self._tools.names("upscaler") and not has_upscaler(self._library, name):
            return lambda image: self._enlarged(name, image, scale, watch)
        return by_model(self._cache.get(find_upscaler(self._library, name)), watch)

    def _enlarged(self, name: str, image: Image.Image, scale: float, watch: Watch) -> Image.Image:
        watch(0, 1)
        larger = self._tools.picture("upscaler", name, image, scale)
        watch(1, 1)
        return larger

    def resized(self, image: Image.Image, name: str, width: int, height: int, watch: Watch) -> Image.Image:
        """The picture at exactly width x height. The upscaler enlarges it, Lanczos makes it smaller."""
        if name == NONE:
            return resized(image, width, height, None)
        return resized(image, width, height, lambda scale: self.pass_of(name, scale, watch, int))

    def growing(self, name: str, watch: Watch) -> Grow | None:
        """What brings pictures to a size with the upscaler; None where Lanczos does all of it."""
        if name in (NONE, LANCZOS_NAME):
            return None
        return lambda image, width, height: self.resized(image, name, width, height, watch)
