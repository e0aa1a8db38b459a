"""The native API: jobs that a client starts, watches and fetches by id. A1111's shapes stand in `sdapi/`."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.parts import Parts
from webui.api.waiting import followed
from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, Progress
from webui.engine.generating import GenerationJob
from webui.jobs.job import JobStatus

FRAME = 0.2  # seconds that lie at least between two events of a stream
SILENCE = 15.0  # seconds after which a comment keeps a quiet stream open
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def routes(parts: Parts) -> APIRouter:
    """Start, look, watch, fetch, cancel."""
    router = APIRouter(prefix="/api/jobs")
    engine = parts.engine
    schema = {"requestBody": {"content": {"application/json": {"schema": GenerationRequest.model_json_schema()}}}}

    @router.post("", openapi_extra=schema)
    async def start(
        request: Request, save: bool = True, id: str | None = None, webhook: str | None = None
    ) -> JSONResponse:
        """Start a job. The same `id` sent twice is one job, so a client may safely try again.

        `webhook` is an address that is told of the job's end.
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
        job = await run_in_threadpool(engine.submit, wanted, save=save, job_id=id)
        if webhook is not None:
            parts.webhooks.follow(job, webhook, lambda: described(job))
        return JSONResponse({"id": job.id, "state": job.state}, 201)

    @router.get("/{job_id}")
    def look(job_id: str) -> dict[str, Any]:
        return described(_job(parts, job_id))

    @router.post("/{job_id}/cancel")
    async def cancel(request: Request, job_id: str) -> JSONResponse:
        await drain(request)
        job = _job(parts, job_id)
        await run_in_threadpool(job.cancel)
        return JSONResponse({"id": job.id, "state": job.state})

    @router.get("/{job_id}/events")
    async def events(job_id: str) -> StreamingResponse:
        """Server-sent events: `progress` whenever something changed, `end` at last."""
        job = _job(parts, job_id)
        return StreamingResponse(_stream(parts, job), 200, {"Cache-Control": "no-store"}, "text/event-stream")

    @router.get("/{job_id}/images/{number}")
    def image(job_id: str, number: int) -> Response:
        images = _job(parts, job_id).images
        if not 0 <= number < len(images):
            raise HTTPException(404, f"job {job_id} has {len(images)} images so far; they are counted from 0")
        encoded = parts.encode(images[number])
        return Response(encoded.data, media_type=encoded.media_type)

    return router


def described(job: GenerationJob, status: JobStatus[Progress, GenerationResult] | None = None) -> dict[str, Any]:
    """A job as JSON: as it stands at that moment, which is now where none is given."""
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
        "eta": status.eta(),
        "images": len(status.images),
        "error": _error(status),
    }


def _error(status: JobStatus[Progress, GenerationResult]) -> str | None:
    """Why a job failed, in its own words where it is an expected failure."""
    if status.state != "failed" or status.error is None:
        return None
    if isinstance(status.error, WebuiError):
        return str(status.error)
    return f"unexpected error ({type(status.error).__name__}); see the server's log"  # with the traceback


def _job(parts: Parts, job_id: str) -> GenerationJob:
    job = parts.engine.job(job_id)
    if job is None:
        raise HTTPException(404, "there is no job of that id")
    return job


async def _stream(parts: Parts, job: GenerationJob) -> AsyncIterator[str]:
    """A watched job costs no thread. What no event tells of (a notice) makes none."""
    last: dict[str, Any] | None = None
    async for status in followed(job, parts.closing, every=FRAME, silence=SILENCE):
        if status is None:
            yield ": still here\n\n"
        elif (now := described(job, status)) != last:
            yield f"event: {'end' if status.ended else 'progress'}\ndata: {json.dumps(now)}\n\n"
            last = now
