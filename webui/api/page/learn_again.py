"""`internal/page/learn/again`: a picture that was dropped on the page is made once more, from what its file tells."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.late_routes import Router
from webui.api.page.sent_picture import sent_picture
from webui.api.parts import Parts
from webui.domain.errors import WrongStateError
from webui.domain.images import safe_open
from webui.domain.visitor import owner_of
from webui.gallery.picture_facts import kind_of
from webui.output.metadata import read_parameters, read_request

FROM_PICTURES = ("img2img", "inpaint", "upscale")


def routes(parts: Parts) -> Router:
    """The one command."""
    router = Router(prefix="/learn")

    @router.post("/again")
    async def again(request: Request) -> JSONResponse:
        parts.refuse_when_closing()
        content = await sent_picture(request)
        return JSONResponse(await run_in_threadpool(_submitted, parts, content, owner_of(request)))

    return router


def _submitted(parts: Parts, content: bytes, owner: str) -> dict[str, Any]:
    """The job of one picture that is not saved, and what of the file's parameters could not be used.

    Raises:
        WrongStateError: the file does not tell how it was made.
        WebuiError: the job cannot be taken on, as a file of a model is missing.
    """
    image, infos = safe_open(content), parts.engine.extensions.infos
    told = read_parameters(image)
    found = read_request(image, infos)
    if found is None:
        raise WrongStateError("this picture has no generation parameters, so nobody knows how it was made")
    if kind_of("", told.fields) in FROM_PICTURES:
        raise WrongStateError(
            "this picture was made from another one, which is not in its file; send it to img2img with the picture "
            "that it was made from"
        )
    job = parts.engine.submit(found.with_(batch_size=1, n_iter=1), save=False, owner=owner)
    notices = [notice.text for notice in told.reading(infos).notices]
    return {"job": job.id, "notices": notices, "program": told.program}
