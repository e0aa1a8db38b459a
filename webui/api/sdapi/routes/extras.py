"""Routes that enlarge finished pictures. Bodies and answers are A1111's; the work is a job like any other."""

import html
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui.api.body import InvalidBodyError, Loc, read_json
from webui.api.described import body_of
from webui.api.jobs import user_of
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.picture_answer import picture_answer
from webui.api.sdapi.dialect.answers import as_base64
from webui.api.sdapi.dialect.coerce import Float, Int, Text
from webui.api.sdapi.dialect.honoured import options_of_extras, place_of_word
from webui.api.sdapi.dialect.request_settings import settings_of
from webui.api.waiting import finished
from webui.domain.errors import BadRequestError, Cancelled
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import Picture, file_of, safe_open
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.domain.upscale import MAX_PICTURES, Upscale
from webui.output.metadata import read_text

NAMES: Mapping[str, str] = MappingProxyType(
    {  # field of the task, field of the body
        "upscaler": "upscaler_1",
        "second_upscaler": "upscaler_2",
        "second_visibility": "extras_upscaler_2_visibility",
        "scale": "upscaling_resize",
        "width": "upscaling_resize_w",
        "height": "upscaling_resize_h",
    }
)


class ExtrasBody(BaseModel):
    """What both routes take. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    resize_mode: Int = Field(0, description="0: by upscaling_resize; 1: to upscaling_resize_w x upscaling_resize_h")
    show_extras_results: bool = True
    gfpgan_visibility: Float = 0.0
    codeformer_visibility: Float = 0.0
    codeformer_weight: Float = 0.0
    upscaling_resize: Float = 2.0
    upscaling_resize_w: Int = 512
    upscaling_resize_h: Int = 512
    upscaling_crop: bool = True
    upscaler_1: Text = "None"
    upscaler_2: Text = "None"
    extras_upscaler_2_visibility: Float = 0.0
    upscale_first: bool = False


class SingleBody(ExtrasBody):
    """Body of `POST /sdapi/v1/extra-single-image`."""

    image: Text = ""


class NamedImage(BaseModel):
    """One picture of a batch."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    data: Text
    name: Text = ""


class BatchBody(ExtrasBody):
    """Body of `POST /sdapi/v1/extra-batch-images`."""

    image_list: list[NamedImage] = Field(alias="imageList")


Body = TypeVar("Body", bound=ExtrasBody)


def routes(parts: Parts) -> Router:
    """One picture, and several."""
    router = Router(prefix="/sdapi/v1")

    @router.post("/extra-single-image", openapi_extra=body_of(SingleBody, required=False))
    async def single(request: Request) -> JSONResponse:
        sent = await read_json(request)
        body = _read(sent, SingleBody)
        result = await _made(parts, request, body, [(("image",), body.image)], sent)
        return await run_in_threadpool(_answer_of_one, parts, result)

    @router.post("/extra-batch-images", openapi_extra=body_of(BatchBody, required=False))
    async def batch(request: Request) -> Response:
        sent = await read_json(request)
        body = _read(sent, BatchBody)
        pictures: list[tuple[Loc, str]] = [
            (("imageList", index, "data"), image.data) for index, image in enumerate(body.image_list)
        ]
        result = await _made(parts, request, body, pictures, sent)
        return await run_in_threadpool(_answer_of_many, parts, result)

    return router


def to_request(
    body: ExtrasBody,
    pictures: list[tuple[Loc, str]],
    extensions: Sequence[ExtensionInfo] = (),
    sent: Mapping[str, Any] = MappingProxyType({}),
) -> GenerationRequest:
    """The job that a body means.

    Args:
        pictures: where each stands in the body, and its base64.
        extensions: those that may honour words of A1111.
        sent: the body as it came; extensions may honour fields that `body` does not have.

    Raises:
        InvalidBodyError: naming the field of the body.
        HTTPException: 404 without a picture, as A1111 answers.
    """
    if not pictures or not all(text for _, text in pictures):
        raise HTTPException(404, "Image not found")
    if len(pictures) > MAX_PICTURES:
        raise InvalidBodyError.at(("imageList",), f"has {len(pictures)} pictures; at most {MAX_PICTURES} are taken")
    if body.resize_mode not in (0, 1):
        raise InvalidBodyError.at(("resize_mode",), "should be 0 or 1")
    opened = [_opened(place, text) for place, text in pictures]
    values = {name: getattr(body, field) for name, field in NAMES.items()}
    try:
        task = Upscale(
            images=tuple(picture for picture, _ in opened),
            infotexts=tuple(text for _, text in opened),
            mode="to" if body.resize_mode else "by",
            crop=body.upscaling_crop,
            in_eights=True,
            **values,
        )
    except ValidationError as error:
        raise InvalidBodyError.of(error, _place) from None
    honoured = options_of_extras({**sent, **dict(body)}, extensions)
    return GenerationRequest(task=task, extensions=honoured)


def _opened(place: Loc, text: str) -> tuple[Picture, str]:
    """A picture and the parameters that it carries."""
    try:
        image = safe_open(file_of(text))
        return Picture.of(image, clear=True), read_text(image)
    except BadRequestError as error:
        raise InvalidBodyError.at(place, error.message) from None
    except ValueError as error:
        raise InvalidBodyError.at(place, str(error)) from None


def _place(loc: Loc) -> Loc:
    return (NAMES.get(str(loc[0]), str(loc[0])), *loc[1:]) if loc else loc


def _read(data: dict[str, Any], kind: type[Body]) -> Body:
    given = {name: value for name, value in data.items() if value is not None}  # null means the default
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None


async def _made(
    parts: Parts, request: Request, body: ExtrasBody, pictures: list[tuple[Loc, str]], sent: Mapping[str, Any]
) -> GenerationResult | None:
    """Submit and wait; None where the user stopped it before its first picture."""
    parts.refuse_when_closing()
    infos = parts.engine.extensions.infos
    wanted = await run_in_threadpool(to_request, body, pictures, infos, sent)
    saving = settings_of(None, parts.chosen).saving
    try:
        await run_in_threadpool(parts.check_files, wanted)
        job = await run_in_threadpool(
            parts.engine.submit, wanted, save=parts.save_always, saving=saving, owner=user_of(request)
        )
        return await finished(job, request)
    except BadRequestError as error:
        raise _refusal(error, sent, infos) from None
    except Cancelled:
        return None


def _refusal(error: BadRequestError, sent: Mapping[str, Any], extensions: Sequence[ExtensionInfo]) -> InvalidBodyError:
    """What is wrong with the request, told of the body."""
    path: Loc = tuple(error.field.split("."))
    if path[0] == "extensions" and len(path) > 1:
        return InvalidBodyError.at(place_of_word(path, sent, {}, extensions) or path, error.message)
    return InvalidBodyError.at(_place(path[1:] if path[0] == "task" else path), error.message)


def _info(result: GenerationResult | None) -> str:
    """What was done to the last picture."""
    return f"<p>{html.escape(result.images[-1].infotext if result and result.images else '')}</p>"


def _answer_of_one(parts: Parts, result: GenerationResult | None) -> JSONResponse:
    encoded = _encoded(parts, result)
    return JSONResponse({"html_info": _info(result), "image": as_base64(encoded[0]) if encoded else ""})


def _answer_of_many(parts: Parts, result: GenerationResult | None) -> Response:
    return picture_answer({"html_info": _info(result)}, "images", _encoded(parts, result))


def _encoded(parts: Parts, result: GenerationResult | None) -> list[bytes]:
    """Every picture as a file; it takes long, so no event loop waits for it."""
    saving = settings_of(None, parts.chosen).saving
    return [parts.encode(image, saving).data for image in (result.images if result else ())]
