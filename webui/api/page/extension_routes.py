"""`internal/page/extensions/...` and `internal/page/files/...`: what forms of extensions and their tab ask for.

They do what the native API does, and are there without `--api`, too. They are no part of the API.
"""

import base64
from typing import Any

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api import actions, extensions, installing
from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.late_routes import Router
from webui.api.page.model_rows import rows_of
from webui.api.parts import Parts
from webui.api.pose_drawing import Pose, drawn
from webui.domain.visitor import owner_of
from webui.library.files import FOLDERS

PREFIX = "/internal/page"


def routes(parts: Parts) -> Router:
    """Actions, the list of extensions, installing where it is allowed, and lists of model files."""
    router = Router(prefix=PREFIX, include_in_schema=False)
    if parts.installing is not None:
        router.take(installing.routes(parts.engine, parts.installing, "/extensions"))
    router.take(actions.native(parts, owner_of))
    router.take(extensions.routes(parts, "/extensions"))
    library = parts.engine.library

    @router.post("/pose")
    async def pose(request: Request) -> JSONResponse:
        """The map of a pose in OpenPose's JSON, a PNG in base64."""
        try:
            given = Pose.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        made = await run_in_threadpool(drawn, given)
        return JSONResponse({"image": base64.b64encode(made).decode("ascii")})

    @router.get("/files/{kind}")
    def files(kind: str) -> dict[str, Any]:
        """Every file of a kind, those that cannot be used with the reason."""
        known = next((one for one in FOLDERS if one == kind), None)
        if known is None:
            raise HTTPException(404, f"there is no kind of file {kind!r}; there are: {', '.join(FOLDERS)}")
        return {"files": rows_of(library, known), "folder": f"models/{FOLDERS[known][0]}"}

    @router.post("/files/refresh")
    async def refresh(request: Request) -> JSONResponse:
        """Look at the model folders again."""
        await drain(request)
        await run_in_threadpool(library.refresh)
        return JSONResponse({})

    return router
