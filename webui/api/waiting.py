"""Waiting for a job on behalf of a client, without holding a thread, and giving it up when the client goes."""

import asyncio
from typing import Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request

LOOK = 0.2  # seconds between two looks at the connection

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Waited(Protocol[T_co]):
    """A job of either kind: one that makes pictures, or an extension's action."""

    async def wait(self) -> T_co: ...
    def cancel(self) -> None: ...


async def finished(job: Waited[T], request: Request) -> T:
    """What the job comes to.

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
