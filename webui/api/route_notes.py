"""What each route answers, and under which heading it stands: the table that `/openapi.json` is completed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from webui.api import answer_models as a
from webui.api import list_models as lists
from webui.api.sdapi.dialect.models import PngInfoBody

Answer = type[BaseModel] | list[type[BaseModel]] | str  # a model, a list of one, a media type


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a route.

    Attributes:
        answer: of the status 200.
        body: what it reads, where it does so by hand.
        errors: further statuses beside those that every route may answer with.
        example: of a body.
        alike: statuses whose answer has the form of a right one.
    """

    tag: str
    answer: Answer
    body: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()
    example: Any = None
    alike: tuple[int, ...] = ()


GENERATION, SETTINGS, LISTS, JOBS, EXTENSIONS, SERVER, PAGE = (
    "generation", "settings", "lists", "jobs", "extensions", "server", "page",
)  # fmt: skip
WORK = (404, 500, 503)  # an unknown checkpoint, a failure, a full queue
SD = "/sdapi/v1"

NOTES: Mapping[tuple[str, str], Note] = MappingProxyType(
    {
        ("post", f"{SD}/txt2img"): Note(
            GENERATION, a.GenerationAnswer, None, WORK, {"prompt": "a cat", "steps": 20, "width": 512, "height": 512}
        ),
        ("post", f"{SD}/img2img"): Note(
            GENERATION,
            a.GenerationAnswer,
            None,
            WORK,
            {"prompt": "a cat", "init_images": ["<base64>"], "denoising_strength": 0.6},
        ),
        ("post", f"{SD}/extra-single-image"): Note(
            GENERATION, a.ExtraSingleAnswer, None, WORK, {"image": "<base64>", "upscaler_1": "Lanczos"}
        ),
        ("post", f"{SD}/extra-batch-images"): Note(
            GENERATION,
            a.ExtraBatchAnswer,
            None,
            WORK,
            {"imageList": [{"data": "<base64>", "name": "a.png"}], "upscaler_1": "Lanczos"},
        ),
        ("post", f"{SD}/png-info"): Note(GENERATION, a.PngInfoAnswer, PngInfoBody, (400,), {"image": "<base64>"}),
        ("post", f"{SD}/interrogate"): Note(GENERATION, a.Caption, None, (404,), {"image": "<base64>"}),
        ("get", f"{SD}/progress"): Note(GENERATION, a.ProgressAnswer),
        ("post", f"{SD}/interrupt"): Note(GENERATION, a.Empty),
        ("post", f"{SD}/skip"): Note(GENERATION, a.Nothing),
        ("get", f"{SD}/options"): Note(SETTINGS, a.Options),
        ("post", f"{SD}/options"): Note(
            SETTINGS, a.Nothing, a.Options, WORK, {"sd_model_checkpoint": "model.safetensors"}
        ),
        ("get", f"{SD}/cmd-flags"): Note(SETTINGS, a.Options),
        ("get", f"{SD}/samplers"): Note(LISTS, [lists.Sampler]),
        ("get", f"{SD}/schedulers"): Note(LISTS, [lists.Scheduler]),
        ("get", f"{SD}/upscalers"): Note(LISTS, [lists.Upscaler]),
        ("get", f"{SD}/latent-upscale-modes"): Note(LISTS, [lists.NamedOnly]),
        ("get", f"{SD}/realesrgan-models"): Note(LISTS, [lists.RealesrganModel]),
        ("get", f"{SD}/sd-models"): Note(LISTS, [lists.SdModel]),
        ("get", f"{SD}/sd-vae"): Note(LISTS, [lists.Vae]),
        ("get", f"{SD}/prompt-styles"): Note(LISTS, [lists.PromptStyle]),
        ("get", f"{SD}/embeddings"): Note(LISTS, lists.Embeddings),
        ("get", f"{SD}/loras"): Note(LISTS, [lists.Lora]),
        ("get", f"{SD}/hypernetworks"): Note(LISTS, [lists.NamedFile]),
        ("get", f"{SD}/memory"): Note(LISTS, lists.MemoryAnswer),
        ("get", f"{SD}/scripts"): Note(LISTS, lists.Scripts),
        ("get", f"{SD}/script-info"): Note(LISTS, [lists.ScriptInfo]),
        ("get", f"{SD}/extensions"): Note(LISTS, [lists.ListedExtension]),
        ("post", f"{SD}/refresh-checkpoints"): Note(LISTS, a.Nothing),
        ("post", f"{SD}/refresh-vae"): Note(LISTS, a.Nothing),
        ("post", f"{SD}/refresh-embeddings"): Note(LISTS, a.Nothing),
        ("post", f"{SD}/refresh-loras"): Note(LISTS, a.Nothing),
        ("post", f"{SD}/unload-checkpoint"): Note(SERVER, a.Empty, None, (500,)),
        ("post", f"{SD}/reload-checkpoint"): Note(SERVER, a.Empty, None, WORK),
        ("post", f"{SD}/server-stop"): Note(SERVER, "text/plain"),
        ("post", f"{SD}/server-kill"): Note(SERVER, a.Nothing),
        ("post", f"{SD}/server-restart"): Note(SERVER, a.Nothing, None, (501,)),
        ("post", "/internal/progress"): Note(PAGE, a.TaskProgress),
        ("get", "/internal/pending-tasks"): Note(PAGE, a.PendingTasks),
        ("get", "/internal/profile-startup"): Note(PAGE, a.Options),
        ("get", "/internal/quicksettings-hint"): Note(PAGE, [a.Hint]),
        ("get", "/internal/sysinfo"): Note(PAGE, "text/plain"),
        ("get", "/internal/sysinfo-download"): Note(PAGE, "application/json"),
        ("get", "/internal/ping"): Note(SERVER, a.Empty),
        ("get", "/health"): Note(SERVER, a.State),
        ("get", "/ready"): Note(SERVER, a.State, alike=(503,)),
        ("get", "/sd_extra_networks/thumb"): Note(PAGE, "image/jpeg", None, (404,)),
        ("get", "/sd_extra_networks/cover-images"): Note(PAGE, "image/jpeg", None, (404,)),
        ("get", "/sd_extra_networks/metadata"): Note(PAGE, a.NetworkMetadata),
        ("get", "/sd_extra_networks/get-single-card"): Note(PAGE, a.CardHtml),
        ("post", "/api/jobs"): Note(JOBS, a.JobMade, None, WORK, {"prompt": "a cat", "steps": 20}),
        ("get", "/api/jobs"): Note(JOBS, a.JobsAnswer),
        ("delete", "/api/jobs"): Note(JOBS, a.QueueAnswer),
        ("post", "/api/batches"): Note(
            JOBS, a.BatchAnswer, None, (*WORK, 403), {"folder": "/pictures", "request": {"prompt": "a cat"}}
        ),
        ("get", "/api/batches"): Note(JOBS, [a.BatchAnswer]),
        ("get", "/api/batches/{batch_id}"): Note(JOBS, a.BatchAnswer, None, (404,)),
        ("post", "/api/batches/{batch_id}/cancel"): Note(JOBS, a.BatchAnswer, None, (404,)),
        ("post", "/api/memory"): Note(JOBS, a.OutlookAnswer, None, WORK, {"width": 1024, "height": 1024}),
        ("get", "/api/queue"): Note(JOBS, a.QueueAnswer),
        ("patch", "/api/queue"): Note(JOBS, a.QueueAnswer, None, (), {"paused": True}),
        ("get", "/api/jobs/{job_id}"): Note(JOBS, a.JobAnswer, None, (404,)),
        ("patch", "/api/jobs/{job_id}"): Note(JOBS, a.JobAnswer, None, (*WORK, 409), {"priority": 1}),
        ("delete", "/api/jobs/{job_id}"): Note(JOBS, a.JobDeleted, None, (404, 409)),
        ("post", "/api/jobs/{job_id}/retry"): Note(JOBS, a.JobMade, None, (*WORK, 409)),
        ("post", "/api/jobs/{job_id}/cancel"): Note(JOBS, a.JobMade, None, (404,)),
        ("get", "/api/jobs/{job_id}/events"): Note(JOBS, "text/event-stream", None, (404,)),
        ("get", "/api/jobs/{job_id}/images/{number}"): Note(JOBS, "image/png", None, (404,)),
        ("post", "/api/extensions/{extension}/actions/{action}"): Note(EXTENSIONS, a.Open, a.Options, WORK),
        ("get", "/api/actions/{job_id}"): Note(JOBS, a.JobAnswer, None, (404,)),
        ("post", "/api/actions/{job_id}/cancel"): Note(JOBS, a.JobMade, None, (404,)),
        ("get", "/api/actions/{job_id}/images/{number}"): Note(JOBS, "image/png", None, (404,)),
        ("post", "/v1/images/generations"): Note(GENERATION, a.ImagesAnswer, None, WORK),
        ("post", "/v1/images/edits"): Note(GENERATION, a.ImagesAnswer, None, WORK),
        ("post", "/controlnet/render_openpose_json"): Note(EXTENSIONS, a.Maps),
    }
)

# Routes that are in no row: by the beginning of their path.
HEADINGS: tuple[tuple[str, str], ...] = (
    ("/api/jobs", JOBS), ("/api/batches", JOBS), ("/api/memory", JOBS), ("/api/actions", JOBS),
    ("/api/extensions", EXTENSIONS), ("/controlnet", EXTENSIONS),
    ("/internal", PAGE), ("/sd_extra_networks", PAGE), (SD, LISTS), ("/v1", GENERATION),
)  # fmt: skip


def heading_of(path: str) -> str:
    """The heading of a route that has no row."""
    return next((heading for start, heading in HEADINGS if path.startswith(start)), SERVER)
