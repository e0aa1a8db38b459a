"""Files that never change, packed (gzip) once for all who ask: packing them anew for each visitor costs more than
everything else that the server does for an opening of the page.
"""

import gzip
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

FOR_EVER = "public, max-age=31536000, immutable"
EFFORT = 9  # of 9: it is done once
TEXTS = ("text/", "application/json", "image/svg+xml")


class PackedFiles:
    """Remembers what it has packed, as long as it lives; so it is only for files of a fixed, small set."""

    def __init__(self) -> None:
        self._packed: dict[str, bytes] = {}

    async def answer(self, request: Request, name: str, read: Callable[[], bytes], media_type: str) -> Response:
        """The answer with a file.

        Args:
            name: tells the file from all others that this object answers with.
            read: gives its bytes; called in a thread, and not again once they are packed.
        """
        headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        packs = media_type.startswith(TEXTS) and "gzip" in request.headers.get("accept-encoding", "")
        if not packs:
            return Response(await run_in_threadpool(read), media_type=media_type, headers=headers)
        if name not in self._packed:
            self._packed[name] = await run_in_threadpool(_pack, read)
        return Response(self._packed[name], media_type=media_type, headers={**headers, "Content-Encoding": "gzip"})


def _pack(read: Callable[[], bytes]) -> bytes:
    return gzip.compress(read(), EFFORT, mtime=0)
