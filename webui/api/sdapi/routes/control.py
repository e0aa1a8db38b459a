"""Routes that control models and server: unload, load again, stop. And the one that describes a picture."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.described import body_of
from webui.api.parts import Parts, StopServer
from webui.api.sdapi.dialect.coerce import Text
from webui.api.sdapi.routes.settings import current_checkpoint
from webui.api.waiting import finished
from webui.domain.errors import UnknownModelError
from webui.domain.extensions import ExtensionInfo

ACTION = "interrogate"  # of the extension that describes pictures; its options are `image` and `model`


class InterrogateBody(BaseModel):
    """Body of `POST /sdapi/v1/interrogate`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: Text = Field("", description="a picture in base64")
    model: Text = Field("clip", description="clip, deepdanbooru, or the folder of a tagger")


def routes(parts: Parts) -> APIRouter:
    """`server-stop` and its fellows are there only where the program was started with `--api-server-stop`."""
    router = APIRouter(prefix="/sdapi/v1")

    @router.post("/interrogate", openapi_extra=body_of(InterrogateBody))
    async def interrogate(request: Request) -> JSONResponse:
        """Describe a picture, by the extension that does so; 404 where a file that it needs is not there."""
        try:
            body = InterrogateBody.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        if not body.image:
            raise HTTPException(404, "Image not found")
        describer = _describer(parts)
        if describer is None:
            raise HTTPException(404, "Model not found: no extension that describes pictures is there")
        parts.refuse_when_closing()
        wish = {"image": body.image, "model": body.model}
        try:
            made = await finished(await run_in_threadpool(parts.engine.act, describer, ACTION, wish), request)
        except UnknownModelError as error:
            raise HTTPException(404, f"Model not found: {error}") from None
        return JSONResponse({"caption": made.data["caption"] if isinstance(made.data, dict) else made.text})

    @router.post("/unload-checkpoint")
    async def unload_checkpoint(request: Request) -> dict[str, str]:
        """Free the memory that models hold: the worker is replaced after the job in work; the next one loads again."""
        await drain(request)
        await run_in_threadpool(parts.unload)
        return {}

    @router.post("/reload-checkpoint")
    async def reload_checkpoint(request: Request) -> dict[str, str]:
        """Load the current checkpoint and answer when it is there."""
        await drain(request)
        alias = parts.engine.starting_values().checkpoint
        file = await run_in_threadpool(current_checkpoint, parts.engine.library, alias)
        if file is not None:
            await parts.engine.aload(file.name)
        return {}

    if parts.stop_server is not None:
        _add_stopping(router, parts.stop_server)
    return router


def _describer(parts: Parts) -> str | None:
    """The extension that describes pictures."""
    found = (info.name for info in parts.engine.extensions.infos if info.state == "ok" and _describes(info))
    return next(found, None)


def _describes(info: ExtensionInfo) -> bool:
    return any(action.name == ACTION for action in info.actions)


def _add_stopping(router: APIRouter, stop: StopServer) -> None:
    @router.post("/server-stop", response_class=PlainTextResponse)
    async def server_stop(request: Request) -> Response:
        """End the program when the picture in work is made."""
        await drain(request)
        stop(at_once=False)
        return PlainTextResponse("Stopping.")

    @router.post("/server-kill")
    async def server_kill(request: Request) -> JSONResponse:
        """End the program now; jobs that are saved go on at its next start."""
        await drain(request)
        stop(at_once=True)
        return JSONResponse(None)

    @router.post("/server-restart")
    async def server_restart(request: Request) -> JSONResponse:
        """What starts the program does not start it again, so this is refused as A1111 refuses it then."""
        await drain(request)
        raise HTTPException(501, "the program cannot start itself again; stop it and start it where it runs")
