"""How much uploaded files may take together. Each single upload is bounded by the guard; what is kept, here."""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

QUOTA = 2 * 2**30  # bytes
KEPT = 3600.0  # seconds for which an uploaded file is left alone: a form may still name it
FORM = b"multipart/form-data"


class UploadQuota:
    """Refuses forms once the files in a folder take too much, after the oldest of them were removed."""

    def __init__(self, app: Application, folder: Path, *, quota: int = QUOTA, kept: float = KEPT) -> None:
        self._app = app
        self._folder = folder
        self._quota = quota
        self._kept = kept

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            headers = {name.lower(): value for name, value in scope["headers"]}
            if headers.get(b"content-type", b"").lower().startswith(FORM):
                coming = int(headers.get(b"content-length", b"0") or 0)
                if not await run_in_threadpool(self.has_room, coming):
                    await _refuse(send, self._quota)
                    return
        await self._app(scope, receive, send)

    def has_room(self, coming: int) -> bool:
        """Whether so many bytes more may be kept; removes files that nobody used for long, the oldest first."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.rglob("*"):
            with suppress(OSError):  # it was removed meanwhile
                if path.is_file() and not path.is_symlink():
                    facts = path.stat()
                    files.append((facts.st_mtime, facts.st_size, path))
        used = sum(size for _, size, _ in files)
        for written, size, path in sorted(files):
            if used + coming <= self._quota or time.time() - written < self._kept:
                break
            with suppress(OSError):
                path.unlink()
                used -= size
        return used + coming <= self._quota


async def _refuse(send: Send, quota: int) -> None:
    detail = f"uploaded files take more than {quota / 2**20:g} MiB together; wait, or start the program again"
    body = json.dumps({"error": "HTTPException", "detail": detail, "body": "", "errors": ""}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": head})
    await send({"type": "http.response.body", "body": body})
