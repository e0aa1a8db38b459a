"""The native API's batches: one request for each picture of a folder, or of those that are sent along."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, Loc, drain, read_json
from webui.api.described import body_of
from webui.api.jobs import LONGEST_NAME, user_of
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.domain.batch import BatchOptions
from webui.domain.errors import BadRequestError
from webui.domain.fields import Frozen
from webui.domain.images import file_of
from webui.engine.batch_door import BatchDoor, templated
from webui.engine.batching import BatchJob, SentFiles
from webui.engine.folder_access import Caller
from webui.experiments.picture_batch import BatchFile
from webui.installing.permission import NotAllowedError

NO_BATCH = "there is no batch of that id"


class SentPicture(Frozen):
    """A picture that is sent along."""

    name: str = Field(max_length=255, description="of its file; masks and parameters are found by it")
    data: str = Field(description="the file in base64")


class BatchBody(BatchOptions):
    """A batch. Folders lie on the server; pictures that are sent along come behind those of the folder."""

    request: dict[str, Any] = Field(
        description="a request as `POST /api/jobs` takes it, of the task img2img or upscale, without pictures"
    )
    pictures: tuple[SentPicture, ...] = ()
    masks: tuple[SentPicture, ...] = ()
    infos: tuple[SentPicture, ...] = ()
    save: bool = True


def routes(parts: Parts, door: BatchDoor) -> Router:
    """Begin, look, cancel."""
    router = Router(prefix="/api/batches")

    @router.post("", openapi_extra=body_of(BatchBody, required=False))
    async def start(request: Request, owner: str = "") -> JSONResponse:
        """Begin a batch. Each picture becomes a job of the queue, when the one before it is done."""
        parts.refuse_when_closing()
        try:
            body = BatchBody.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        whose = user_of(request) or owner[:LONGEST_NAME]
        caller = Caller(request.client.host if request.client else "", request.headers)
        job = await run_in_threadpool(_started, door, body, caller, whose)
        return JSONResponse(_described(job), 201)

    @router.get("")
    def listed() -> list[dict[str, Any]]:
        """Those that are on their way."""
        return [_described(job) for job in parts.engine.batches()]

    @router.get("/{batch_id}")
    def look(batch_id: str) -> dict[str, Any]:
        return _described(_found(parts, batch_id))

    @router.post("/{batch_id}/cancel")
    async def cancel(request: Request, batch_id: str) -> JSONResponse:
        """Stop it, and the picture in work; what is made stays."""
        await drain(request)
        job = _found(parts, batch_id)
        await run_in_threadpool(job.cancel)
        return JSONResponse(_described(job))

    return router


def _started(door: BatchDoor, body: BatchBody, caller: Caller, owner: str) -> BatchJob:
    try:
        template = templated(body.request)
    except ValidationError as error:
        raise InvalidBodyError.of(error, lambda loc: ("request", *loc)) from None
    options = BatchOptions.model_validate({name: getattr(body, name) for name in BatchOptions.model_fields})
    sent = SentFiles(_files("pictures", body.pictures), _files("masks", body.masks), _files("infos", body.infos))
    try:
        return door.start(template, options, sent, caller, save=body.save, owner=owner)
    except NotAllowedError as error:
        raise HTTPException(403, str(error)) from None
    except BadRequestError as error:
        raise InvalidBodyError.at(tuple(error.field.split(".")), error.message) from None


def _files(field: str, sent: Sequence[SentPicture]) -> tuple[BatchFile, ...]:
    found = []
    for index, one in enumerate(sent):
        place: Loc = (field, index, "data")
        try:
            found.append(BatchFile(one.name, file_of(one.data)))
        except ValueError as error:
            raise InvalidBodyError.at(place, str(error)) from None
    return tuple(found)


def _found(parts: Parts, batch_id: str) -> BatchJob:
    job = parts.engine.batch_of(batch_id)
    if job is None:
        raise HTTPException(404, NO_BATCH)
    return job


def _described(job: BatchJob) -> dict[str, Any]:
    status = job.status
    result, now = status.result, status.progress
    return {
        "id": job.id,
        "state": status.state,
        "title": job.work.title,
        "done": now.done if result is None else now.count,
        "count": len(job.work.pictures),
        "fraction": 1.0 if status.state == "done" else now.fraction,
        "job": now.job_id or None,
        "made": result.made if result is not None else None,
        "skipped": result.skipped if result is not None else None,
        "failed": [{"name": name, "reason": why} for name, why in result.failed] if result is not None else None,
        "interrupted": status.interrupted,
        "error": status.error_text or None,
        "notices": [{"source": one.source, "text": one.text} for one in status.notices],
    }
