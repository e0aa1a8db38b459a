"""Reading a JSON body strictly, and the short 422 that says what is wrong with it. What the fields mean is not here."""

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

Loc = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

MAX_MESSAGE = 300
MAX_NAME = 80
LONG = 64 * 1024  # bytes from which on a body is read in a thread
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class InvalidBodyError(Exception):
    """The body cannot be used; `problems` is the `detail` of the 422."""

    def __init__(self, problems: Iterable[tuple[Loc, str, str]]) -> None:
        self.problems = [
            {"loc": [_short(part) for part in loc], "msg": message[:MAX_MESSAGE], "type": kind}
            for loc, message, kind in problems
        ]
        super().__init__("; ".join(f"{problem['loc']}: {problem['msg']}" for problem in self.problems))

    @classmethod
    def at(cls, loc: Loc, message: str, kind: str = "value_error") -> "InvalidBodyError":
        return cls([(("body", *loc), message, kind)])

    @classmethod
    def of(cls, error: ValidationError, rename: Callable[[Loc], Loc] = lambda loc: loc) -> "InvalidBodyError":
        """From pydantic's errors, without the input that they carry.

        Args:
            rename: from the place in the model to the place in the body.
        """
        items = error.errors(include_url=False, include_context=False, include_input=False)
        return cls(
            (("body", *rename(item["loc"])), item["msg"].removeprefix("Value error, "), item["type"]) for item in items
        )


async def read_json(request: Request) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        InvalidBodyError: not JSON, not an object, NaN or infinity, half a surrogate pair, nested too deeply.
    """
    data = await _read(request)
    if not isinstance(data, dict):
        raise InvalidBodyError.at((), "must be a JSON object", "dict_type")
    return data


async def read_as(request: Request, model: type[Model]) -> Model:
    """The body as a model says it. Raises InvalidBodyError."""
    try:
        return model.model_validate(await read_json(request))
    except ValidationError as error:
        raise InvalidBodyError.of(error) from None


async def read_list(request: Request) -> list[Any]:
    """The body as a JSON list. Errors as `read_json`."""
    data = await _read(request)
    if not isinstance(data, list):
        raise InvalidBodyError.at((), "must be a JSON list", "list_type")
    return data


async def _read(request: Request) -> Any:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and not content_type.endswith("+json"):
        raise InvalidBodyError.at((), "send JSON with Content-Type: application/json", "content_type")
    raw = await request.body()
    try:
        if len(raw) > LONG:
            return await run_in_threadpool(_parsed, raw)  # pictures in base64: other requests go on meanwhile
        return _parsed(raw)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidBodyError.at((), f"not valid JSON: {reason}", "json_invalid") from None


def _parsed(raw: bytes) -> Any:
    data = json.loads(raw, parse_constant=_no_constant, parse_float=_finite)
    if _SURROGATE.search(raw) and (place := _half_pair(data)) is not None:
        raise InvalidBodyError.at(place, "has half a surrogate pair; remove it", "string_unicode")
    return data


async def drain(request: Request) -> None:
    """Read a body that has no meaning here, so that the connection can be used again."""
    try:
        await request.body()
    except ClientDisconnect:
        return


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _half_pair(data: Any) -> Loc | None:
    """Where the first text stands that UTF-8 cannot express."""
    waiting: list[tuple[Loc, Any]] = [((), data)]
    while waiting:
        loc, value = waiting.pop()
        if isinstance(value, dict):
            if any(_is_half(key) for key in value):
                return loc
            waiting += [((*loc, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*loc, index), inner) for index, inner in enumerate(value)]
        elif isinstance(value, str) and _is_half(value):
            return loc
    return None


def _is_half(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _short(part: str | int) -> str | int:
    return part[:MAX_NAME] if isinstance(part, str) else part
