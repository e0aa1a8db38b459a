"""What follows from the options that an extension declares: the schema of form and API, the check of requests."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from webui.domain.errors import BadRequestError
from webui.extension_api.options import Options

LENIENT = "x-lenient"
Declared = TypeVar("Declared", bound="Options")


def schema_of(model: type[Options]) -> dict[str, Any]:
    """JSON schema of an options model. Where a validator of its own reads values before their type is checked, the
    schema is marked with `x-lenient`: it says what is meant, not all that is taken.
    """
    return model.model_json_schema(schema_generator=_Marking)


class _Marking(GenerateJsonSchema):
    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        return {**super().function_before_schema(schema), LENIENT: True}

    def function_wrap_schema(self, schema: core_schema.WrapValidatorFunctionSchema) -> JsonSchemaValue:
        return {**super().function_wrap_schema(schema), LENIENT: True}


def read_options(kind: type[Declared], values: Mapping[str, Any], path: str) -> Declared:
    """Validate what a request says.

    Args:
        path: dotted place of the values in the request (`extensions.soft_glow`), for the error.

    Raises:
        BadRequestError: naming the first wrong field.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join([path, *(str(part) for part in first["loc"])])
        raise BadRequestError(field, first["msg"].removeprefix("Value error, ")) from None
