"""Lists: models, samplers, schedules, upscalers, and what the machine has."""

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import psutil
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import drain
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.domain.catalog import SAMPLERS, SCHEDULES, SamplerInfo, sampler_facts
from webui.domain.extensions import SAMPLER
from webui.domain.hires import LATENT_UPSCALERS
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.upscaler_scale import scale_of
from webui.library.upscalers import shown_name, upscaler_names

PATIENCE = 3.0  # seconds that the driver's program may take
SCALE = 4.0  # what A1111 says of those without a network, which reach any


def routes(parts: Parts) -> Router:
    """Everything that only lists."""
    router = Router(prefix="/sdapi/v1")
    library = parts.engine.library

    @router.get("/sd-models")
    def sd_models() -> list[dict[str, Any]]:
        return [_model(library, file) for file in library.checkpoints() if file.usable]

    @router.get("/sd-vae")
    def sd_vae() -> list[dict[str, str]]:
        return [{"model_name": file.path.name, "filename": str(file.path)} for file in library.vaes() if file.usable]

    @router.get("/prompt-styles")
    def prompt_styles() -> list[dict[str, str]]:
        return [
            {"name": style.name, "prompt": style.prompt, "negative_prompt": style.negative_prompt}
            for style in parts.styles().values()
        ]

    @router.get("/samplers")
    def samplers() -> list[dict[str, Any]]:
        further = parts.engine.extensions.tools(SAMPLER)
        every = [sampler_facts(label) for label in dict.fromkeys((*SAMPLERS, *further))]
        return [{"name": one.label, "aliases": list(one.aliases), "options": _sampler_options(one)} for one in every]

    router.add_api_route("/schedulers", schedulers)

    @router.get("/upscalers")
    def upscalers() -> list[dict[str, Any]]:
        files = {shown_name(file): file for file in library.upscalers() if file.usable}
        return [_upscaler(name, files.get(name)) for name in upscaler_names(library)]

    @router.get("/realesrgan-models")
    def realesrgan_models() -> list[dict[str, Any]]:
        files = [file for file in library.upscalers() if file.usable and "RealESRGAN" in file.path.parts]
        return [{"name": shown_name(file), "path": str(file.path), "scale": scale_of(file.path)} for file in files]

    router.add_api_route("/latent-upscale-modes", latent_upscale_modes)
    router.add_api_route("/memory", memory)
    for name in ("refresh-checkpoints", "refresh-vae", "refresh-embeddings", "refresh-loras"):
        router.add_api_route(f"/{name}", _refresher(library.refresh), methods=["POST"], operation_id=name)
    return router


def schedulers() -> list[dict[str, Any]]:
    """Every schedule, in the order of the list."""
    return [
        {
            "name": schedule.name,
            "label": schedule.label,
            "aliases": list(schedule.aliases) or None,
            "default_rho": schedule.default_rho,
            "need_inner_model": schedule.needs_model,
        }
        for schedule in SCHEDULES.values()
    ]


def _upscaler(name: str, file: ModelFile | None) -> dict[str, Any]:
    """One upscaler; `file` is None for those without a model."""
    path = str(file.path) if file else None
    scale = scale_of(file.path) if file else SCALE
    return {"name": name, "model_name": None, "model_path": path, "model_url": None, "scale": scale}


def latent_upscale_modes() -> list[dict[str, str]]:
    """Ways to enlarge latents."""
    return [{"name": name} for name in LATENT_UPSCALERS]


def memory() -> dict[str, Any]:
    """RAM in bytes; accelerators belong to the worker process."""
    whole = psutil.virtual_memory()
    own = psutil.Process(os.getpid())
    used = sum(map(_memory_of, (own, *own.children(recursive=True))))
    return {
        "ram": {"free": whole.available, "used": used, "total": whole.total},
        "cuda": _card_memory() or {"error": "unavailable"},
    }


def _card_memory() -> dict[str, Any] | None:
    """Bytes of the first NVIDIA card as its driver tells them; None where there is none.

    What the worker's allocator holds is not known here, so the card's own numbers stand alone.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=memory.free,memory.used,memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
        free, used, total = (int(number) * 2**20 for number in told.splitlines()[0].split(","))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return {"system": {"free": free, "used": used, "total": total}}


def _memory_of(process: psutil.Process) -> int:
    """Bytes; of what several processes share (a worker and the one that it was forked from) a part each, on Linux."""
    try:
        told = process.memory_full_info()
        return int(getattr(told, "pss", told.rss))
    except psutil.Error:  # it has ended meanwhile
        return 0


def _refresher(refresh: Callable[[], object]) -> Callable[[Request], Any]:
    async def refreshed(request: Request) -> JSONResponse:
        await drain(request)
        await run_in_threadpool(refresh)
        return JSONResponse(None)

    return refreshed


def _model(library: ModelLibrary, file: ModelFile) -> dict[str, Any]:
    sha256 = library.known_sha256(file)
    sidecar = file.path.with_suffix(".yaml")
    return {
        "title": library.title(file),
        "model_name": file.model_name,
        "hash": sha256[:10] if sha256 else None,
        "sha256": sha256,
        "filename": str(file.path),
        "config": str(sidecar) if sidecar.is_file() else None,
    }


def _sampler_options(sampler: SamplerInfo) -> dict[str, str]:
    flags = {
        "scheduler": sampler.schedule.lower(),
        "second_order": "True" if sampler.second_order else "",
        "brownian_noise": "True" if sampler.brownian else "",
        "uses_ensd": "True" if sampler.uses_ensd else "",
        "discard_next_to_last_sigma": "True" if sampler.discards_penultimate else "",
    }
    return {name: text for name, text in flags.items() if text}
