"""The native API: jobs that a client starts, watches and fetches by id. A1111's shapes stand in `sdapi/`."""

import json
import mimetypes
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.described import body_of
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.waiting import followed
from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, Progress
from webui.engine.generating import GenerationJob
from webui.jobs.job import JobStatus
from webui.jobs.record import JobRecord

FRAME = 0.2  # seconds that lie at least between two events of a stream
SILENCE = 15.0  # seconds after which a comment keeps a quiet stream open
LONGEST_NAME = 200  # characters of an owner or a task
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def routes(parts: Parts) -> Router:
    """Start, look, watch, fetch, cancel."""
    router = Router(prefix="/api/jobs")
    engine = parts.engine

    @router.post("", openapi_extra=body_of(GenerationRequest, required=False))
    async def start(
        request: Request,
        save: bool = True,
        id: str | None = None,
        owner: str = "",
        task: str = "",
        webhook: str | None = None,
    ) -> JSONResponse:
        """Start a job. The same `id` sent twice is one job, so a client may safely try again.

        Owners have turns: where users log in, each is one; else `owner` tells clients apart. `webhook` is an address
        that is told of the job's end.
        """
        parts.refuse_when_closing()
        if webhook is not None:
            parts.webhooks.check(webhook)
        if id is not None and not JOB_ID.fullmatch(id):
            raise InvalidBodyError([(("query", "id"), "1 to 64 letters, digits, _ or -", "value_error")])
        try:
            wanted = GenerationRequest.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        if id is not None and (known := await run_in_threadpool(_known, parts, id, wanted)) is not None:
            return JSONResponse({"id": known.id, "state": known.state}, 201)
        whose = user_of(request) or owner[:LONGEST_NAME]
        job = await run_in_threadpool(
            engine.submit, wanted, save=save, job_id=id, owner=whose, task=task[:LONGEST_NAME]
        )
        if webhook is not None:
            parts.webhooks.follow(job, webhook, lambda: described(parts, job))
        return JSONResponse({"id": job.id, "state": job.state}, 201)

    @router.get("/{job_id}")
    def look(job_id: str) -> dict[str, Any]:
        """All that is known of a job, also of one that ended before the program was started."""
        record = engine.queue.record(job_id)
        if record is None:
            raise HTTPException(404, "there is no job of that id")
        job = engine.job(job_id)
        return told(record) if job is None else {**told(record), **described(parts, job)}

    @router.post("/{job_id}/cancel")
    async def cancel(request: Request, job_id: str) -> JSONResponse:
        await drain(request)
        job = job_of(parts, job_id)
        await run_in_threadpool(job.cancel)
        return JSONResponse({"id": job.id, "state": job.state})

    @router.get("/{job_id}/events")
    async def events(job_id: str) -> StreamingResponse:
        """Server-sent events: `progress` whenever something changed, `end` at last."""
        job = job_of(parts, job_id)
        return StreamingResponse(_stream(parts, job), 200, {"Cache-Control": "no-store"}, "text/event-stream")

    @router.get("/{job_id}/images/{number}")
    def image(job_id: str, number: int) -> Response:
        job = engine.job(job_id)
        if job is None or (job.ended and not job.images):
            return _stored_image(parts, job_id, number)
        images = job.images
        if not 0 <= number < len(images):
            raise HTTPException(404, f"job {job_id} has {len(images)} images so far; they are counted from 0")
        encoded = parts.encode(images[number])
        return Response(encoded.data, media_type=encoded.media_type)

    return router


def told(record: JobRecord) -> dict[str, Any]:
    """What is known of a job as JSON: what it was and what it came to."""
    return {
        "id": record.id,
        "state": record.state,
        "created": record.created,
        "ended": record.ended,
        "save": record.save,
        "owner": record.owner,
        "priority": record.priority,
        "task": record.task,
        "position": 0,
        "progress": None,
        "eta": None,
        "images": len(record.pictures),
        "error": record.error if record.state == "failed" else None,
        "reason": record.error if record.state != "failed" else "",
        "interrupted": record.interrupted,
        "notices": [{"source": one.source, "text": one.text} for one in record.notices],
        "pictures": [
            {
                "index": one.index,
                "file": one.path,
                "seed": one.seed,
                "subseed": one.subseed,
                "infotext": one.infotext,
                "spooled": not one.is_placed,
            }
            for one in record.pictures
        ],
    }


def described(
    parts: Parts, job: GenerationJob, status: JobStatus[Progress, GenerationResult] | None = None
) -> dict[str, Any]:
    """A job in memory as JSON: as it stands at that moment, which is now where none is given."""
    status = status or job.status
    now = status.progress
    return {
        "id": job.id,
        "state": status.state,
        "position": status.position,
        "progress": {
            "phase": now.phase,
            "fraction": now.fraction,
            "step": now.step,
            "steps": now.steps,
            "batch": now.batch,
            "batches": now.batches,
        },
        "eta": job.eta(),
        "images": len(status.images),
        "error": _error(status),
        "reason": status.reason or (parts.engine.queue.reason if status.state == "queued" else ""),
        "notices": [{"source": one.source, "text": one.text} for one in status.notices],
        "save": job.save,
        "owner": job.owner,
        "priority": job.priority,
    }


def _error(status: JobStatus[Progress, GenerationResult]) -> str | None:
    """Why a job failed, in its own words where it is an expected failure."""
    if status.state != "failed" or status.error is None:
        return None
    if isinstance(status.error, WebuiError):
        return str(status.error)
    return f"unexpected error ({type(status.error).__name__}); see the server's log"  # with the traceback


def user_of(request: Request) -> str:
    """The name under which the caller has logged in; "" where nobody has to."""
    return str(request.scope.get("webui.user", ""))


def _known(parts: Parts, job_id: str, wanted: GenerationRequest) -> JobRecord | None:
    """A job of that id and request that is in the database alone."""
    if parts.engine.job(job_id) is not None or not parts.engine.queue.is_same(job_id, wanted):
        return None
    return parts.engine.queue.record(job_id)


def _stored_image(parts: Parts, job_id: str, number: int) -> Response:
    """A picture of a job that is no longer in memory, from its file."""
    record = parts.engine.queue.record(job_id)
    if record is None:
        raise HTTPException(404, "there is no job of that id")
    found = record.pictures[number : number + 1] if number >= 0 else ()
    if not found or not found[0].path or not Path(found[0].path).is_file():
        raise HTTPException(404, f"job {job_id} has no file of an image {number}; it was not saved, or moved since")
    return FileResponse(found[0].path, media_type=mimetypes.guess_type(found[0].path)[0])


def job_of(parts: Parts, job_id: str) -> GenerationJob:
    """A job in memory. Raises HTTPException (404)."""
    job = parts.engine.job(job_id)
    if job is None:
        raise HTTPException(404, "there is no job of that id")
    return job


async def _stream(parts: Parts, job: GenerationJob) -> AsyncIterator[str]:
    """A watched job costs no thread."""
    last: dict[str, Any] | None = None
    async for status in followed(job, parts.closing, every=FRAME, silence=SILENCE):
        if status is None:
            yield ": still here\n\n"
        elif (now := described(parts, job, status)) != last:
            yield f"event: {'end' if status.ended else 'progress'}\ndata: {json.dumps(now)}\n\n"
            last = now
