"""The pictures of an img2img task before encoding (size, mask, crop, fill), and after decoding (pasting back).

This file works on Pillow pictures alone. How latents are masked is in `start.py` and `webui/sampling/masking.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from PIL import Image, ImageOps
from pydantic import ValidationError

from webui.domain.errors import BadRequestError
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting, Outpainting
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest, Img2Img
from webui.imaging.color import matched
from webui.imaging.masks import Box, blurred, coverage, doubled, painted_box, with_aspect
from webui.imaging.outpaint import Margins, grown, rounded
from webui.imaging.overlay import composite, filled, laid_over, placed, protected
from webui.imaging.resize import FitMode, Grow, fitted
from webui.library.family import ModelSpec

_FITS: Mapping[str, FitMode] = MappingProxyType({"resize": "resize", "crop": "crop", "fill": "fill"})
BLANK = "the mask is blank, so there is no masked area to work on; the whole picture was made anew"
NOTHING = "the mask is blank, so nothing was repainted; paint it white where the picture may change"


@dataclass(frozen=True, slots=True)
class Canvas:
    """The pictures of a task, ready to be encoded, and what `finished` needs to put the result together.

    Attributes:
        pictures: RGB, to be encoded; one for all images of a batch, or one for each.
        mask: L, width x height, blurred; white is repainted. None: everything is repainted.
        originals: RGB, one for all or one for each; they are put back where `shield` is black.
        shield: L, of the originals' size; None where `mask` is None.
        box: where in the originals the result belongs; None: it replaces the whole picture.
        note: a sentence for the user; "" where there is nothing to say.
    """

    pictures: tuple[Image.Image, ...]
    mask: Image.Image | None = None
    originals: tuple[Image.Image, ...] = ()
    shield: Image.Image | None = None
    box: Box | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished picture, and the pictures that the request wants beside it (mask, composite)."""

    image: Image.Image
    attachments: tuple[Image.Image, ...] = ()


def settled(request: GenerationRequest, spec: ModelSpec) -> GenerationRequest:
    """The request without options that this checkpoint ignores, and with outpainting rewritten as inpainting on a
    larger canvas.

    Raises:
        BadRequestError: the grown picture would be too large.
    """
    task = request.task
    if not isinstance(task, Img2Img):
        return request
    if not spec.edits and task.image_cfg_scale is not None:
        task = task.model_copy(update={"image_cfg_scale": None})
        request = request.model_copy(update={"task": task})
    if task.outpainting is None:
        return request
    inside, width, height = _outpainted(task, task.outpainting)
    try:
        return request.with_(task=inside, width=width, height=height)
    except ValidationError as error:
        raise BadRequestError("task.outpainting", error.errors(include_input=False)[0]["msg"]) from None


def tells_of_mask(request: GenerationRequest, spec: ModelSpec) -> bool:
    """Whether A1111 counts this as a run with inpainting conditioning. For txt2img of some families it does not."""
    return spec.inpaints and (spec.family.tells_mask_of_txt2img or isinstance(request.task, Img2Img))


def _outpainted(task: Img2Img, asked: Outpainting) -> tuple[Img2Img, int, int]:
    """The task with its picture on a larger canvas, whose new parts and a rim twice the blur wide are masked."""
    if task.further_images:
        raise BadRequestError("task.outpainting", "grows one picture; give only one to start from")
    margins = rounded(Margins(asked.left, asked.right, asked.top, asked.bottom), task.image.width, task.image.height)
    canvas, mask = grown(task.image.open(), margins, 2 * asked.mask_blur)
    inpainting = Inpainting(
        mask=Mask.of(mask), mask_blur_x=asked.mask_blur, mask_blur_y=asked.mask_blur, content=asked.content
    )
    changes = {"image": Picture.of(canvas), "inpainting": inpainting, "outpainting": None, "resize_mode": "resize"}
    return task.model_copy(update=changes), canvas.width, canvas.height


def prepared(task: Img2Img, width: int, height: int, grow: Grow | None = None) -> Canvas:
    """Bring the pictures of a task to size and, with a mask, hide what it covers.

    Args:
        grow: brings pictures that are too small to a size; None: Lanczos does. Masks are always stretched by Lanczos.
    """
    pictures = tuple(picture.open() for picture in (task.image, *task.further_images))
    if task.inpainting is None:
        return Canvas(_sized(pictures, task.resize_mode, width, height, grow))
    mask = _painted(task.inpainting)
    if task.inpainting.area == "masked":
        return _close_up(task, task.inpainting, pictures, mask, (width, height), grow)
    mode: FitMode = "resize" if task.resize_mode == "latent" else task.resize_mode
    mask = fitted(mask, mode, width, height)
    originals = tuple(fitted(picture, mode, width, height, grow) for picture in pictures)
    note = "" if mask.getbbox() else NOTHING
    return Canvas(_hidden(originals, mask, task.inpainting), mask, originals, doubled(mask), note=note)


def _sized(
    pictures: tuple[Image.Image, ...], mode: str, width: int, height: int, grow: Grow | None
) -> tuple[Image.Image, ...]:
    """The pictures at the wanted size. In mode `latent` they stay as they are, because later their latents are
    stretched.
    """
    fit = _FITS.get(mode)
    return pictures if fit is None else tuple(fitted(picture, fit, width, height, grow) for picture in pictures)


def _painted(options: Inpainting) -> Image.Image:
    """The mask after inversion and blur (L, in its own size)."""
    mask = coverage(options.mask.open(), rounded=options.rounded)
    if options.invert:
        mask = ImageOps.invert(mask)
    return blurred(mask, options.mask_blur_x, options.mask_blur_y)


def _close_up(
    task: Img2Img,
    options: Inpainting,
    pictures: tuple[Image.Image, ...],
    mask: Image.Image,
    wanted: tuple[int, int],
    grow: Grow | None,
) -> Canvas:
    """The canvas for inpaint area "only masked": the surroundings of the mask alone, enlarged to width x height."""
    (width, height), size = wanted, pictures[0].size
    if any(picture.size != size for picture in pictures):
        raise BadRequestError("task.further_images", "with area masked all pictures must have the same size")
    if mask.size != size:
        mask = fitted(mask, "resize", *size)
    found = painted_box(mask, options.padding)
    if found is None:
        return Canvas(_sized(pictures, task.resize_mode, width, height, grow), note=BLANK)
    box = with_aspect(found, (width, height), size)
    close = fitted(mask.crop(box), "fill", width, height)
    parts = tuple(fitted(picture.crop(box), "fill", width, height, grow) for picture in pictures)
    return Canvas(_hidden(parts, close, options), close, pictures, mask, box)


def _hidden(pictures: tuple[Image.Image, ...], mask: Image.Image, options: Inpainting) -> tuple[Image.Image, ...]:
    """The pictures with the masked part painted over, unless the original is to be kept there."""
    if options.content == "original":
        return pictures
    return tuple(filled(picture, mask) for picture in pictures)


def finished(
    canvas: Canvas, task: Img2Img, picture: Image.Image, position: int, changed: Image.Image | None
) -> Finished:
    """Combine a decoded picture with the parts of the original that the mask protects.

    Args:
        picture: RGB, width x height.
        position: of the image in its batch.
        changed: the mask that soft inpainting computes from the result (L, size of the picture), or None.
    """
    if task.color_correction:
        picture = matched(picture, canvas.pictures[position % len(canvas.pictures)])
    options, shield = task.inpainting, canvas.shield
    if options is None or shield is None:
        return Finished(picture)
    if changed is not None:
        size = shield.size
        shield = changed if canvas.box is None else placed(changed, size, canvas.box).convert("L")
    before = picture
    if options.overlay:
        original = canvas.originals[position % len(canvas.originals)]
        before = picture if canvas.box is None else placed(picture, original.size, canvas.box)
        picture = laid_over(before, protected(original, shield))
    attachments = [shield.convert("RGB")] if options.return_mask else []
    if options.return_composite:
        attachments.append(composite(before, shield))
    return Finished(picture, tuple(attachments))
