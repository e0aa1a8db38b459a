"""Following a job on behalf of a client without holding a thread, and giving it up when the client goes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from webui.domain.errors import BackUnavailableError, WorkerDiedError
from webui.jobs.job import Job, JobStatus
from webui.jobs.kind import ProgressT, ResultT, WorkT
from webui.jobs.watched import Flag


async def finished(job: Job[WorkT, ProgressT, ResultT], request: Request) -> ResultT:
    """What the job comes to.

    A client that hangs up, or that is answered because the job does not go on by itself, cancels the job, unless its
    pictures are saved: then somebody may come for them.

    Raises:
        ClientDisconnect: the client hung up.
        WorkerDiedError: the job is held.
        BackUnavailableError: the queue is paused by a fault.
        WebuiError: the job failed or was cancelled.
    """
    ending = asyncio.ensure_future(_outcome(job))
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({ending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            return ending.result()
        leaving.result()
        raise ClientDisconnect
    finally:
        leaving.cancel()
        ending.cancel()
        if not (job.ended or job.save):  # the client has gone or the server stops: nobody wants the picture
            job.cancel()


async def _outcome(job: Job[WorkT, ProgressT, ResultT]) -> ResultT:
    now = await job.over()
    if now.ended:
        return await job.wait()
    raise WorkerDiedError(now.reason) if now.state == "held" else BackUnavailableError(now.reason)


async def followed(
    job: Job[WorkT, ProgressT, ResultT], closing: Flag, *, every: float, silence: float
) -> AsyncIterator[JobStatus[ProgressT, ResultT] | None]:
    """The job's changes until it or the server ends; None where there was none for a while.

    Args:
        every: see `Job.changes`.
        silence: seconds after which None is given.
    """
    changes = job.changes(every=every)
    stopping = asyncio.ensure_future(closing.wait())
    coming = asyncio.ensure_future(anext(changes, None))
    try:
        yield await coming
        while not closing.is_set():
            if coming.done():
                coming = asyncio.ensure_future(anext(changes, None))
            await asyncio.wait({coming, stopping}, timeout=silence, return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                if not stopping.done():
                    yield None
            elif (now := coming.result()) is not None:
                yield now
            else:
                return
    finally:
        stopping.cancel()
        coming.cancel()
        with suppress(asyncio.CancelledError):
            await coming


async def _gone(request: Request) -> None:
    """Until the client has hung up. Its body was read before; what may be left of it has no meaning."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
