"""`/v1/images/generations` and `/v1/images/edits`: the routes of OpenAI's images, for the clients that know only those.

`model` names a checkpoint where there is one of that name; every other name means the current one.
"""

import json
import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui.api.body import InvalidBodyError, read_json
from webui.api.described import body_of
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.sdapi.dialect.answers import as_base64
from webui.api.sdapi.dialect.request_settings import settings_of
from webui.api.waiting import finished
from webui.domain.errors import BadRequestError, UnknownModelError
from webui.domain.images import Picture, safe_open
from webui.domain.parameters.leaves import replaced
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.domain.saving import Saving

MAX_IMAGES = 10
_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")
STEP = 8  # sides are cut to a multiple of it
# Words of the newer models of that API for how much work a picture is worth: steps here.
QUALITY: Mapping[str, int] = MappingProxyType({"low": 12, "medium": 20, "standard": 20, "high": 35, "hd": 35})


class ImagesBody(BaseModel):
    """Body of `POST /v1/images/generations`. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prompt: str = Field(min_length=1)
    model: str | None = Field(None, description="a checkpoint; any other name means the current one")
    n: int = Field(1, ge=1, le=MAX_IMAGES)
    size: str | None = Field(None, description="WxH, or auto", examples=["512x512"])
    quality: str | None = Field(None, description="low, medium or high; standard or hd")
    response_format: Literal["url", "b64_json"] | None = None
    output_format: Literal["png", "jpeg", "webp"] | None = None
    output_compression: int | None = Field(None, ge=1, le=100)
    user: str | None = None


def routes(parts: Parts) -> Router:
    """Generations from a prompt, and edits of a picture that comes as a form."""
    router = Router(prefix="/v1/images")

    @router.post("/generations", openapi_extra=body_of(ImagesBody, example={"prompt": "a cat", "size": "512x512"}))
    async def generations(request: Request) -> Response:
        """Make pictures; `url` (the default) answers with addresses of this server, which hold for a while."""
        body = _read(await read_json(request))
        return await _answer(parts, request, body, {})

    @router.post("/edits", openapi_extra=_form())
    async def edits(request: Request) -> Response:
        """Change a picture; where a mask comes with it, only its transparent part."""
        async with request.form(max_files=4, max_fields=20) as form:
            fields = {name: value for name, value in form.items() if isinstance(value, str)}
            files = {
                name.removesuffix("[]"): await value.read()
                for name, value in form.items()
                if isinstance(value, UploadFile)
            }
        body = _read(fields)
        return await _answer(parts, request, body, await run_in_threadpool(_pictures, files))

    return router


def _read(data: Mapping[str, Any]) -> ImagesBody:
    try:
        return ImagesBody.model_validate({name: value for name, value in data.items() if value is not None})
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None


def _pictures(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The task of an edit as fields of a request."""
    if "image" not in files:
        raise InvalidBodyError.at(("image",), "is needed: a PNG, JPEG or WebP", "missing")
    try:
        image = safe_open(files["image"])
        fields: dict[str, Any] = {"task.kind": "img2img", "task.image": Picture.of(image)}
        if "mask" in files:
            alpha = safe_open(files["mask"]).convert("RGBA").getchannel("A")
            fields["task.inpainting.mask"] = alpha.point(lambda opaque: 255 - opaque).convert("RGB")
    except BadRequestError as error:
        raise InvalidBodyError.at(("image",), error.message) from None
    return {**fields, "width": _side(image.width), "height": _side(image.height)}


def wanted(body: ImagesBody, starting: GenerationRequest, task: Mapping[str, Any]) -> GenerationRequest:
    """The request that a body means, over the values that forms start with.

    Raises:
        InvalidBodyError: naming the field.
    """
    fields: dict[str, Any] = {"prompt": body.prompt, "batch_size": 1, "n_iter": body.n, "seed": -1, **task}
    if body.size not in (None, "auto"):
        found = _SIZE.fullmatch(str(body.size))
        if found is None:
            raise InvalidBodyError.at(("size",), "should be WIDTHxHEIGHT, such as 512x512, or auto")
        fields |= {"width": _side(int(found[1])), "height": _side(int(found[2]))}
    if body.quality is not None and body.quality in QUALITY:
        fields["steps"] = QUALITY[body.quality]
    names = {"width": "size", "height": "size", "n_iter": "n", "steps": "quality"}
    try:
        return replaced(starting, fields)
    except ValidationError as error:
        raise InvalidBodyError.of(error, lambda loc: (names.get(str(loc[0]), str(loc[0])),) if loc else loc) from None


async def _answer(parts: Parts, request: Request, body: ImagesBody, task: Mapping[str, Any]) -> Response:
    parts.refuse_when_closing()
    engine = parts.engine
    job_request = await run_in_threadpool(wanted, body, engine.starting_values(), task)
    saving = _saving(settings_of(None, parts.chosen).saving, body)
    job_request = await run_in_threadpool(_with_checkpoint, parts, job_request, body.model)
    job = await run_in_threadpool(engine.submit, job_request, save=parts.save_always, saving=saving)
    result = await finished(job, request)
    if body.response_format == "b64_json" or (body.response_format is None and body.output_format is not None):
        return await run_in_threadpool(_in_base64, parts, result, saving)
    base = str(request.base_url).rstrip("/")
    data = [{"url": f"{base}/api/jobs/{job.id}/images/{number}"} for number in range(len(result.images))]
    return JSONResponse({"created": int(time.time()), "data": data})


def _in_base64(parts: Parts, result: GenerationResult, saving: Saving) -> Response:
    data = [{"b64_json": as_base64(parts.encode(image, saving).data)} for image in result.images]
    return Response(json.dumps({"created": int(time.time()), "data": data}), media_type="application/json")


def _with_checkpoint(parts: Parts, request: GenerationRequest, model: str | None) -> GenerationRequest:
    """The request with the checkpoint that `model` names, if it names one."""
    if not model:
        return request
    try:
        return request.with_(checkpoint=parts.engine.library.checkpoint(model).name)
    except UnknownModelError:  # "dall-e-3", "gpt-image-1"
        return request


def _saving(usual: Saving, body: ImagesBody) -> Saving:
    changes: dict[str, Any] = {}
    if body.output_format is not None:
        changes["image_format"] = "jpg" if body.output_format == "jpeg" else body.output_format
    if body.output_compression is not None:
        changes["jpeg_quality"] = body.output_compression
    return usual.model_copy(update=changes)


def _side(pixels: int) -> int:
    return max(STEP, pixels // STEP * STEP)


def _form() -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    schema = {
        "type": "object",
        "required": ["image", "prompt"],
        "properties": {"image": binary, "mask": binary, "prompt": {"type": "string"}, "size": {"type": "string"}},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
