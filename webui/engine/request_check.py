"""Whether a request can be carried out: every file and extension that it names is there and usable."""

from collections.abc import Callable
from typing import TypeVar

from webui.domain.errors import BadRequestError, UnknownModelError, UnusableFileError
from webui.domain.extensions import SAMPLER
from webui.domain.own_levels import check_own_levels
from webui.domain.request import GenerationRequest, Txt2Img
from webui.jobs.starting_values import StartingValues
from webui.library.choice import first_choice
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.upscalers import check_upscalers
from webui.plugins.catalog import Catalog
from webui.plugins.sampler_check import check_samplers

Found = TypeVar("Found")


class RequestCheck:
    """Looks into the model folders again before it says that a file is not there: it may just have been copied."""

    def __init__(self, library: ModelLibrary, extensions: Catalog, starting: StartingValues) -> None:
        self._library = library
        self._extensions = extensions
        self._starting = starting

    def completed(self, request: GenerationRequest) -> GenerationRequest:
        """The request with its checkpoint named, every file and extension that it names being there and usable.

        Raises:
            UnknownModelError, UnusableFileError: the checkpoint or VAE cannot be used.
            BadRequestError: a sampler, an upscaler, an extension, a list of noise levels or another checkpoint cannot
                be used; names the field.
        """
        self._extensions.check(request)
        check_samplers(request, self._extensions.tools(SAMPLER))
        check_own_levels(request)
        self._refreshed(lambda: check_upscalers(self._library, request))
        request = self.named(request)
        if request.task.kind == "upscale":
            return request
        checkpoint = self.checkpoint(request.checkpoint)
        self._refreshed(lambda: self._library.vae(request.vae, checkpoint))
        for field, alias in _further_checkpoints(request).items():
            try:
                self.checkpoint(alias)
            except (UnknownModelError, UnusableFileError) as error:
                raise BadRequestError(field, str(error).removeprefix("checkpoint: ")) from error
        return request

    def named(self, request: GenerationRequest) -> GenerationRequest:
        """The request with its checkpoint named. Raises UnknownModelError where there is none at all."""
        if request.task.kind == "upscale" or request.checkpoint:  # the first needs none
            return request
        return request.with_(checkpoint=self._starting.get().checkpoint or self._first_choice().name)

    def checkpoint(self, alias: str) -> ModelFile:
        """The file of any alias. Raises UnknownModelError or UnusableFileError."""
        return self._refreshed(lambda: self._library.checkpoint(alias))

    def _first_choice(self) -> ModelFile:
        return self._refreshed(lambda: first_choice(self._library))

    def _refreshed(self, look: Callable[[], Found]) -> Found:
        try:
            return look()
        except (UnknownModelError, UnusableFileError, BadRequestError):
            self._library.refresh()
            return look()


def _further_checkpoints(request: GenerationRequest) -> dict[str, str]:
    """Checkpoints that a request names beside its own, by field."""
    named = {"refiner.checkpoint": request.refiner.checkpoint if request.refiner else ""}
    if isinstance(request.task, Txt2Img) and request.task.hires.enabled:
        named["task.hires.checkpoint"] = request.task.hires.checkpoint
    return {field: alias for field, alias in named.items() if alias}
