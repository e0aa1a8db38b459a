"""Ultimate SD upscale: a picture is enlarged, each of its tiles is painted anew in its place by inpainting "only
masked", and then the seams between them. What a run of the network sees is a tile, however large the picture.
"""

import random
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from PIL import Image

from webui.domain.fields import MAX_SIDE, SIZE_STEP
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GenerationResult
from webui.domain.upscale import Upscale
from webui.experiments.course import Course, Experiment, Made, Shown, ShownPicture, with_picture
from webui.experiments.extra_details import with_early, with_value, without_keys
from webui.experiments.script import ONLY_IMG2IMG, Argument, Script, Surroundings, refused
from webui.experiments.upscaler_choice import chosen_upscaler
from webui.imaging.tile_patches import Board, Patch, window_of

TITLE = "Ultimate SD upscale"
NONE = "None"
UNIT = 64  # pixels; tiles with their padding are painted at multiples of it
SEEDS_END = 4294967294
TILE_WIDTH, UPSCALER, REDRAW, SEAMS, TARGET = 1, 8, 10, 13, 14  # positions among the arguments

Redraw = Literal["Linear", "Chess", "None"]
Seams = Literal["None", "Band pass", "Half tile offset pass", "Half tile offset pass + intersections"]
REDRAWS: tuple[Redraw, ...] = ("Linear", "Chess", "None")
SEAM_FIXES: tuple[Seams, ...] = (
    "None", "Band pass", "Half tile offset pass", "Half tile offset pass + intersections"
)  # fmt: skip
Choice = TypeVar("Choice", bound=str)
TARGETS = ("From img2img2 settings", "Custom size", "Scale from image size")


@dataclass(frozen=True, slots=True)
class Options:
    """What is made.

    Attributes:
        board: the size of the result, and its tiles.
        mask_blur, padding: of tiles.
        seam_strength: denoising strength of the seams.
        seam_width: of bands.
        seam_blur: of half tiles.
    """

    board: Board
    upscaler: str
    redraw: Redraw
    mask_blur: int
    padding: int
    seams: Seams
    seam_strength: float
    seam_width: int
    seam_padding: int
    seam_blur: int


@dataclass(frozen=True, slots=True)
class Painting:
    """How a patch is painted: at which size in pixels, with which denoising strength, blur and padding of its mask."""

    patch: Patch
    run: tuple[int, int]
    strength: float
    blur: int
    padding: int


def redrawing(options: Options, strength: float) -> Iterator[Painting]:
    """The tiles."""
    wide, high = options.board.tile
    run = _up_to(wide + options.padding, UNIT), _up_to(high + options.padding, UNIT)
    if options.redraw != "None":
        for patch in options.board.tiles(chess=options.redraw == "Chess"):
            yield Painting(patch, run, strength, options.mask_blur, options.padding)


def seam_fixing(options: Options) -> Iterator[Painting]:
    """The seams."""
    board, strength, padding = options.board, options.seam_strength, options.seam_padding
    if options.seams == "Band pass":
        across = options.seam_width + 2 * padding
        for number, patch in enumerate(board.bands(options.seam_width)):
            is_upright = number < board.columns - 1
            run = (across, board.size[1]) if is_upright else (board.size[0], across)
            yield Painting(patch, _runnable(run), strength, 0, padding)
    elif options.seams != "None":
        run = _runnable(board.tile)
        for patch in board.half_tiles():
            yield Painting(patch, run, strength, options.seam_blur, padding)
        if options.seams == SEAM_FIXES[3]:
            for patch in board.corners():
                yield Painting(patch, run, strength, options.seam_blur, 0)


def _runnable(size: tuple[int, int]) -> tuple[int, int]:
    return _up_to(size[0], SIZE_STEP), _up_to(size[1], SIZE_STEP)


def _up_to(side: int, unit: int) -> int:
    """The side made longer until it is a multiple of the unit."""
    return -(-side // unit) * unit


def factors(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, ...]:
    """By how much the upscaler enlarges, time after time, before Lanczos brings the picture to its size."""
    whole = -(-max(target) // max(size))
    while _factor(whole) == 0:
        whole += 1
    found: list[int] = []
    reached = 1
    while reached < whole:
        found.append(_factor(whole // reached) or 2)
        reached *= found[-1]
    return tuple(found)


def _factor(number: int) -> int:
    """4, 3 or 2, the largest that divides it; 2 for 1, and 0 where none does."""
    return 2 if number == 1 else next((factor for factor in (4, 3, 2) if number % factor == 0), 0)


@dataclass(slots=True)
class _Progress:
    """The picture as it is by now.

    Attributes:
        results: those that made it so.
        blurred: the blur of the last mask that had one, which A1111 tells of from then on.
    """

    picture: Image.Image
    results: list[GenerationResult] = field(default_factory=list)
    blurred: int = 0
    stopped: bool = False


def course(request: GenerationRequest, task: Img2Img, options: Options, around: Surroundings) -> Course:
    """The passes of the upscaler, then every tile and every seam, each on what the one before it has made."""
    size = options.board.size
    now = _Progress(task.image.open())
    first: GenerationResult | None = None
    for work in _upscalings(options, task.image):
        made = yield request.with_(task=work.model_copy(update={"images": (Picture.of(now.picture),)}))
        first = made.done()
        now.picture = made.first().image
    now.picture = now.picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    shown: list[Image.Image] = []
    yield from _painted(now, request, task, redrawing(options, task.denoising_strength))
    shown.append(now.picture)
    if options.seams != "None" and not now.stopped:
        yield from _painted(now, request, task, seam_fixing(options))
        shown.append(now.picture)
    last = now.results[-1] if now.results else first
    if last is None:
        raise refused(
            REDRAW, "nothing is painted anew and nothing enlarges; choose a redraw, a seam fix or an upscaler"
        )
    return _shown(shown, last, now, options, around)


def _upscalings(options: Options, picture: Picture) -> Iterator[Upscale]:
    if options.upscaler != NONE:
        for factor in factors((picture.width, picture.height), options.board.size):
            yield Upscale(images=(picture,), upscaler=options.upscaler, mode="by", scale=factor, in_eights=True)


def _painted(
    now: _Progress, request: GenerationRequest, task: Img2Img, paintings: Iterator[Painting]
) -> Generator[GenerationRequest, Made, None]:
    """Paint one after another into the picture. Extensions that were asked for may look at all of it, as a map of it
    is cut with the tile; else the tile's surroundings are enough.
    """
    for painting in paintings:
        size = now.picture.size
        window = (0, 0, *size)
        if not request.extensions:
            window = window_of(painting.patch, painting.blur, painting.padding, painting.run, size)
        made = yield _request(request, task, painting, now.picture.crop(window), painting.patch.within(window))
        now.stopped = made.stopped
        if now.stopped and now.results and not made.images:
            return
        now.results.append(made.done())
        now.picture = now.picture.copy()
        now.picture.paste(made.first().image, window[:2])
        now.blurred = painting.blur or now.blurred
        if now.stopped:
            return


def _request(
    request: GenerationRequest, task: Img2Img, painting: Painting, picture: Image.Image, mask: Image.Image
) -> GenerationRequest:
    inpainting = Inpainting(
        mask=Mask.of(mask), mask_blur_x=painting.blur, mask_blur_y=painting.blur, area="masked",
        padding=painting.padding, mask_round=task.inpainting is None or task.inpainting.mask_round,
    )  # fmt: skip
    changes = {
        "image": Picture.of(picture), "further_images": (), "inpainting": inpainting, "outpainting": None,
        "denoising_strength": painting.strength,
    }  # fmt: skip
    width, height = painting.run
    return request.with_(task=task.model_copy(update=changes), width=width, height=height, batch_size=1, n_iter=1)


def _shown(
    pictures: Sequence[Image.Image], result: GenerationResult, now: _Progress, options: Options, around: Surroundings
) -> Shown:
    one = result.images[-1]
    text = _told(one.infotext, now.blurred, options, around)
    shown = [ShownPicture(with_picture(one, picture, text), "joined") for picture in pictures]
    return Shown.with_one_text(shown, text, [one], result, interrupted=now.stopped)


def _told(infotext: str, blurred: int, options: Options, around: Surroundings) -> str:
    """The infotext of the last patch as that of the whole."""
    wide, high = options.board.size
    text = with_value(without_keys(infotext, around.own_keys), "Size", f"{wide}x{high}")
    extra = {
        "upscaler": options.upscaler, "tile_width": options.board.tile[0], "tile_height": options.board.tile[1],
        "mask_blur": options.mask_blur, "padding": options.padding,
    }  # fmt: skip
    told = {f"{TITLE} {name}": value for name, value in extra.items()}
    if blurred and "Mask blur: " not in text.rpartition("\n")[2]:
        told["Mask blur"] = blurred
    return with_early(text, told)


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    _, wide, high, mask_blur, padding, seam_width, seam_strength, seam_padding, upscaler, _, redraw, _ = values[:12]
    seam_blur, seams, target, *custom = values[12:]
    task = request.task
    if not isinstance(task, Img2Img):
        raise refused(0, "starts from a picture")
    if not wide and not high:
        raise refused(TILE_WIDTH, "the tile's width or height should be more than 0")
    options = Options(
        Board(_size(request, task, _named(target, TARGETS, TARGET), custom), (wide or high, high or wide)),
        chosen_upscaler(upscaler, around.choices.get("upscalers", (NONE,)), UPSCALER),
        _named(redraw, REDRAWS, REDRAW),
        mask_blur, padding, _named(seams, SEAM_FIXES, SEAMS), seam_strength, max(1, seam_width), seam_padding,
        seam_blur,
    )  # fmt: skip
    drawn = {name: random.randrange(SEEDS_END) for name in ("seed", "subseed") if getattr(request, name) < 0}
    paintings = sum(1 for _ in redrawing(options, 1)) + sum(1 for _ in seam_fixing(options))
    count = paintings + sum(1 for _ in _upscalings(options, task.image))
    return Experiment(TITLE, count, course(request.with_(**drawn), task, options, around), saves_cells=False)


def _size(request: GenerationRequest, task: Img2Img, target: str, custom: Sequence[Any]) -> tuple[int, int]:
    """Width and height of the result. Raises BadRequestError."""
    width, height, scale = custom
    if target == TARGETS[0]:
        return request.width, request.height
    if target == TARGETS[1]:
        return width, height
    size = _up_to_scaled(task.image.width, scale), _up_to_scaled(task.image.height, scale)
    if max(size) > MAX_SIDE:
        raise refused(TARGET, f"the result would have {size[0]} x {size[1]} pixels; sides of {MAX_SIDE} can be made")
    return size


def _up_to_scaled(side: int, scale: float) -> int:
    return _up_to(-int(-(side * scale) // 1), UNIT)


def _named(given: str | int, names: Sequence[Choice], position: int) -> Choice:
    """The choice that a number or a name means. Raises BadRequestError."""
    if isinstance(given, int):
        return names[given]  # its bounds were checked
    found = next((name for name in names if name.lower() == given.lower()), None)
    if found is None:
        raise refused(position, f"should be one of {', '.join(names)}")
    return found


ULTIMATE_UPSCALE = Script(
    TITLE,
    (
        Argument("", None),
        Argument("Tile width", 512, 0, 2048, 64),
        Argument("Tile height", 0, 0, 2048, 64),
        Argument("Mask blur", 8, 0, 64, 1),
        Argument("Padding", 32, 0, 512, 1),
        Argument("Width", 64, 0, 128, 1),
        Argument("Denoise", 0.35, 0, 1, 0.01),
        Argument("Padding", 16, 0, 128, 1),
        Argument("Upscaler", 0, choices=("by name or number",)),
        Argument("Upscaled", True),
        Argument("Type", 0, 0, 2, 1, choices=REDRAWS),
        Argument("Seams fix", False),
        Argument("Mask blur", 4, 0, 64, 1),
        Argument("Type", 0, 0, 3, 1, choices=SEAM_FIXES),
        Argument("Target size type", 0, 0, 2, 1, choices=TARGETS),
        Argument("Custom width", 2048, 64, 8192, 64),
        Argument("Custom height", 2048, 64, 8192, 64),
        Argument("Scale", 2.0, 1, 16, 0.01),
    ),
    _begin,
    ONLY_IMG2IMG,
    kind="tiles",
)
