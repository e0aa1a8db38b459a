"""`/internal/...`: what A1111's own page and tools beside it ask for. Making images is in `sdapi/`."""

import importlib.metadata
import json
import os
import platform
import time
import zlib
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui import VERSION
from webui.api.body import InvalidBodyError, read_json
from webui.api.described import body_of
from webui.api.jobs import LONGEST_NAME
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.sdapi.dialect.answers import as_base64
from webui.api.sdapi.dialect.coerce import Int, Text
from webui.api.sdapi.dialect.options import OPTIONS, with_a1111_defaults
from webui.api.sdapi.routes.lists import memory
from webui.api.sdapi.routes.settings import shown
from webui.engine.generating import GenerationJob

NO_PREVIEW = -1


class ProgressBody(BaseModel):
    """Which job is asked for, and which preview the client has already."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id_task: Text = ""
    id_live_preview: Int = NO_PREVIEW
    live_preview: bool = True


def routes(parts: Parts) -> Router:
    """Progress of a named job, and what tools show about the server."""
    router = Router(prefix="/internal")
    started = time.time() - psutil.Process(os.getpid()).create_time()

    @router.post("/progress", openapi_extra=body_of(ProgressBody, required=False))
    async def progress(request: Request) -> JSONResponse:
        try:
            body = ProgressBody.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        name = body.id_task[:LONGEST_NAME]
        job = parts.engine.job_of_task(name) or parts.engine.job(name)
        answer = report(parts, job, body)
        if job is None:
            answer["completed"] = await run_in_threadpool(_is_over, parts, name)
        return JSONResponse(answer)

    @router.get("/pending-tasks")
    async def pending_tasks() -> dict[str, Any]:
        tasks = [job.task or job.id for job in parts.engine.queued()]
        return {"size": len(tasks), "tasks": tasks}

    @router.get("/profile-startup")
    def profile_startup() -> dict[str, Any]:
        return {"total": started, "records": {"until the server listened": started}}

    @router.get("/quicksettings-hint")
    def quicksettings_hint() -> list[dict[str, str]]:
        return [{"name": option.key, "label": _label(option.path)} for option in OPTIONS.values()]

    @router.get("/sysinfo")
    def sysinfo() -> Response:
        return Response(_sysinfo(parts), media_type="text/plain; charset=utf-8")

    @router.get("/sysinfo-download")
    def sysinfo_download() -> Response:
        name = time.strftime("sysinfo-%Y-%m-%d-%H-%M.json", time.gmtime())
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(_sysinfo(parts), media_type="application/json", headers=headers)

    return router


def report(parts: Parts, job: GenerationJob | None, body: ProgressBody) -> dict[str, Any]:
    """A1111's object about one job; a job that does not run has no progress, only a place in the queue.

    A preview is sent only where its number is not the one that the client names.
    """
    active = job is not None and job.state == "running"
    queued = job is not None and job.state in ("queued", "held")
    answer: dict[str, Any] = {
        "active": active,
        "queued": queued,
        "completed": job is not None and job.ended,
        "progress": None,
        "eta": None,
        "live_preview": None,
        "id_live_preview": NO_PREVIEW,
        "textinfo": "Waiting...",
    }
    if job is None or not active:
        if queued and job is not None:
            waiting = [one.id for one in parts.engine.queued()]
            place = waiting.index(job.id) + 1 if job.id in waiting else 1
            answer["textinfo"] = job.status.reason or f"In queue: {place}/{max(place, len(waiting))}"
        return answer
    now = job.progress
    count = max(1, now.batches)
    share = now.batch / count + (now.step / now.steps / count if now.steps else 0.0)
    answer |= {"progress": min(share, 1.0), "eta": job.eta(), "textinfo": now.phase}
    preview = job.preview if body.live_preview and parts.previews.are_shown(job.id) else None
    answer["id_live_preview"] = body.id_live_preview
    if preview is not None and (number := zlib.crc32(preview)) != body.id_live_preview:
        answer |= {"id_live_preview": number, "live_preview": f"data:image/jpeg;base64,{as_base64(preview)}"}
    return answer


def _is_over(parts: Parts, name: str) -> bool:
    """Whether a job that is no longer in memory was known by that name, or has that id."""
    queue = parts.engine.queue
    return bool(name) and (queue.record_of_task(name) or queue.record(name)) is not None


def _label(path: str) -> str:
    """`noise.eta_ancestral` -> `Eta ancestral`."""
    return path.rpartition(".")[2].replace("_", " ").capitalize()


def _sysinfo(parts: Parts) -> str:
    """What a bug report needs, as JSON. Neither paths nor the environment: both tell about people."""
    infos = parts.engine.extensions.infos
    told = {
        "Platform": platform.platform(),
        "Python": platform.python_version(),
        "Version": VERSION,
        "CPU": {
            "model": platform.processor() or platform.machine(),
            "count logical": psutil.cpu_count(),
            "count physical": psutil.cpu_count(logical=False),
        },
        "RAM": memory()["ram"],
        "Extensions": [{"name": info.name, "version": info.version} for info in infos if info.state == "ok"],
        "Inactive extensions": [
            {"name": info.name, "version": info.version, "state": info.state} for info in infos if info.state != "ok"
        ],
        "Config": shown(parts, with_a1111_defaults(parts.engine.starting_values())),
        "Packages": sorted(f"{one.name}=={one.version}" for one in importlib.metadata.distributions()),
    }
    return json.dumps(told, indent=2, ensure_ascii=False)
