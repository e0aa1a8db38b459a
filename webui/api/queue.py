"""The queue as users order it: list, move, hold, retry, change, delete, clear, pause. `jobs.py` starts jobs."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.described import body_of
from webui.api.jobs import described, job_of, told
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.domain.request import GenerationRequest
from webui.engine.generating import GenerationJob
from webui.engine.job_queue import MOST_PRIORITY, JobQueue

FARTHEST = 100_000


class JobChange(BaseModel):
    """What is to be changed about a job that waits or is held; what is left out stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request: GenerationRequest | None = Field(None, description="what it is to make instead; before it made anything")
    priority: int | None = Field(None, ge=-MOST_PRIORITY, le=MOST_PRIORITY, description="more goes first; 0 is usual")
    place: int | None = Field(None, ge=0, le=FARTHEST, description="among those that do not run, counted from 0")
    move: int | None = Field(None, ge=-FARTHEST, le=FARTHEST, description="so many places back; negative: forward")
    held: bool | None = Field(None, description="true: it is not begun; false: it has its turn again")


class QueueChange(BaseModel):
    """Whether further jobs are begun."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    paused: bool
    reason: str = Field("", max_length=300, description="shown to everybody whose job waits")


def routes(parts: Parts) -> Router:
    """The list and the operations."""
    router = Router()
    queue = parts.engine.queue

    @router.get("/api/queue")
    def state() -> dict[str, Any]:
        return _state(queue)

    @router.patch("/api/queue", openapi_extra=body_of(QueueChange, required=False))
    async def change_queue(request: Request) -> JSONResponse:
        """Pause, or go on. One that is paused by a fault looks whether the fault is gone."""
        wanted = await _read(request, QueueChange)
        if wanted.paused:
            await run_in_threadpool(queue.pause, *([wanted.reason] if wanted.reason else []))
        else:
            await run_in_threadpool(queue.resume)
        return JSONResponse(_state(queue))

    @router.get("/api/jobs")
    def listed(
        limit: Annotated[int, Query(ge=0, le=200)] = 50, before: Annotated[int | None, Query(ge=0)] = None
    ) -> dict[str, Any]:
        """All that have not ended, in their order, and a page of those that have, the newest first."""
        ended = queue.ended(limit=limit, before=before)
        return {
            "queue": _state(queue),
            "jobs": [] if before is not None else [described(parts, job) for job in queue.jobs()],
            "ended": [told(record) for record in ended],
            "before": ended[-1].seq if ended else None,
        }

    @router.patch("/api/jobs/{job_id}", openapi_extra=body_of(JobChange, required=False))
    async def change(request: Request, job_id: str) -> JSONResponse:
        job, wanted = job_of(parts, job_id), await _read(request, JobChange)
        await run_in_threadpool(_change, queue, job, wanted)
        return JSONResponse(described(parts, job))

    @router.post("/api/jobs/{job_id}/retry")
    async def retry(request: Request, job_id: str) -> JSONResponse:
        """Let a held job have its turn. One that failed or was cancelled is sent again, as another job."""
        await drain(request)
        job = job_of(parts, job_id)
        if job.state in ("failed", "cancelled"):
            job = await run_in_threadpool(parts.engine.submit, job.work, save=job.save, owner=job.owner)
        else:
            await run_in_threadpool(queue.retry, job)
        return JSONResponse({"id": job.id, "state": job.state})

    @router.delete("/api/jobs/{job_id}")
    async def delete(request: Request, job_id: str) -> JSONResponse:
        """Forget a job that does not run. Its pictures stay in their files."""
        await drain(request)
        if await run_in_threadpool(queue.record, job_id) is None:
            raise HTTPException(404, "there is no job of that id")
        await run_in_threadpool(queue.delete, job_id)
        return JSONResponse({"id": job_id})

    @router.delete("/api/jobs")
    async def clear(request: Request, which: Literal["waiting", "held", "ended"]) -> JSONResponse:
        """Forget all jobs of a kind; pictures stay in their files."""
        await drain(request)
        await run_in_threadpool(queue.clear, which)
        return JSONResponse(_state(queue))

    return router


def _change(queue: JobQueue, job: GenerationJob, wanted: JobChange) -> None:
    """The request first: where it is refused, nothing else is changed."""
    if wanted.request is not None:
        queue.edit(job, wanted.request)
    if wanted.priority is not None:
        queue.prioritise(job, wanted.priority)
    if wanted.place is not None:
        queue.move(job, wanted.place)
    if wanted.move is not None:
        queue.move_by(job, wanted.move)
    if wanted.held is True:
        queue.hold(job)
    elif wanted.held is False:
        queue.retry(job)


def _state(queue: JobQueue) -> dict[str, Any]:
    now = queue.state()
    return {
        "paused": now.is_paused, "reason": now.reason, "running": now.running, "waiting": now.waiting, "held": now.held,
    }  # fmt: skip


async def _read(request: Request, kind: type[Any]) -> Any:
    try:
        return kind.model_validate(await read_json(request))
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None
