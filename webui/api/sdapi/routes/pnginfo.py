"""`POST /sdapi/v1/png-info`: the generation parameters inside an image that a client sends."""

from typing import Any

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, read_json
from webui.api.late_routes import Router
from webui.api.sdapi.dialect.models import PngInfoBody
from webui.domain.images import file_of, safe_open
from webui.output.compat import with_defaults
from webui.output.metadata import read_items, read_parameters


def routes() -> Router:
    """Reading metadata."""
    router = Router()

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
    try:
        raw = file_of(image)
    except ValueError as error:
        raise HTTPException(400, f"image: {error}") from None
    image_file = safe_open(raw)
    found = read_parameters(image_file)
    fields = found.fields or {"Prompt": "", "Negative prompt": ""}
    return {"info": found.text, "items": read_items(image_file), "parameters": with_defaults(fields)}
