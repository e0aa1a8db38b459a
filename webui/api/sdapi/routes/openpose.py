"""`POST /controlnet/render_openpose_json`: poses as JSON become the pictures that control networks read."""

from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, read_list
from webui.api.described import SCHEMAS
from webui.api.late_routes import Router
from webui.api.pose_drawing import MAX_POSES, Pose, drawn
from webui.api.sdapi.dialect.answers import as_base64

_POSES: TypeAdapter[list[Pose]] = TypeAdapter(Annotated[list[Pose], Field(max_length=MAX_POSES)])


def routes() -> Router:
    """Drawing poses."""
    router = Router()
    content = {"application/json": {"schema": _POSES.json_schema(ref_template=SCHEMAS)}}

    @router.post("/controlnet/render_openpose_json", openapi_extra={"requestBody": {"content": content}})
    async def render(request: Request) -> JSONResponse:
        """A picture for each pose of the list."""
        try:
            poses = _POSES.validate_python(await read_list(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        if not poses:
            return JSONResponse({"info": "No pose data detected."})
        images = await run_in_threadpool(lambda: [as_base64(drawn(pose)) for pose in poses])
        return JSONResponse({"images": images, "info": "Success"})

    return router
