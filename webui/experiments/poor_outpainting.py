"""Poor man's outpainting: a picture is put on a larger canvas, and the tiles that reach over its edge are painted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GenerationResult
from webui.experiments.canvas_growth import SIDES, Part, margins
from webui.experiments.course import Course, Experiment, Shown, ShownPicture, with_picture
from webui.experiments.extra_details import with_last
from webui.experiments.script import ONLY_IMG2IMG, Argument, Script, Surroundings, refused
from webui.imaging.outpaint import Margins
from webui.imaging.patchwork import Cut, cut, joined

TITLE = "Poor man's outpainting"
CONTENTS = ("fill", "original", "noise", "nothing")  # as the argument counts them
LABELS = ("fill", "original", "latent noise", "latent nothing")
BLUR = 2  # masks are blurred by so many times the option


@dataclass(frozen=True, slots=True)
class Options:
    """`content` is what the new parts hold before noise is added."""

    pixels: int
    mask_blur: int
    content: str
    sides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Canvas:
    """The grown picture, its two masks, where its tiles stand, and which of them are painted."""

    whole: Part
    where: Cut
    painted: tuple[int, ...]

    def part(self, index: int) -> Part:
        box = self.where.boxes[index]
        whole = self.whole
        return Part(whole.picture.crop(box), whole.mask.crop(box), whole.latent_mask.crop(box))


def _canvas(picture: Image.Image, tile: tuple[int, int], options: Options) -> _Canvas:
    add = margins(picture.size, options.pixels, options.sides)
    size = picture.width + add.left + add.right, picture.height + add.top + add.bottom
    grown = Image.new("RGB", size)
    grown.paste(picture, (add.left, add.top))
    whole = Part(grown, _mask(size, add, options.mask_blur * 2), _mask(size, add, options.mask_blur // 2))
    where = cut(size, tile, options.pixels)
    old = (add.left, add.top, size[0] - add.right, size[1] - add.bottom)
    painted = tuple(index for index, box in enumerate(where.boxes) if not _lies_in(box, old))
    return _Canvas(whole, where, painted)


def _lies_in(box: Sequence[int], other: Sequence[int]) -> bool:
    return box[0] >= other[0] and box[1] >= other[1] and box[2] <= other[2] and box[3] <= other[3]


def _mask(size: tuple[int, int], add: Margins, rim: int) -> Image.Image:
    """White but for the old picture less a rim on the sides that grow."""
    mask = Image.new("L", size, 255)
    box = (
        add.left + rim * bool(add.left),
        add.top + rim * bool(add.top),
        size[0] - add.right - rim * bool(add.right),
        size[1] - add.bottom - rim * bool(add.bottom),
    )
    if box[0] <= box[2] and box[1] <= box[3]:
        ImageDraw.Draw(mask).rectangle(box, fill=0)
    return mask


def course(request: GenerationRequest, task: Img2Img, canvas: _Canvas, options: Options) -> Course:
    """A request for each tile that is painted, each with the next seed."""
    blur = options.mask_blur * BLUR
    tiles = [canvas.whole.picture.crop(box) for box in canvas.where.boxes]
    done: list[GenerationResult] = []
    stopped = False
    for number, index in enumerate(canvas.painted):
        part = canvas.part(index)
        made = yield request.with_(
            task=part.task(task, options.content), seed=request.seed + number, batch_size=1, n_iter=1
        )
        stopped = made.stopped
        if stopped and done and not made.images:
            break
        done.append(made.done())
        tiles[index] = part.finished(made.first().image, (blur, blur))
        if stopped:
            break
    one = done[0].images[0]
    text = with_last(one.infotext, {"Mask blur": blur}) if blur else one.infotext
    whole = with_picture(one, joined(canvas.where, tiles), text)
    return Shown(
        (ShownPicture(whole, "joined"),),
        (text,),
        0,
        (one.request.seed + len(canvas.painted) - 1,),
        (one.request.prompt,),
        done[0],
        negative_prompts=(one.request.negative_prompt,),
        subseeds=(one.subseed,),
        notices=done[0].notices,
        interrupted=stopped,
    )


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    pixels, mask_blur, content, sides = values
    if not isinstance(request.task, Img2Img):
        raise refused(0, "starts from a picture")
    if isinstance(content, str):
        if content not in LABELS:
            raise refused(2, f"should be one of {', '.join(LABELS)}")
        content = LABELS.index(content)
    chosen = {side for side in sides if side in SIDES}
    if not chosen or len(chosen) < len(set(sides)):
        raise refused(3, f"should be some of {', '.join(SIDES)}")
    options = Options(pixels, mask_blur, CONTENTS[content], tuple(side for side in SIDES if side in chosen))
    try:
        canvas = _canvas(request.task.image.open(), (request.width, request.height), options)
    except ValueError as error:
        raise refused(0, str(error)) from None
    return Experiment(TITLE, len(canvas.painted), course(request, request.task, canvas, options), saves_cells=False)


POOR_OUTPAINTING = Script(
    TITLE,
    (
        Argument("Pixels to expand", 128, 8, 256, 8),
        Argument("Mask blur", 4, 0, 64, 1),
        Argument("Masked content", 0, 0, 3, 1, choices=LABELS),
        Argument("Outpainting direction", SIDES, choices=SIDES),
    ),
    _begin,
    ONLY_IMG2IMG,
    draws_seeds=True,
    kind="canvas",
)
