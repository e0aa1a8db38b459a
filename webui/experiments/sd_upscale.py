"""SD upscale: a picture is enlarged, cut into tiles, each tile is made anew by img2img, and the tiles are joined."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GeneratedImage, GenerationResult
from webui.domain.upscale import Upscale
from webui.experiments.course import Course, Experiment, Shown, ShownPicture, with_picture
from webui.experiments.extra_details import with_early
from webui.experiments.script import ONLY_IMG2IMG, Argument, Script, Surroundings, refused
from webui.experiments.upscaler_choice import chosen_upscaler
from webui.imaging.patchwork import Cut, cut, joined
from webui.imaging.upscale import cut as cut_in_eights

TITLE = "SD upscale"
NONE = "None"
OVERLAP, UPSCALER, SCALE = 1, 2, 3  # positions among the arguments


@dataclass(frozen=True, slots=True)
class Options:
    """`overlap` in pixels of the enlarged picture; `scale` is the factor on both sides."""

    overlap: int
    upscaler: str
    scale: float

    def enlarged_size(self, picture: Picture) -> tuple[int, int]:
        """What the upscaler makes of a picture: sides in eights, as A1111 cuts them."""
        if self.upscaler == NONE:
            return picture.width, picture.height
        return cut_in_eights(picture.width * self.scale), cut_in_eights(picture.height * self.scale)


def course(request: GenerationRequest, task: Img2Img, options: Options) -> Course:
    """The tiles in batches, `n_iter` times with the next seed; the seed counts up by one for each batch.

    `width` and `height` of the request are a tile's.
    """
    enlarged = task.image.open()
    if options.upscaler != NONE:
        made = yield _upscaling(request, task, options)
        enlarged = made.first().image
    where = cut(enlarged.size, (request.width, request.height), options.overlap)
    parts = [enlarged.crop(box) for box in where.boxes]
    results: list[Image.Image] = []
    done: list[GenerationResult] = []
    stopped = False
    for number in range(request.n_iter):
        tiles: list[Image.Image] = []
        seed = request.seed + number
        for start in range(0, len(parts), request.batch_size):
            group = parts[start : start + request.batch_size]
            made = yield _tile_request(request, task, group, seed)
            stopped = made.stopped
            if stopped and done and not made.images:
                break
            done.append(made.done())
            # what was not made anew stays as it was enlarged
            tiles += [*(one.image for one in made.images), *group[len(made.images) :]]
            seed += 1
            if stopped:
                break
        tiles += parts[len(tiles) :]
        results.append(joined(where, tiles))
        if stopped:
            break
    return _shown(results, done[0], done[-1].images[0], options, interrupted=stopped)


def _upscaling(request: GenerationRequest, task: Img2Img, options: Options) -> GenerationRequest:
    work = Upscale(images=(task.image,), upscaler=options.upscaler, mode="by", scale=options.scale, in_eights=True)
    return request.with_(task=work)


def _tile_request(
    request: GenerationRequest, task: Img2Img, group: Sequence[Image.Image], seed: int
) -> GenerationRequest:
    first, *others = map(Picture.of, group)
    changed = task.model_copy(update={"image": first, "further_images": tuple(others)})
    return request.with_(task=changed, seed=seed, batch_size=len(group), n_iter=1)


def _shown(
    results: Sequence[Image.Image],
    result: GenerationResult,
    last: GeneratedImage,
    options: Options,
    *,
    interrupted: bool,
) -> Shown:
    first = result.images[0]
    extra = {"SD upscale overlap": options.overlap, "SD upscale upscaler": options.upscaler}
    text = with_early(first.infotext, extra)
    pictures = [ShownPicture(with_picture(first, one, text), "joined") for one in results]
    return Shown.with_one_text(pictures, text, [last], result, interrupted=interrupted)


def tiles_of(request: GenerationRequest, task: Img2Img, options: Options) -> Cut:
    """Where the tiles will be. Raises BadRequestError."""
    try:
        return cut(options.enlarged_size(task.image), (request.width, request.height), options.overlap)
    except ValueError as error:
        raise refused(OVERLAP, str(error)) from None


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    _, overlap, upscaler, scale = values
    if not isinstance(request.task, Img2Img):
        raise refused(0, "starts from a picture")
    options = Options(overlap, chosen_upscaler(upscaler, around.choices.get("upscalers", ()), UPSCALER), scale)
    batches = math.ceil(len(tiles_of(request, request.task, options).boxes) / request.batch_size) * request.n_iter
    count = batches + (options.upscaler != NONE)
    return Experiment(TITLE, count, course(request, request.task, options), saves_cells=False)


SD_UPSCALE = Script(
    TITLE,
    (
        Argument("", None),
        Argument("Tile overlap", 64, 0, 256, 16),
        Argument("Upscaler", 0, choices=("by name or number",), source="upscalers"),
        Argument("Scale Factor", 2.0, 1, 4, 0.05),
    ),
    _begin,
    ONLY_IMG2IMG,
    draws_seeds=True,
    kind="tiles",
)
