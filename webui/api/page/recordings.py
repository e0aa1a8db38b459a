"""`internal/page/recordings/...`: what actions of extensions record while they run, and which of them are there.

Everybody gets the recordings of the jobs that they see.
"""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webui.api.late_routes import Router
from webui.api.page.viewer import listed_job, viewer_of
from webui.api.parts import Parts
from webui.domain.extensions import ActionCall
from webui.jobs.job import AnyJob

PREFIX = "/internal/page/recordings"
MOST_ENDED = 30
PNG = b"\x89PNG\r\n\x1a\n"


def routes(parts: Parts) -> Router:
    """The routes."""
    router = Router(prefix=PREFIX, include_in_schema=False)
    overview = parts.engine.overview

    @router.get("/of/{extension}/{action}")
    def jobs(request: Request, extension: str, action: str) -> list[dict[str, Any]]:
        """The jobs that do this action: those that run or wait first, then those that ended, the newest first."""
        viewer = viewer_of(parts, request)
        there: tuple[AnyJob, ...] = (*overview.line(), *overview.ended(MOST_ENDED))
        return [
            {"id": job.id, "state": job.state, "parts": len(parts.engine.recordings.of(job.id))}
            for job in there
            if isinstance(job.work, ActionCall)
            and (job.work.extension, job.work.action) == (extension, action)
            and viewer.sees(job.owner)
        ]

    @router.get("/{job}")
    def recording(request: Request, job: str) -> dict[str, int]:
        """The names of the parts, each with its bytes."""
        listed_job(parts, viewer_of(parts, request), job)
        return {name: len(data) for name, data in parts.engine.recordings.of(job).items()}

    @router.get("/{job}/{part}")
    def one_part(request: Request, job: str, part: str) -> Response:
        """A part as it was recorded last. A PNG is told to be one; everything else is JSON or bytes."""
        listed_job(parts, viewer_of(parts, request), job)
        data = parts.engine.recordings.of(job).get(part)
        if data is None:
            raise HTTPException(404, f"the recording has no part {part[:40]!r}")
        if data.startswith(PNG):
            return Response(data, 200, {"Cache-Control": "private, max-age=3600"}, "image/png")
        kind = "application/json" if data[:1] in (b"{", b"[") else "application/octet-stream"
        return Response(data, 200, {"Cache-Control": "no-store"}, kind)

    return router
