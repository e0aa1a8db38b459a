"""Has a picture described by the extension that does so, and words the answer for the API."""

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from webui.api.parts import Parts
from webui.api.waiting import finished
from webui.domain.errors import UnknownModelError
from webui.engine.describer import ACTION, caption_of, describer_of


async def described(parts: Parts, request: Request, image: str, model: str, owner: str = "") -> str:
    """The picture in words; the request is answered when they are there.

    Args:
        image: a picture file in base64.
        model: as the extension knows it; "" takes the first that is there.
        owner: whose the work is.

    Raises:
        HTTPException: 404, there is no such extension, or a file that it needs is not there.
        WebuiError: it failed.
    """
    describer = describer_of(parts.engine.extensions)
    if describer is None:
        raise HTTPException(404, "Model not found: no extension that describes pictures is there")
    parts.refuse_when_closing()
    wish = {"image": image, "model": model}
    try:
        made = await finished(await run_in_threadpool(parts.engine.act, describer, ACTION, wish, owner=owner), request)
    except UnknownModelError as error:
        raise HTTPException(404, f"Model not found: {error}") from None
    return caption_of(made)
