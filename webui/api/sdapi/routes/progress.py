"""`GET /sdapi/v1/progress`: where the running job stands, in A1111's numbers."""

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from starlette.responses import JSONResponse

from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.sdapi.dialect.answers import as_base64
from webui.engine.generating import GenerationJob
from webui.engine.one_by_one import ExperimentProgress

JOBS: Mapping[str, str] = MappingProxyType(  # A1111's names of the kinds of job
    {"txt2img": "scripts_txt2img", "img2img": "scripts_img2img", "upscale": "extras"}
)


def routes(parts: Parts) -> Router:
    """Progress of the current job."""
    router = Router()

    @router.get("/sdapi/v1/progress")
    async def progress(skip_current_image: bool = False) -> JSONResponse:
        # Many clients ask this several times a second, and it waits for nothing: a thread for each would cost more.
        # A1111 does one job at a time, so its clients can be told of one: the first of those that run.
        job = parts.engine.current()
        experiments = parts.engine.experiments()
        experiment = next((one for one in experiments if job is None or one.progress.job_id == job.id), None)
        with_image = not skip_current_image and job is not None and parts.previews.are_shown(job.id)
        told = report(job, with_image=with_image)
        return JSONResponse(told if experiment is None else _joined(told, experiment.progress))

    return router


def report(job: GenerationJob | None, *, with_image: bool) -> dict[str, Any]:
    """A1111's progress object. Idle is exactly progress 0 with job_count 0: clients test for that."""
    if job is None:
        return {
            "progress": 0.0,
            "eta_relative": 0.0,
            "state": _state("", 0, 0, 0, 0),
            "current_image": None,
            "textinfo": None,
        }
    now = job.progress
    count = max(1, now.batches)
    share = 0.01 + now.fraction
    preview = job.preview if with_image else None
    skipped = job.skip_asked is not None and job.skip_asked.batch == now.batch
    state = _state(JOBS.get(job.work.task.kind, ""), count, now.batch, now.step, now.steps)
    return {
        "progress": min(share, 1.0),
        "eta_relative": job.eta() or 0.0,
        "state": {**state, "skipped": skipped, "interrupted": job.stopping},
        "current_image": as_base64(preview) if preview else None,
        "textinfo": now.phase,
    }


def _joined(told: dict[str, Any], whole: ExperimentProgress) -> dict[str, Any]:
    """The progress of one request as a part of that of its experiment."""
    state = {**told["state"], "job_count": whole.count, "job_no": whole.done}
    return {**told, "progress": min(max(whole.fraction, 0.01), 1.0), "state": state}


def _state(name: str, count: int, number: int, step: int, steps: int) -> dict[str, Any]:
    return {
        "skipped": False,
        "interrupted": False,
        "stopping_generation": False,
        "job": name,
        "job_count": count,
        "job_timestamp": time.strftime("%Y%m%d%H%M%S") if count else "0",
        "job_no": number,
        "sampling_step": step,
        "sampling_steps": steps,
    }
