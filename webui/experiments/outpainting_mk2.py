"""Outpainting mk2: a picture grows by one side after another, from noise that continues it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image, ImageDraw

from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GeneratedImage, GenerationResult
from webui.experiments.canvas_growth import SIDES, UNIT, Part, margins
from webui.experiments.course import Course, Experiment, Shown, ShownPicture, with_picture
from webui.experiments.script import ONLY_IMG2IMG, Argument, Script, Surroundings, refused
from webui.imaging.grids import grid_of, row_count
from webui.imaging.matched_noise import filled_with_noise

TITLE = "Outpainting mk2"
Side = Literal["left", "right", "up", "down"]


@dataclass(frozen=True, slots=True)
class Options:
    """`exponent` and `variation` are those of `filled_with_noise`."""

    pixels: int
    mask_blur: int
    sides: tuple[str, ...]
    exponent: float
    variation: float

    @property
    def blur(self) -> tuple[int, int]:
        """Pixels across and down by which masks keep clear of the old part."""
        across, down = {"left", "right"} & set(self.sides), {"up", "down"} & set(self.sides)
        return self.mask_blur * bool(across), self.mask_blur * bool(down)


@dataclass(frozen=True, slots=True)
class _Growth:
    """One picture grown by one side.

    Attributes:
        canvas: with noise in the new part; its sides are multiples of 64.
        size: of the grown picture; what the canvas has beyond is cut off.
        part: what is painted of it.
        place: where the part stands in the canvas.
    """

    canvas: Image.Image
    size: tuple[int, int]
    part: Part
    place: tuple[int, int]


def _grown(picture: Image.Image, side: Side, pixels: int, tile: tuple[int, int], options: Options) -> _Growth:
    across, down = pixels * (side in ("left", "right")), pixels * (side in ("up", "down"))
    size = picture.width + across, picture.height + down
    canvas = Image.new("RGB", (-(-size[0] // UNIT) * UNIT, -(-size[1] // UNIT) * UNIT))
    canvas.paste(picture, (pixels if side == "left" else 0, pixels if side == "up" else 0))
    mask = _mask(canvas.size, size, side, pixels, options.blur, canvas.size)
    canvas = filled_with_noise(canvas, mask, options.exponent, options.variation)
    wide = min(tile[0], size[0]) if across else canvas.width
    high = min(tile[1], size[1]) if down else canvas.height
    left = 0 if side == "left" else canvas.width - wide
    top = 0 if side == "up" else canvas.height - high
    box = (
        left,
        top,
        wide if side == "left" else canvas.width,
        high if side == "up" else canvas.height,
    )
    mask = mask.crop(box)
    across_twice, down_twice = (2 * blur for blur in options.blur)
    latent = _mask((wide, high), size, side, pixels, (across_twice, down_twice), mask.size)
    return _Growth(canvas, size, Part(canvas.crop(box), mask, latent), (left, top))


def _mask(
    size: tuple[int, int],
    grown: tuple[int, int],
    side: Side,
    pixels: int,
    blur: tuple[int, int],
    edge: tuple[int, int],
) -> Image.Image:
    """White but for what is old, less a rim; `edge` is counted from for the right and the lower side."""
    mask = Image.new("L", size, 255)
    box = (
        pixels + blur[0] if side == "left" else 0,
        pixels + blur[1] if side == "up" else 0,
        edge[0] - pixels - blur[0] if side == "right" else grown[0],
        edge[1] - pixels - blur[1] if side == "down" else grown[1],
    )
    if box[0] <= box[2] and box[1] <= box[3]:
        ImageDraw.Draw(mask).rectangle(box, fill=0)
    return mask


def course(request: GenerationRequest, task: Img2Img, options: Options, around: Surroundings) -> Course:
    """A request for each side and batch; each grows what the one before it made."""
    add = margins((task.image.width, task.image.height), options.pixels, options.sides)
    amounts: tuple[tuple[Side, int], ...] = (
        ("left", add.left), ("right", add.right), ("up", add.top), ("down", add.bottom)
    )  # fmt: skip
    blur = options.blur[0] * 4, options.blur[1] * 4
    results: list[Image.Image] = []
    done: list[GenerationResult] = []
    stopped = False
    for _ in range(request.n_iter):
        pictures = [task.image.open()] * request.batch_size
        for side, pixels in amounts:
            if not pixels:
                continue
            tile = (request.width, request.height)
            growths = [_grown(picture, side, pixels, tile, options) for picture in pictures]
            made = yield _request(request, task, growths)
            done.append(made.done())
            stopped = made.stopped
            pictures = [_joined(growth, image, blur) for growth, image in zip(growths, made.images, strict=False)]
            if stopped:
                break
        results += pictures
        if stopped:
            break
    return _shown(results, done[0], done[-1], around, interrupted=stopped)


def _request(request: GenerationRequest, task: Img2Img, growths: Sequence[_Growth]) -> GenerationRequest:
    part = growths[0].part
    changed = part.task(task, "original")
    others = tuple(Picture.of(growth.part.picture) for growth in growths[1:])
    width, height = part.picture.size
    changed = changed.model_copy(update={"further_images": others})
    return request.with_(task=changed, width=width, height=height, batch_size=len(growths), n_iter=1)


def _joined(growth: _Growth, image: GeneratedImage, blur: tuple[int, int]) -> Image.Image:
    whole = growth.canvas.copy()
    whole.paste(growth.part.finished(image.image, blur), growth.place)
    return whole.crop((0, 0, *growth.size))


def _shown(
    results: Sequence[Image.Image],
    result: GenerationResult,
    last: GenerationResult,
    around: Surroundings,
    *,
    interrupted: bool,
) -> Shown:
    one = result.images[0]
    pictures = [ShownPicture(with_picture(one, picture), "joined") for picture in results]
    if around.returns_grid and (len(results) > 1 or around.grid_of_one):
        grid = grid_of(results, row_count(len(results)), around.background)
        pictures.insert(0, ShownPicture(with_picture(one, grid), "grid"))
    return Shown.with_one_text(pictures, one.infotext, last.images, result, interrupted=interrupted)


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    _, pixels, mask_blur, sides, exponent, variation = values
    if not isinstance(request.task, Img2Img):
        raise refused(0, "starts from a picture")
    chosen = {side for side in sides if side in SIDES}
    if not chosen or len(chosen) < len(set(sides)):
        raise refused(3, f"should be some of {', '.join(SIDES)}")
    options = Options(pixels, mask_blur, tuple(side for side in SIDES if side in chosen), exponent, variation)
    count = len(chosen) * request.n_iter
    return Experiment(TITLE, count, course(request, request.task, options, around), saves_cells=False)


OUTPAINTING_MK2 = Script(
    TITLE,
    (
        Argument("", None),
        Argument("Pixels to expand", 128, 8, 256, 8),
        Argument("Mask blur", 8, 0, 64, 1),
        Argument("Outpainting direction", SIDES, choices=SIDES),
        Argument("Fall-off exponent (lower=higher detail)", 1.0, 0, 4, 0.01),
        Argument("Color variation", 0.05, 0, 1, 0.01),
    ),
    _begin,
    ONLY_IMG2IMG,
    draws_seeds=True,
    kind="canvas",
)
