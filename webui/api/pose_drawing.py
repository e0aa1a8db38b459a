"""OpenPose's JSON as bodies of requests have it, and its drawing."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from webui.api.parts import as_png
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


def drawn(pose: Pose) -> bytes:
    """A pose as a PNG."""
    people = [person.model_dump() for person in pose.people]
    return as_png(pose_picture(people, pose.canvas_width, pose.canvas_height)).data
