"""What is put around every answer: how long it took, and packing of long ones. Who may ask is the guard's affair."""

import time

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Process-Time"
LONG = 1000  # bytes from which on an answer is packed, as A1111 has it
EFFORT = 1  # of 9: pictures in base64, the longest answers, shrink by their quarter at once and by no more after it


def install(app: FastAPI) -> None:
    """Put both around an application. Pictures and event streams are left unpacked by the middleware's own list."""
    app.add_middleware(GZipMiddleware, minimum_size=LONG, compresslevel=EFFORT)
    app.add_middleware(ProcessTime)


class ProcessTime:
    """Adds the header that A1111 sends: seconds until the answer began, with 4 decimals."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = f"{time.perf_counter() - began:.4f}"
            await send(message)

        await self._app(scope, receive, timed)
