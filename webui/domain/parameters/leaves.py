"""The leaves of a request by dotted path, read from the pydantic models, and how a value at a path is read and changed.

A path leaves out the kind of task: of `task.hires.scale` and `task.padding` it is clear which kind has them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from webui.domain.request import GenerationRequest


@dataclass(frozen=True, slots=True)
class Missing:
    """What stands at a path that leads to a part which this request does not have."""


MISSING = Missing()


def leaves(model: type[BaseModel] = GenerationRequest, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every leaf below a model, through optional parts and unions; a leaf of several kinds of task once for each."""
    for name, field in model.model_fields.items():
        parts = list(_parts(field.annotation))
        for part in parts:
            yield from leaves(part, f"{prefix}{name}.")
        if not parts:
            yield prefix + name, field


def bounds(field: FieldInfo) -> tuple[float, float]:
    """Lowest and highest value of a number.

    Raises:
        LookupError: it has no bounds on both sides.
    """
    low = [limit.ge for limit in field.metadata if hasattr(limit, "ge")]
    high = [limit.le for limit in field.metadata if hasattr(limit, "le")]
    return low[0], high[0]


def optional_parts(model: type[BaseModel] = GenerationRequest, prefix: str = "") -> Iterator[str]:
    """The path of every part that may be None."""
    for name, field in model.model_fields.items():
        for part in _parts(field.annotation):
            if type(None) in get_args(field.annotation):
                yield prefix + name
            yield from optional_parts(part, f"{prefix}{name}.")


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field holds directly or as one of several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif type(None) in get_args(annotation) or all(_is_model(one) for one in get_args(annotation)):
        for one in get_args(annotation):
            yield from _parts(one)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def value_at(request: GenerationRequest, path: str) -> Any:
    """The value at a dotted path; MISSING where a part on the way is None or of another kind."""
    found: Any = request
    for name in path.split("."):
        if not isinstance(found, BaseModel) or name not in type(found).model_fields:
            return MISSING
        found = getattr(found, name)
    return found


def replaced(request: GenerationRequest, changes: Mapping[str, Any]) -> GenerationRequest:
    """A validated copy with the fields at these dotted paths, of any depth, changed.

    Raises:
        pydantic.ValidationError: located by the same names as the paths.
    """
    whole: dict[str, Any] = dict(request)
    if "task.kind" in changes:
        whole["task"] = {}  # one kind has no fields of another
    for path, value in changes.items():
        *parents, last = path.split(".")
        part = whole
        for name in parents:
            part[name] = dict(part.get(name) or ())  # None or nothing for a part not yet asked for
            part = part[name]
        part[last] = value
    return GenerationRequest.model_validate(whole)
