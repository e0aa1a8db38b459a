"""Waiting for a job on behalf of a client, without holding a thread, and giving it up when the client goes."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from webui.domain.result import GenerationResult
from webui.jobs.job import Job

LOOK = 0.2  # seconds between two looks at the connection


async def finished(job: Job, request: Request) -> GenerationResult:
    """The job's result.

    Raises:
        ClientDisconnect: the client hung up; the job is cancelled.
        WebuiError: the job failed or was cancelled.
    """
    waiting = asyncio.ensure_future(job.wait())
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=LOOK)
            if not waiting.done() and await request.is_disconnected():
                raise ClientDisconnect
        return waiting.result()
    finally:
        if not waiting.done():  # the client has gone or the server stops: nobody wants the picture
            waiting.cancel()
            job.cancel()
