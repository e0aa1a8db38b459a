"""What routes say of themselves in `/openapi.json`: bodies that they read by hand, and the errors they answer with."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field

SCHEMAS = "#/components/schemas/{model}"


class ErrorAnswer(BaseModel):
    """A1111's form of an error."""

    error: str = Field(description="kind of the error", examples=["HTTPException"])
    detail: str
    body: str = ""
    errors: str = ""


class PlainError(BaseModel):
    """The answer where there is no such route or thing."""

    detail: str = Field(examples=["Not Found"])


class Problem(BaseModel):
    """One thing that is wrong with a request."""

    loc: list[str | int] = Field(examples=[["body", "steps"]])
    msg: str
    type: str


class InvalidAnswer(BaseModel):
    """Everything that is wrong with a request, each with its place."""

    detail: list[Problem] | str
    error: str | None = None
    body: str | None = None
    errors: str | None = None


TEXTS: Mapping[int, str] = MappingProxyType(
    {
        400: "The request cannot be read.",
        401: "Name and password are needed.",
        403: "This caller may not do that.",
        404: "What was asked for is not there.",
        405: "The path has no such method.",
        409: "It does not fit the state that there is.",
        413: "The body is too large.",
        422: "Fields are wrong; each is named with its place.",
        429: "Too many wrong passwords; wait.",
        500: "It went wrong; the text says why.",
        501: "Nothing here does this.",
        503: "The queue is full, or the server is stopping; try later.",
    }
)


def errors_text(status: int) -> str:
    """What an answer with that status means."""
    return TEXTS[status]


def body_of(model: type[BaseModel], *, required: bool = True, example: Any = None) -> dict[str, Any]:
    """The body of a route that reads it by hand, for `openapi_extra`.

    The schema refers to its own definitions; `description.py` moves them to their common place.
    """
    content: dict[str, Any] = {"schema": _schema(model)}
    if example is not None:
        content["example"] = example
    return {"requestBody": {"content": {"application/json": content}, "required": required}}


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Made once a program: several routes read a whole request, whose schema takes a while."""
    return model.model_json_schema(ref_template=SCHEMAS)
