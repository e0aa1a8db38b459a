"""The native API: jobs that a client starts, watches and fetches by id. A1111's shapes stand in `sdapi/`."""

import asyncio
import json
import re
import time
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
from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.jobs.job import Job

LOOK = 0.2  # seconds between two looks at a watched job
SILENCE = 15.0  # seconds after which a comment keeps a quiet stream open
ENDED = ("done", "failed", "cancelled")
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def routes(parts: Parts) -> APIRouter:
    """Start, look, watch, fetch, cancel."""
    router = APIRouter(prefix="/api/jobs")
    engine = parts.engine
    schema = {"requestBody": {"content": {"application/json": {"schema": GenerationRequest.model_json_schema()}}}}

    @router.post("", openapi_extra=schema)
    async def start(request: Request, save: bool = True, id: str | None = None) -> JSONResponse:
        """Start a job. The same `id` sent twice is one job, so a client may safely try again."""
        parts.refuse_when_closing()
        if id is not None and not JOB_ID.fullmatch(id):
            raise InvalidBodyError([(("query", "id"), "1 to 64 letters, digits, _ or -", "value_error")])
        try:
            wanted = GenerationRequest.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        job = await run_in_threadpool(engine.submit, wanted, save=save, job_id=id)
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


def described(job: Job) -> dict[str, Any]:
    """A job as JSON."""
    now = job.progress
    return {
        "id": job.id,
        "state": job.state,
        "position": job.position,
        "progress": {
            "phase": now.phase,
            "fraction": now.fraction,
            "step": now.step,
            "steps": now.steps,
            "batch": now.batch,
            "batches": now.batches,
        },
        "eta": job.eta(),
        "images": len(job.images),
        "error": _error(job),
    }


def _error(job: Job) -> str | None:
    """Why a job failed, in its own words where it is an expected failure."""
    if job.state != "failed":
        return None
    try:
        job.result(timeout=0)
    except WebuiError as error:
        return str(error)
    except Exception as error:  # a bug: its traceback is in the log of the worker
        return f"unexpected error ({type(error).__name__}); see the server's log"
    return None


def _job(parts: Parts, job_id: str) -> Job:
    job = parts.engine.job(job_id)
    if job is None:
        raise HTTPException(404, "there is no job of that id")
    return job


async def _stream(parts: Parts, job: Job) -> AsyncIterator[str]:
    """Look often rather than block in `job.watch`: a watched job costs no thread."""
    last: dict[str, Any] | None = None
    spoken = time.monotonic()
    while True:
        now = described(job)
        ended = now["state"] in ENDED
        if now != last:
            yield f"event: {'end' if ended else 'progress'}\ndata: {json.dumps(now)}\n\n"
            last, spoken = now, time.monotonic()
        elif time.monotonic() - spoken > SILENCE:
            yield ": still here\n\n"
            spoken = time.monotonic()
        if ended or parts.closing.is_set():
            return
        await asyncio.sleep(LOOK)
