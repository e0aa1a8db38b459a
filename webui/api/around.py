"""What is put around every answer: how long it took, and packing of long ones. Who may ask is the guard's affair."""

import gzip
import time

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Process-Time"
LONG = 1000  # bytes from which on an answer is packed, as A1111 has it
SLOW = 32 * 1024  # bytes from which on packing is left to a thread: every other request would wait for it
EFFORT = 1  # of 9: pictures in base64, the longest answers, shrink by their quarter at once and by no more after it
PACKED_KINDS = ("text/", "application/json", "application/javascript", "image/svg+xml")
STREAM = "text/event-stream"


def install(app: FastAPI) -> None:
    """Put both around an application."""
    app.add_middleware(Packing)
    app.add_middleware(ProcessTime)


class Packing:
    """Packs (gzip) answers that come in one piece, where the client takes it: neither streams nor picture files."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            await self._app(scope, receive, send)
            return
        head: Message | None = None

        async def packed(message: Message) -> None:
            nonlocal head
            if message["type"] == "http.response.start" and _may_be_packed(Headers(raw=message["headers"])):
                head = message  # how long the body is shows when it comes
                return
            if head is not None:
                begun, head = head, None
                body: bytes = message.get("body", b"")
                if not message.get("more_body", False) and len(body) >= LONG:
                    message = {**message, "body": await _gzipped(body)}
                    headers = MutableHeaders(scope=begun)
                    headers["Content-Encoding"] = "gzip"
                    headers["Content-Length"] = str(len(message["body"]))
                    headers.add_vary_header("Accept-Encoding")
                await send(begun)
            await send(message)

        await self._app(scope, receive, packed)


def _may_be_packed(headers: Headers) -> bool:
    kind = headers.get("content-type", "")
    return kind.startswith(PACKED_KINDS) and not kind.startswith(STREAM) and "content-encoding" not in headers


async def _gzipped(body: bytes) -> bytes:
    if len(body) < SLOW:
        return gzip.compress(body, EFFORT, mtime=0)
    return await run_in_threadpool(gzip.compress, body, EFFORT, mtime=0)


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
