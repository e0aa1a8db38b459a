"""The hooks of a job that is made in tiles."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from webui.extension_api import (
    BadRequestError,
    Cancelled,
    GenerationRequest,
    Img2Img,
    JobContext,
    Txt2Img,
    extra_networks,
    hookimpl,
)
from webui.extension_api.tensors import Conditioning, ModelCall, Place, PromptTexts

from .grid import needs_tiles
from .options import TilesOptions
from .painting import Painting, with_own_noise
from .told import fields_of

PLAIN = "None"
STEP = 8  # pixels; sides of pictures are multiples of it


class TiledJob:
    """The network is called for tiles and regions instead of all latents."""

    def __init__(self, job: JobContext, options: TilesOptions) -> None:
        self._job = job
        self._options = options
        self._request = job.request
        self._texts: tuple[Conditioning, ...] = ()
        self._paintings: dict[tuple[int, int], Painting] = {}

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """The size that is asked for, and what enlarges the picture that img2img starts from."""
        if self._options.region_control and not (self._options.acting or self._options.draw_background):
            raise BadRequestError("extensions.tiles.regions", "there is no region, and no background is drawn")
        if self._options.noise_inversion and isinstance(request.task, Img2Img):
            self._job.notice("noise inversion is not built in; the picture is made without it")
        self._request = self._sized(request)
        return self._request

    @hookimpl
    def edit_noise(self, place: Place, noise: Tensor) -> Tensor | None:
        """The noise that regions begin with where they have a seed of their own."""
        own = [one for one in self._options.acting if one.seed >= 0]
        return with_own_noise(noise, own) if own and not (place.hires and not self._options.hires) else None

    @hookimpl
    def edit_conditioning(self, texts: PromptTexts) -> None:
        """Encode the texts of the regions, for the images and the model of this pass."""
        self._texts = tuple(
            texts.encode(
                [self._behind(text, region.prompt) for text in texts.prompts],
                [self._behind(text, region.neg_prompt) for text in texts.negatives],
            )
            for region in self._options.acting
        )

    @hookimpl
    def call_network(self, call: ModelCall, network: Callable[[ModelCall], Tensor]) -> Tensor | None:
        """Tiles and regions one after another. The user may stop between them."""
        if not self._acts_on(call.cells) or (call.step.hires and not self._options.hires):
            return None

        def asked(part: ModelCall) -> Tensor:
            if self._job.stopped():
                raise Cancelled("stopped by the user")
            return network(part)

        return self._painting(call.cells).output(call, asked, self._texts)

    @hookimpl
    def image_fields(self) -> Mapping[str, Any]:
        """What was done, in A1111's words."""
        task = self._request.task
        cells = self._job.model.latents.grid(self._request.width, self._request.height)
        return fields_of(
            self._options,
            enlarges=self._enlarges(task),
            is_img2img=isinstance(task, Img2Img),
            acts=self._acts_on(cells),
        )

    def _acts_on(self, cells: tuple[int, int]) -> bool:
        options = self._options
        return bool(options.acting) or needs_tiles(cells, (options.tile_height, options.tile_width))

    def _painting(self, cells: tuple[int, int]) -> Painting:
        if cells not in self._paintings:
            self._paintings[cells] = Painting(self._options, cells)
        return self._paintings[cells]

    def _enlarges(self, task: object) -> bool:
        return isinstance(task, Img2Img) and self._options.upscaler != PLAIN

    def _sized(self, request: GenerationRequest) -> GenerationRequest:
        options, task = self._options, request.task
        size = (request.width, request.height)
        if isinstance(task, Txt2Img) and options.overwrite_size:
            size = (options.image_width, options.image_height)
        elif isinstance(task, Img2Img):
            factor = options.scale_factor if self._enlarges(task) else 1.0
            if options.keep_input_size:
                size = (task.image.width, task.image.height)
            size = (_whole(size[0] * factor), _whole(size[1] * factor))
            if self._enlarges(task):
                task = task.model_copy(update={"resize_upscaler": options.upscaler})
        try:
            return request.with_(width=size[0], height=size[1], task=task)
        except ValidationError as error:
            reason = error.errors(include_input=False)[0]["msg"]
            raise BadRequestError("extensions.tiles", f"{size[0]} x {size[1]} pixels: {reason}") from None

    def _behind(self, text: str, own: str) -> str:
        """A region's text behind the picture's, without tags of networks, which act on the whole picture."""
        plain, tags = extra_networks(own)
        if tags:
            self._job.notice("tags of networks in the prompt of a region are left out; write them in the prompt")
        return f"{text}, {plain}" if plain else text


def _whole(side: float) -> int:
    return max(STEP, int(side // STEP * STEP))
