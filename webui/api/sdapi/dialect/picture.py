"""The img2img part of a body: pictures, mask, and what A1111 keeps as settings of them."""

from collections.abc import Iterator, Sequence
from typing import Any

from starlette.exceptions import HTTPException

from webui.api.body import InvalidBodyError, Loc
from webui.api.sdapi.dialect.file_options import colour
from webui.api.sdapi.dialect.models import Img2ImgBody
from webui.domain.errors import BadRequestError
from webui.domain.images import Picture, file_of, safe_open
from webui.domain.parameters.table import ROWS

Put = tuple[str, Any, Loc]  # path in the request, value, place in the body

BACKGROUND = "img2img_background_color"
WHITE = "#ffffff"
MASKED = "task.inpainting"
SOFT_INPAINTING = "soft inpainting"  # A1111's title of the script, in lower case
SOFT_ARGS = (
    "schedule_bias", "preservation", "contrast_boost", "mask_influence", "difference_threshold", "difference_contrast",
)  # fmt: skip


def picture_task(body: Img2ImgBody) -> Iterator[Put]:
    """Everything that makes the task of an img2img request.

    Raises:
        InvalidBodyError: naming the field of the body.
        HTTPException: 404, there is no picture.
    """
    if not body.init_images:
        raise HTTPException(404, "Init image not found")
    images = _on_their_ground(body)
    if len(images) > 1:
        if len(images) > body.batch_size:
            message = f"{len(images)} pictures for a batch of {body.batch_size}; give one for all, or at most one each"
            raise InvalidBodyError.at(("init_images",), message)
        yield "batch_size", len(images), ("init_images",)
        yield "task.further_images", tuple(images[1:]), ("init_images", 1)
    yield "task.kind", "img2img", ("init_images",)
    yield from _plain(body, "task")
    yield "task.image", images[0], ("init_images", 0)
    if body.mask is not None:
        yield from _mask(body)


def _on_their_ground(body: Img2ImgBody) -> Sequence[str | Picture]:
    """The pictures to start from; where their transparent parts are to have another colour than white, opened."""
    images = body.init_images or []
    overrides = body.override_settings or {}
    ground = colour(overrides, BACKGROUND, ("override_settings",)) if BACKGROUND in overrides else WHITE
    if ground.lower() == WHITE:
        return images
    opened: list[str | Picture] = []
    for index, text in enumerate(images):
        try:
            opened.append(Picture.on(safe_open(file_of(text)), ground))
        except (BadRequestError, ValueError) as error:
            message = error.message if isinstance(error, BadRequestError) else str(error)
            raise InvalidBodyError.at(("init_images", index), message) from None
    return opened


def _mask(body: Img2ImgBody) -> Iterator[Put]:
    """The mask's own part; it arrives whole, so its fields are put together here."""
    if body.latent_mask is not None:
        raise InvalidBodyError.at(("latent_mask",), "a mask of latents cannot be taken; send mask", "not_available")
    yield from _plain(body, MASKED)
    if body.mask_blur is not None:
        yield f"{MASKED}.mask_blur_x", body.mask_blur, ("mask_blur",)
        yield f"{MASKED}.mask_blur_y", body.mask_blur, ("mask_blur",)
    yield from _soft(body, f"{MASKED}.soft")


def _soft(body: Img2ImgBody, path: str) -> Iterator[Put]:
    """Arguments of A1111's script: enabled, then six numbers, of which the last may be missing."""
    for title, script in body.alwayson_scripts.items():
        if title.lower() != SOFT_INPAINTING:
            continue
        place: Loc = ("alwayson_scripts", title, "args")
        arguments = script.get("args", []) if isinstance(script, dict) else script
        if not isinstance(arguments, list):
            raise InvalidBodyError.at(place, "should be a list")
        if arguments and arguments[0]:
            yield path, dict(zip(SOFT_ARGS, arguments[1:], strict=False)), place


def _plain(body: Img2ImgBody, part: str) -> Iterator[Put]:
    """The fields of a part that the table alone tells how to read: settings first, so that the body's own wins."""
    overrides = body.override_settings or {}
    for row in (row for row in ROWS if row.part == part):
        if overrides.get(row.option) is not None:
            yield row.path, row.option_codec.decode(overrides[row.option]), ("override_settings", row.option)
        value = getattr(body, row.body, None) if row.body else None
        if value is None:
            continue
        try:
            yield row.path, row.body_codec.decode(value), (row.body,)
        except ValueError as error:
            raise InvalidBodyError.at((row.body,), str(error)) from None
