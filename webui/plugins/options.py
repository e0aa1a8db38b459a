"""Options of an extension: one declared model, from which form, API schema and the check of requests follow."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from webui.domain.errors import BadRequestError

Declared = TypeVar("Declared", bound="Options")


class Options(BaseModel):
    """Base of an extension's options: frozen, and a name that does not exist is refused. Every field has a default
    unless a request that names the extension must give it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_options(kind: type[Declared], values: Mapping[str, Any], path: str) -> Declared:
    """Validate what a request says.

    Args:
        path: dotted place of the values in the request (`extensions.controlnet`), for the error.

    Raises:
        BadRequestError: naming the first wrong field.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join([path, *(str(part) for part in first["loc"])])
        raise BadRequestError(field, first["msg"].removeprefix("Value error, ")) from None
