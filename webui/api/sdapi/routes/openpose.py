"""`POST /controlnet/render_openpose_json`: poses as JSON become the pictures that control networks read."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, read_list
from webui.api.described import SCHEMAS
from webui.api.parts import as_png
from webui.api.sdapi.dialect.answers import as_base64
from webui.imaging.openpose import BODY_POINTS, FACE_POINTS, HAND_POINTS, pose_picture

MAX_POSES = 64
MAX_SIDE = 4096
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class Person(BaseModel):
    """One person: lists of x, y and confidence."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    pose_keypoints_2d: Annotated[list[Coordinate] | None, Field(max_length=3 * BODY_POINTS)] = None
    hand_left_keypoints_2d: Annotated[list[Coordinate] | None, Field(max_length=3 * HAND_POINTS)] = None
    hand_right_keypoints_2d: Annotated[list[Coordinate] | None, Field(max_length=3 * HAND_POINTS)] = None
    face_keypoints_2d: Annotated[list[Coordinate] | None, Field(max_length=3 * FACE_POINTS)] = None


class Pose(BaseModel):
    """One picture."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    people: list[Person] = Field(max_length=MAX_POSES)
    canvas_width: int = Field(ge=8, le=MAX_SIDE)
    canvas_height: int = Field(ge=8, le=MAX_SIDE)


_POSES: TypeAdapter[list[Pose]] = TypeAdapter(Annotated[list[Pose], Field(max_length=MAX_POSES)])


def routes() -> APIRouter:
    """Drawing poses."""
    router = APIRouter()
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
        images = await run_in_threadpool(lambda: [drawn(pose) for pose in poses])
        return JSONResponse({"images": images, "info": "Success"})

    return router


def drawn(pose: Pose) -> str:
    """A pose as a PNG in base64."""
    people = [person.model_dump() for person in pose.people]
    return as_base64(as_png(pose_picture(people, pose.canvas_width, pose.canvas_height)).data)
