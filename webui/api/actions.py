"""Actions of extensions over HTTP: started and watched as jobs, or waited for by the routes that extensions declare."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.late_routes import Router
from webui.api.parts import Parts, as_png
from webui.api.sdapi.dialect.answers import as_base64
from webui.api.waiting import finished
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ActionInfo, ActionOutcome
from webui.engine.acting import ActionJob

FRAME = 0.2  # least seconds between two looks at an action
LONGEST_LOOK = 20.0  # seconds after which a look that waits is answered, changed or not
LONGEST_MARK = 400  # characters
SIMPLE = ("string", "boolean", "integer", "number")  # types that a query can carry


def native(parts: Parts, owner: Callable[[Request], str] = lambda request: "") -> Router:
    """Starting, watching and stopping any action, below `/api` and below the page's own routes.

    Args:
        owner: whose the job is that a request starts; owners have turns.
    """
    router = Router()

    @router.post("/extensions/{extension}/actions/{action}")
    async def start(request: Request, extension: str, action: str, wait: bool = False) -> JSONResponse:
        """Start an action with the body as its options; `wait=true` answers when it is done."""
        parts.refuse_when_closing()
        job = await _started(parts, extension, action, await _body(request), owner(request))
        if wait or job.work.light:
            return JSONResponse(_outcome(await finished(job, request)))
        return JSONResponse({"id": job.id, "state": job.state}, 201)

    @router.get("/actions/{job_id}")
    async def look(job_id: str, seen: str = "") -> dict[str, Any]:
        """How far it is. With the `mark` of an earlier answer as `seen` it waits until there is something new."""
        job = _job(parts, job_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_LOOK):
                async for now in job.changes(every=FRAME):
                    if now.ended or _mark(job) != seen:
                        break
        return described(job)

    @router.post("/actions/{job_id}/cancel")
    async def cancel(request: Request, job_id: str) -> JSONResponse:
        await drain(request)
        job = _job(parts, job_id)
        await run_in_threadpool(job.cancel)
        return JSONResponse({"id": job.id, "state": job.state})

    @router.get("/actions/{job_id}/images/{number}")
    def image(job_id: str, number: int) -> Response:
        job = _job(parts, job_id)
        made = job.status.result
        images = made.images if made is not None else ()
        if not 0 <= number < len(images):
            raise HTTPException(404, f"action {job_id} has {len(images)} images; they are counted from 0")
        encoded = as_png(images[number])
        return Response(encoded.data, media_type=encoded.media_type)

    return router


def routes(parts: Parts) -> Router:
    """The native routes, then those that extensions declare."""
    router = Router()
    router.take(native(parts), prefix="/api")
    engine = parts.engine
    for info in engine.extensions.infos:
        for action in info.actions:
            for route in action.routes:
                method, _, path = route.partition(" ")
                answer = _answerer(parts, info.name, action)
                name = f"{info.name}_{action.name}_{path}"
                says = _described(method, action)
                router.add_api_route(
                    path, answer, methods=[method], operation_id=name, summary=action.title, openapi_extra=says
                )
    return router


def described(job: ActionJob) -> dict[str, Any]:
    """An action on its way as JSON; pictures are fetched one by one."""
    now = job.status
    told: dict[str, Any] = {
        "id": job.id,
        "extension": job.work.extension,
        "action": job.work.action,
        "state": now.state,
        "mark": _mark(job),
        "progress": {"fraction": now.progress.fraction, "text": now.progress.text},
        "error": now.error_text if now.state in ("failed", "held") else None,
        "notices": [notice.text for notice in now.notices],
    }
    if (made := now.result) is not None:
        told["result"] = {
            "text": made.text, "files": list(made.files), "data": made.data, "images": len(made.images)
        }  # fmt: skip
    return told


def _mark(job: ActionJob) -> str:
    """Differs where what is told of its progress does."""
    now = job.status
    return f"{now.state} {len(now.notices)} {now.progress.fraction:.4f} {now.progress.text}"[:LONGEST_MARK]


def _described(method: str, action: ActionInfo) -> dict[str, Any]:
    """What a declared route reads, for the description of the API."""
    if method == "GET":
        fields: Mapping[str, Any] = action.schema.get("properties", {})
        simple = {
            name: one for name, one in fields.items() if one.get("type") in ("string", "boolean", "integer", "number")
        }
        return {"parameters": [{"name": name, "in": "query", "schema": one} for name, one in simple.items()]}
    return {"requestBody": {"content": {"application/json": {"schema": dict(action.schema)}}}}


def _answerer(parts: Parts, extension: str, action: ActionInfo) -> Callable[[Request], Awaitable[JSONResponse]]:
    """The handler of a declared route: waits, and answers with the result's data where there is any."""

    async def answer(request: Request) -> JSONResponse:
        parts.refuse_when_closing()
        values = _query(request, action) if request.method == "GET" else await _body(request)
        made = await finished(await _started(parts, extension, action.name, values), request)
        return JSONResponse(_outcome(made) if made.data is None else made.data)

    return answer


async def _started(parts: Parts, extension: str, action: str, values: Mapping[str, Any], owner: str = "") -> ActionJob:
    try:
        return await run_in_threadpool(parts.engine.act, extension, action, values, owner=owner)
    except BadRequestError as error:
        if error.field in ("extension", "action"):
            raise HTTPException(404, error.message) from None
        raise


async def _body(request: Request) -> dict[str, Any]:
    """The options; an action that needs none may be called without a body."""
    if not await request.body():
        return {}
    return await read_json(request)


def _query(request: Request, action: ActionInfo) -> dict[str, Any]:
    """The query as options; texts become numbers and truth values where the options say so."""
    fields: Mapping[str, Any] = action.schema.get("properties", {})
    return {name: _typed(text, fields.get(name, {}), name) for name, text in request.query_params.items()}


def _typed(text: str, schema: Mapping[str, Any], name: str) -> Any:
    try:
        match schema.get("type"):
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except (ValueError, KeyError):
        raise InvalidBodyError([(("query", name), f"should be of type {schema['type']}", "value_error")]) from None
    return text


def _outcome(made: ActionOutcome) -> dict[str, Any]:
    return {
        "text": made.text,
        "files": list(made.files),
        "data": made.data,
        "images": [as_base64(as_png(image).data) for image in made.images],
    }


def _job(parts: Parts, job_id: str) -> ActionJob:
    job = parts.engine.action(job_id)
    if job is None:
        raise HTTPException(404, "there is no action of that id")
    return job
