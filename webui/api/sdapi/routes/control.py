"""Routes that control models and server: unload, load again, stop. And the one that describes a picture."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.described import body_of
from webui.api.late_routes import Router
from webui.api.parts import Parts, StopServer
from webui.api.picture_words import described
from webui.api.sdapi.dialect.coerce import Text
from webui.api.sdapi.routes.settings import current_checkpoint


class InterrogateBody(BaseModel):
    """Body of `POST /sdapi/v1/interrogate`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: Text = Field("", description="a picture in base64")
    model: Text = Field("clip", description="clip, deepdanbooru, or the folder of a tagger")


def routes(parts: Parts) -> Router:
    """`server-stop` and its fellows are there only where the program was started with `--api-server-stop`."""
    router = Router(prefix="/sdapi/v1")

    @router.post("/interrogate", openapi_extra=body_of(InterrogateBody))
    async def interrogate(request: Request) -> JSONResponse:
        """Describe a picture, by the extension that does so; 404 where a file that it needs is not there."""
        try:
            body = InterrogateBody.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        if not body.image:
            raise HTTPException(404, "Image not found")
        return JSONResponse({"caption": await described(parts, request, body.image, body.model)})

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


def _add_stopping(router: Router, stop: StopServer) -> None:
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
