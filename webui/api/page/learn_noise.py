"""`internal/page/learn/noise`: noise is added to a picture of one's own, and the network asked what was added."""

import base64
from typing import Annotated, Any

from fastapi import Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.late_routes import Router
from webui.api.page.sent_picture import sent_picture
from webui.api.parts import Parts
from webui.api.waiting import finished
from webui.domain.fields import MAX_SEED
from webui.domain.images import Picture, safe_open
from webui.domain.noised_picture import LONGEST_SIDE, SIDE_STEP, NoisedPicture
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.visitor import owner_of
from webui.engine.studying import NoisingOfPicture
from webui.executors.studies import NoisingWork
from webui.imaging.encoding import file_bytes

MAX_PROMPT = 2000  # characters


def routes(parts: Parts) -> Router:
    """The one question, which takes its turn among the jobs; who hangs up ends it."""
    router = Router(prefix="/learn")
    kind = NoisingOfPicture()

    @router.post("/noise")
    async def noise(
        request: Request,
        seed: Annotated[int, Query(ge=0, le=MAX_SEED)] = 1,
        checkpoint: Annotated[str, Query(max_length=400)] = "",
        prompt: Annotated[str, Query(max_length=MAX_PROMPT)] = "",
    ) -> JSONResponse:
        parts.refuse_when_closing()
        content = await sent_picture(request)
        named = checkpoint or parts.engine.starting_values().checkpoint
        asked = await run_in_threadpool(_asked, content, seed, named, prompt)
        job = await run_in_threadpool(parts.engine.start, kind, NoisingWork(asked), owner=owner_of(request))
        found = await finished(job, request)
        return JSONResponse(await run_in_threadpool(_told, found))

    return router


def _asked(content: bytes, seed: int, checkpoint: str, prompt: str) -> GenerationRequest:
    """The picture as a request: small enough, its sides multiples that every network takes."""
    image = safe_open(content).convert("RGB")
    scale = min(1.0, LONGEST_SIDE / max(image.size))
    width, height = (max(SIDE_STEP, round(side * scale / SIDE_STEP) * SIDE_STEP) for side in image.size)
    image = image.resize((width, height))
    return GenerationRequest(
        prompt=prompt, checkpoint=checkpoint, sampler="Euler", scheduler="Automatic", steps=1, seed=seed, subseed=0,
        width=width, height=height, task=Img2Img(image=Picture.of(image)),
    )  # fmt: skip


def _told(found: NoisedPicture) -> dict[str, Any]:
    data = base64.b64encode(file_bytes(found.atlas, "PNG")).decode()
    return {
        "atlas": f"data:image/png;base64,{data}", "columns": found.columns, "tile": found.tile,
        "timesteps": found.timesteps, "sigmas": found.sigmas, "losses": found.losses, "decoded": found.is_decoded,
    }  # fmt: skip
