"""`POST /api/memory`, and the same for the page: what a job would need of memory, before it is sent."""

from dataclasses import asdict
from typing import Any

from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, read_json
from webui.api.described import body_of
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.waiting import finished
from webui.domain.fields import Frozen
from webui.domain.memory_outlook import MemoryOutlook
from webui.domain.parameters.leaves import replaced
from webui.domain.request import GenerationRequest
from webui.engine.studying import OutlookOfRequest
from webui.executors.studies import OutlookWork


class FormBody(Frozen):
    """What the form shows of a request: fields by their paths, and options by extension."""

    fields: dict[str, Any] = Field(default_factory=dict, max_length=200)
    extensions: dict[str, Any] = Field(default_factory=dict, max_length=100)


def routes(parts: Parts) -> Router:
    """For clients of the API: a whole request."""
    router = Router(prefix="/api/memory")

    @router.post("", openapi_extra=body_of(GenerationRequest, required=False))
    async def memory(request: Request) -> JSONResponse:
        """Estimate what a job would need of the device's memory. Nothing is loaded and nothing is queued."""
        try:
            wanted = GenerationRequest.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        return await _answered(parts, request, wanted)

    return router


def page_routes(parts: Parts) -> Router:
    """For the page: what stands in its form."""
    router = Router(prefix="/memory")

    @router.post("")
    async def memory(request: Request) -> JSONResponse:
        try:
            body = FormBody.model_validate(await read_json(request))
            wanted = replaced(GenerationRequest(), body.fields)
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        return await _answered(parts, request, wanted.model_copy(update={"extensions": body.extensions}))

    return router


async def _answered(parts: Parts, request: Request, wanted: GenerationRequest) -> JSONResponse:
    if not wanted.checkpoint:
        wanted = wanted.with_(checkpoint=parts.engine.starting_values().checkpoint)
    job = await run_in_threadpool(parts.engine.start, OutlookOfRequest(), OutlookWork(wanted))
    return JSONResponse(told(await finished(job, request)))


def told(outlook: MemoryOutlook) -> dict[str, Any]:
    """The answer as JSON; sizes in bytes."""
    return {
        "device": outlook.device, "total": outlook.total, "free": outlook.free, "weights": outlook.weights,
        "latents": outlook.latents, "sampling": outlook.sampling, "decoding": outlook.decoding,
        "needs": outlook.needs, "loads": outlook.loads, "leaves": list(outlook.leaves), "streams": outlook.streams,
        "fits": outlook.fits, "resident": [asdict(one) for one in outlook.resident],
    }  # fmt: skip
