"""Pictures of jobs for the page: files, thumbnails, previews, older ones, and the parameters of a job as text."""

import hashlib
from typing import Annotated

from fastapi import Query
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from webui.api.late_routes import Router
from webui.api.page.history import FIRST, History
from webui.api.page.job_rows import extras_of, source_of, source_url
from webui.api.page.messages import LONGEST_ID, HistoryPage, JobParameters
from webui.api.page.picture_files import PictureFile, PictureFiles, small
from webui.api.page.request_text import text_of
from webui.api.page.viewer import NO_JOB, Viewer, listed_job, viewer_of
from webui.api.parts import Parts
from webui.domain.request import GenerationRequest
from webui.imaging.encoding import file_bytes
from webui.jobs.rows import StoredImage

KEPT = "private, max-age=31536000, immutable"  # another picture has another address
MOST = 200  # pictures in one answer
NO_PICTURE = "there is no such picture any more"


def routes(parts: Parts, files: PictureFiles, history: History) -> Router:
    """`GET` alone. All are answered in threads: files are read, and pictures made small."""
    router = Router()
    overview = parts.engine.overview

    @router.get("/jobs/{job_id}/pictures/{index}")
    def picture(request: Request, job_id: str, index: int) -> Response:
        """The very file that was saved."""
        file = files.of(job_id, index, stored(parts, viewer_of(parts, request), job_id, index))
        if file is None:
            raise HTTPException(404, NO_PICTURE)
        return _file(request, file)

    @router.get("/jobs/{job_id}/pictures/{index}/thumb")
    def thumb(request: Request, job_id: str, index: int) -> Response:
        data = files.thumbnail(job_id, index, stored(parts, viewer_of(parts, request), job_id, index))
        if data is None:
            raise HTTPException(404, NO_PICTURE)
        return _kept(request, data, "image/jpeg")

    @router.get("/jobs/{job_id}/extras/{number}")
    def extra(request: Request, job_id: str, number: int) -> Response:
        """A picture that an extension made beside those of a job in memory."""
        extras = extras_of(listed_job(parts, viewer_of(parts, request), job_id).status)
        if not 0 <= number < len(extras):
            raise HTTPException(404, NO_PICTURE)
        return _kept(request, file_bytes(extras[number], "PNG"), "image/png")

    @router.get("/jobs/{job_id}/source")
    def source(request: Request, job_id: str) -> Response:
        """The picture that a job in memory starts from."""
        given = source_of(listed_job(parts, viewer_of(parts, request), job_id).work)
        if given is None:
            raise HTTPException(404, "this job starts from no picture")
        return Response(given.png, 200, {"Cache-Control": "no-store"}, "image/png")

    @router.get("/jobs/{job_id}/source/thumb")
    def source_thumb(request: Request, job_id: str) -> Response:
        given = source_of(listed_job(parts, viewer_of(parts, request), job_id).work)
        if given is None:
            raise HTTPException(404, "this job starts from no picture")
        return Response(small(given.open()), 200, {"Cache-Control": "private, max-age=60"}, "image/jpeg")

    @router.get("/jobs/{job_id}/preview/{number}")
    def preview(request: Request, job_id: str, number: int) -> Response:
        """The latest estimate, whatever the number, which only tells addresses apart."""
        job = listed_job(parts, viewer_of(parts, request), job_id)
        latest = job.preview if parts.previews.are_shown(job_id) else None
        if latest is None:  # the picture itself has come in the meantime, which is no fault of who asked
            return Response(None, 204, {"Cache-Control": "no-store"})
        return Response(latest, 200, {"Cache-Control": "no-store"}, "image/jpeg")

    @router.get("/history")
    def older(
        request: Request,
        before: Annotated[str, Query(max_length=LONGEST_ID)] = "",
        limit: Annotated[int, Query(ge=1, le=MOST)] = FIRST,
    ) -> HistoryPage:
        """Pictures that are older than one, which is named by its id; the newest first."""
        return history.newest(viewer_of(parts, request).only, before=before, limit=limit)

    @router.get("/jobs/{job_id}/parameters")
    def parameters(request: Request, job_id: str) -> JobParameters:
        """What fills a form so that it asks for the same again."""
        viewer = viewer_of(parts, request)
        job = overview.find(job_id)
        if job is not None and viewer.sees(job.owner):
            work = job.work if isinstance(job.work, GenerationRequest) else None
            made = min(job.images, key=lambda image: image.index, default=None)
            text = made.infotext if made is not None else text_of(work, parts.engine.library) if work else ""
            return _parameters(text, job.id, work, has_merged=made is not None)
        record = parts.engine.queue.record(job_id)
        if record is None or not viewer.sees(record.owner):
            raise HTTPException(404, NO_JOB)
        return JobParameters(text=record.pictures[0].infotext if record.pictures else "")

    return router


def _parameters(text: str, job_id: str, work: GenerationRequest | None, *, has_merged: bool) -> JobParameters:
    """`has_merged`: the text is that of a picture, so that its prompts contain the styles."""
    if work is None:
        return JobParameters(text=text)
    return JobParameters(
        text=text, batch_size=work.batch_size, n_iter=work.n_iter, styles=() if has_merged else work.styles,
        source=source_url(job_id).removesuffix("/thumb") if source_of(work) is not None else None,
    )  # fmt: skip


def stored(parts: Parts, viewer: Viewer, job_id: str, index: int) -> StoredImage | None:
    """What the database knows of a picture that the viewer may see. Raises HTTPException (404)."""
    overview = parts.engine.overview
    job = overview.find(job_id)
    if not viewer.sees_all:
        owner = job.owner if job is not None else overview.owner_of_ended(job_id)
        if owner is None or not viewer.sees(owner):
            raise HTTPException(404, NO_PICTURE)
    return overview.picture(job_id, index)


def _file(request: Request, file: PictureFile) -> Response:
    if file.path is None:
        return _kept(request, file.data, file.media_type)
    try:
        facts = file.path.stat()
    except OSError:
        raise HTTPException(404, NO_PICTURE) from None
    tag = _tag(f"{facts.st_mtime_ns}-{facts.st_size}".encode())
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, _headers(tag))
    return FileResponse(
        file.path, 200, _headers(tag), file.media_type,
        filename=file.path.name, content_disposition_type="inline",
    )  # fmt: skip


def _kept(request: Request, data: bytes, media_type: str) -> Response:
    tag = _tag(data)
    if tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, _headers(tag))
    return Response(data, 200, _headers(tag), media_type)


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _headers(tag: str) -> dict[str, str]:
    return {"Cache-Control": KEPT, "ETag": tag}
