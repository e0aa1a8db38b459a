"""What the page orders: about a job, about the queue, and about whatever its own browser has running.

Other sites cannot send any of this: the guard refuses their requests before they come here.
"""

from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.late_routes import Router
from webui.api.page.messages import ForeverCommand, Message, MoveCommand, PauseCommand
from webui.api.page.viewer import NO_JOB, Viewer, listed_job, viewer_of
from webui.api.parts import Parts
from webui.domain.errors import WrongStateError
from webui.domain.extensions import ActionCall
from webui.engine.experimenting import ExperimentWork
from webui.engine.one_by_one import ExperimentProgress
from webui.jobs.job import AnyJob

NOTHING_OWN = "nothing of this browser is running or waiting"
NOTHING_RUNS = "nothing of this browser is running"

CommandT = TypeVar("CommandT", bound=Message)
Done = dict[str, Any]


def routes(parts: Parts) -> Router:
    """`POST` alone; each is answered with an empty object, or with a sentence that says why nothing was done."""
    router = Router()
    _add_of_one_job(router, parts)
    _add_of_the_queue(router, parts)
    _add_of_ones_own(router, parts)
    return router


def _add_of_one_job(router: Router, parts: Parts) -> None:
    """The orders that name a job."""
    engine, queue = parts.engine, parts.engine.queue

    @router.post("/jobs/{job_id}/cancel")
    async def cancel(request: Request, job_id: str) -> Done:
        """Take it out of the queue, or stop it within a step; does nothing after its end."""
        await drain(request)
        await run_in_threadpool(listed_job(parts, viewer_of(parts, request), job_id).cancel)
        return {}

    @router.post("/jobs/{job_id}/finish")
    async def finish(request: Request, job_id: str) -> Done:
        """Stop it after the pictures that are being made."""
        await drain(request)
        await run_in_threadpool(_finish, listed_job(parts, viewer_of(parts, request), job_id))
        return {}

    @router.post("/jobs/{job_id}/retry")
    async def retry(request: Request, job_id: str) -> Done:
        """Let a held job have its turn; one that failed or was stopped is sent again, as another job."""
        await drain(request)
        parts.refuse_when_closing()
        job = listed_job(parts, viewer_of(parts, request), job_id)
        if not job.ended:
            await run_in_threadpool(queue.retry, job)
        elif isinstance(job.work, ExperimentWork):
            await run_in_threadpool(_go_on, parts, job.work)
        elif (made := engine.job(job_id)) is not None:
            await run_in_threadpool(engine.submit, made.work, save=made.save, owner=made.owner)
        else:
            await run_in_threadpool(engine.start, job.kind, job.work, owner=job.owner)
        return {}

    @router.post("/jobs/{job_id}/move")
    async def move(request: Request, job_id: str) -> Done:
        wanted = await _read(request, MoveCommand)
        viewer = viewer_of(parts, request)
        job = listed_job(parts, viewer, job_id)
        other = listed_job(parts, viewer, wanted.before) if wanted.before is not None else None
        if other is not job:
            await run_in_threadpool(queue.move_before, job, other)
        return {}

    @router.post("/jobs/{job_id}/delete")
    async def delete(request: Request, job_id: str) -> Done:
        """Forget a job that does not run. Its pictures stay in their files."""
        await drain(request)
        job = listed_job(parts, viewer_of(parts, request), job_id)
        if job.is_light and not job.kind.listed:
            raise HTTPException(404, NO_JOB)
        await run_in_threadpool(queue.delete, job.id)
        return {}


def _add_of_the_queue(router: Router, parts: Parts) -> None:
    """The orders about the whole."""
    queue = parts.engine.queue

    @router.post("/queue/pause")
    async def pause(request: Request) -> Done:
        """Begin no further job; those that run go on."""
        wanted = await _read(request, PauseCommand)
        await run_in_threadpool(queue.pause, *([wanted.reason] if wanted.reason else []))
        return {}

    @router.post("/queue/resume")
    async def resume(request: Request) -> Done:
        await drain(request)
        await run_in_threadpool(queue.resume)
        return {}


def _add_of_ones_own(router: Router, parts: Parts) -> None:
    """The orders that never touch the jobs of others."""
    forever = parts.engine.forever

    @router.post("/interrupt")
    async def interrupt(request: Request) -> Done:
        """Stop one's own job that runs, or else take one's newest out of the queue.

        Generating forever, experiments and batches of folders end, too.
        """
        await drain(request)
        viewer = viewer_of(parts, request)
        forever.end(viewer.owner)
        several, own = _own(parts, viewer)
        for job in several:
            await run_in_threadpool(job.cancel)
        running = [job for job in own if job.state == "running"]
        waiting = sorted((job for job in own if job.state == "queued"), key=lambda job: job.created, reverse=True)
        if not (running or waiting or several):
            raise WrongStateError(NOTHING_OWN)
        for job in (running or waiting)[:1]:
            await run_in_threadpool(job.cancel)
        return {}

    @router.post("/skip")
    async def skip(request: Request) -> Done:
        """End the batch in work of one's own job that runs."""
        await drain(request)
        several, own = _own(parts, viewer_of(parts, request))
        running = [job for job in (*own, *several) if job.state == "running"]
        if not running:
            raise WrongStateError(NOTHING_RUNS)
        await run_in_threadpool(_in_work(parts, running[0]).skip)
        return {}

    @router.post("/forever")
    async def generate_forever(request: Request) -> Done:
        """Have the last request of this browser sent again with another seed whenever nothing of it waits."""
        wanted, viewer = await _read(request, ForeverCommand), viewer_of(parts, request)
        if wanted.on:
            parts.refuse_when_closing()
            await run_in_threadpool(forever.begin, viewer.owner)
        else:
            await run_in_threadpool(forever.end, viewer.owner)
        return {}


def _own(parts: Parts, viewer: Viewer) -> tuple[list[AnyJob], list[AnyJob]]:
    """One's own jobs that have others done one after another, and those that wait or run for themselves."""
    overview = parts.engine.overview
    several, alone = ([job for job in jobs if viewer.owns(job.owner)] for jobs in (overview.beside(), overview.line()))
    return several, alone


def _in_work(parts: Parts, job: AnyJob) -> AnyJob:
    """The job itself; of an experiment the one that is a part of it and makes pictures now."""
    progress = job.progress
    part = parts.engine.job(progress.job_id) if isinstance(progress, ExperimentProgress) else None
    return part or job


def _go_on(parts: Parts, work: ExperimentWork) -> None:
    """Make what an experiment has not made."""
    plots = parts.engine.plots
    if (plot := plots.find(work.plot) if work.plot else None) is None:
        raise WrongStateError("this experiment was not kept, so it cannot go on; send it again")
    plots.go_on(plot)


def _finish(job: AnyJob) -> None:
    if isinstance(job.work, ExperimentWork):
        raise WrongStateError("an experiment can only be stopped at once; what is there stays, and it can go on later")
    if isinstance(job.work, ActionCall):
        raise WrongStateError("this job makes no pictures one after another; it can only be stopped at once")
    if job.state != "running":
        raise WrongStateError("this job does not run")
    job.finish()


async def _read(request: Request, kind: type[CommandT]) -> CommandT:
    """The body as an order; an empty one orders what needs no words."""
    body = await read_json(request) if await request.body() else {}
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None
