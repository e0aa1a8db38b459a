"""`POST /sdapi/v1/png-info`: the generation parameters inside an image that a client sends."""

import base64
import binascii
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, read_json
from webui.api.sdapi.models import PngInfoBody
from webui.output.compat import with_defaults
from webui.output.images import safe_open
from webui.output.metadata import read_items, read_text
from webui.output.parse import parse


def routes() -> APIRouter:
    """Reading metadata."""
    router = APIRouter()

    @router.post("/sdapi/v1/png-info")
    async def png_info(request: Request) -> JSONResponse:
        data = await read_json(request)
        try:
            body = PngInfoBody.model_validate(data)
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        return JSONResponse(await run_in_threadpool(described, body.image))

    return router


def described(image: str) -> dict[str, Any]:
    """A1111's answer for an image in base64.

    Raises:
        HTTPException: 400, an address or not base64.
        BadRequestError: not an image that may be opened; pixel and text bombs are refused by their size.
    """
    if image.startswith(("http://", "https://")):
        raise HTTPException(400, "image: addresses are not fetched; send the image itself in base64")
    text = image.partition(",")[2] if image.startswith("data:image/") else image
    try:
        raw = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        raise HTTPException(400, "image: not base64") from None
    image_file = safe_open(raw)
    found = read_text(image_file)
    return {"info": found, "items": read_items(image_file), "parameters": with_defaults(parse(found))}
