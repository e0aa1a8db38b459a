"""`internal/page/learn/schedule`: where the steps of a run land, as sampling itself computes it.

The query names fields of a request by their paths (`scheduler`, `steps`, `checkpoint`, `schedule.rho`); what it does
not name is as a request has it by default.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.waiting import finished
from webui.domain.errors import BadRequestError
from webui.domain.noise_levels import NoiseLevels
from webui.domain.parameters.leaves import replaced
from webui.domain.parameters.table import row_of
from webui.domain.request import GenerationRequest
from webui.engine.studying import LevelsOfRequest
from webui.executors.studies import LevelsWork

FIELDS = ("scheduler", "sampler", "steps", "checkpoint")
PARTS = ("schedule.", "unipc.")
LIST = "schedule.sigmas"


def routes(parts: Parts) -> Router:
    """The one question."""
    router = Router(prefix="/learn")
    kind = LevelsOfRequest()

    @router.get("/schedule")
    async def schedule(request: Request) -> JSONResponse:
        asked = _asked(request.query_params, parts.engine.starting_values().checkpoint)
        job = await run_in_threadpool(parts.engine.start, kind, LevelsWork(asked))
        levels = await finished(job, request)
        return JSONResponse(_told(levels), headers={"Cache-Control": "private, max-age=60"})

    return router


def _asked(query: Mapping[str, str], starting: str) -> GenerationRequest:
    """The request of which the levels are asked; `starting` is the checkpoint where none is named.

    Raises:
        InvalidBodyError, BadRequestError: a value or a name cannot be used.
    """
    changes: dict[str, Any] = {}
    for path, text in query.items():
        if path not in FIELDS and not path.startswith(PARTS):
            raise BadRequestError(path, f"is no part of a schedule; name one of {', '.join(FIELDS)} or schedule.*")
        changes[path] = text
    if LIST in changes and (key := row_of(LIST).key) is not None:
        try:
            changes[LIST] = key.codec.decode(changes[LIST])
        except ValueError:
            raise BadRequestError(LIST, "should be numbers with spaces between them") from None
    if changes.get(LIST) and "steps" not in changes:
        changes["steps"] = max(1, len(changes[LIST]) - 1)
    try:
        return replaced(GenerationRequest(checkpoint=starting), changes)
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None


def _told(levels: NoiseLevels) -> dict[str, Any]:
    return {
        "schedule": levels.schedule, "sigmas": levels.sigmas, "timesteps": levels.timesteps,
        "lowest": levels.lowest, "highest": levels.highest,
    }  # fmt: skip
