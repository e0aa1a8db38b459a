"""The native API's installing of extensions: plan, then apply with the plan's token. Only from where it is allowed."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, read_json
from webui.api.late_routes import Router
from webui.domain.errors import WebuiError
from webui.engine.engine import Engine
from webui.installing.installation import (
    Apply,
    Check,
    Installation,
    InstallOutcome,
    InstallWork,
    PlanInstall,
    PlanUpdate,
)
from webui.installing.live import InstallDoor
from webui.installing.permission import NotAllowedError
from webui.installing.plans import generation

T = TypeVar("T")


def routes(engine: Engine, door: InstallDoor, prefix: str = "/api/extensions") -> Router:
    """Every route checks the caller first. What takes long is a job, which goes on where the client hangs up.

    Args:
        prefix: where they hang.
    """
    router = Router(prefix=prefix)
    installer = door.installer
    kind = Installation(installer)

    async def made(work: InstallWork) -> InstallOutcome:
        job = await run_in_threadpool(engine.start, kind, work)
        try:
            return await job.wait()
        except WebuiError as error:
            raise HTTPException(422, str(error)) from None

    @router.get("/installed")
    def installed() -> dict[str, Any]:
        """What was installed: source, commit, content hash, packages, the earlier generation while it is kept."""
        return {
            name: {"now": generation(one.now), "previous": generation(one.previous), "note": one.note}
            for name, one in installer.records().items()
        }

    @router.post("/plan")
    async def plan(request: Request) -> JSONResponse:
        """Body `{"source": "https://...", "ref": "v1"}` or `{"update": "name"}`; nothing is changed yet."""
        body = await _allowed(door, request)
        update, source, ref = (_text(body, name) for name in ("update", "source", "ref"))
        if bool(update) == bool(source):
            raise InvalidBodyError.at(("source",), "give either source or update")
        if source:
            work: InstallWork = PlanInstall(source, ref)
        else:
            work = PlanUpdate(update, ref or None)
        planned = (await made(work)).plan
        return JSONResponse({"action": "none", "name": update} if planned is None else planned.described())

    @router.post("/apply")
    async def apply(request: Request) -> JSONResponse:
        """Body `{"token": "..."}` of a plan. Answers when it is in place; a new worker then starts by itself."""
        token = _text(await _allowed(door, request), "token")
        return JSONResponse({"installed": generation((await made(Apply(token))).entry)})

    @router.post("/discard")
    async def discard(request: Request) -> JSONResponse:
        """Body `{"token": "..."}`: throw a plan away."""
        token = _text(await _allowed(door, request), "token")
        await _done(lambda: installer.discard(token))
        return JSONResponse({})

    @router.post("/{name}/remove")
    async def remove(request: Request, name: str) -> JSONResponse:
        """Body `{}`. Packages that nobody else needs are named and left in place."""
        await _allowed(door, request)
        return JSONResponse({"removed": name, "unneeded_packages": await _done(lambda: list(installer.remove(name)))})

    @router.post("/{name}/rollback")
    async def rollback(request: Request, name: str) -> JSONResponse:
        """Body `{}`: back to the earlier generation, while it is kept."""
        await _allowed(door, request)
        return JSONResponse({"installed": generation(await _done(lambda: installer.roll_back(name)))})

    @router.post("/{name}/check")
    async def check(request: Request, name: str) -> JSONResponse:
        """Body `{}`: whether its files are those that were installed, and whether it loads."""
        await _allowed(door, request)
        return JSONResponse({"name": name, "problems": list((await made(Check(name))).problems)})

    return router


async def _allowed(door: InstallDoor, request: Request) -> dict[str, Any]:
    """The body, once the caller is known to be allowed."""
    client = request.client.host if request.client else ""
    try:
        door.permission.check(client, request.headers)
    except NotAllowedError as error:
        raise HTTPException(403, str(error)) from None
    return await read_json(request)


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise InvalidBodyError.at((name,), "must be a text")
    return value


async def _done(work: Callable[[], T]) -> T:
    """Do it in a thread; what is refused becomes a 422 with its sentence."""
    try:
        return await run_in_threadpool(work)
    except WebuiError as error:
        raise HTTPException(422, str(error)) from None
