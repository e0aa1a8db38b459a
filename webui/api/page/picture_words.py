"""`internal/page/describe`: a picture in words, for the prompt."""

import base64
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.late_routes import Router
from webui.api.page.sent_picture import sent_picture
from webui.api.parts import Parts
from webui.api.picture_words import described
from webui.domain.visitor import owner_of


def routes(parts: Parts) -> Router:
    """The one question: the picture comes as a multipart form, the file that describes it in the address."""
    router = Router(prefix="/internal/page", include_in_schema=False)

    @router.post("/describe")
    async def describe(request: Request, model: Annotated[str, Query(max_length=400)] = "") -> JSONResponse:
        image = base64.b64encode(await sent_picture(request)).decode("ascii")
        return JSONResponse({"text": await described(parts, request, image, model, owner_of(request))})

    return router
