"""`internal/page/dropped-picture`: what a picture that was dropped on the page says of its making."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.late_routes import Router
from webui.api.page.sent_picture import sent_picture
from webui.domain.images import safe_open
from webui.output.metadata import read_parameters

MAX_TEXT = 256 * 1024  # characters


def routes() -> Router:
    """The one question."""
    router = Router(prefix="/internal/page", include_in_schema=False)

    @router.post("/dropped-picture")
    async def dropped_picture(request: Request) -> JSONResponse:
        return JSONResponse(await run_in_threadpool(_told, await sent_picture(request)))

    return router


def _told(content: bytes) -> dict[str, Any]:
    image = safe_open(content)
    found = read_parameters(image)
    return {
        "text": found.text[:MAX_TEXT], "notices": [notice.text for notice in found.notices], "width": image.width,
        "height": image.height,
    }  # fmt: skip
