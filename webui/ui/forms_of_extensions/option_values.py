"""The values of a drawn form as the options that a request carries, and back."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.images import Picture, safe_open
from webui.ui.forms_of_extensions.drawn_form import DrawnField

PICTURES = frozenset({"picture", "pictures"})
OWN = "~"  # begins names that the page keeps for itself


def read_options(fields: Iterable[DrawnField], values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The options that a form shows. What is left out has its default.

    Args:
        values: as the browser sent them; files in them were checked to be uploads (`ui.uploads`).
        path: where the options stand in a request, for errors.

    Raises:
        BadRequestError: naming the field.
    """
    options: dict[str, Any] = {}
    for field in fields:
        place = f"{path}.{field.name}"
        if field.control == "master":
            options[field.name] = values.get(field.name) is not False
        elif field.name in values:
            value = _read(field, values[field.name], place)
            if value is not None or field.optional:
                options[field.name] = value
    return options


def _read(field: DrawnField, value: Any, place: str) -> Any:
    """One value; None where the default counts."""
    match field.control:
        case "picture":
            return _picture(value, place) if value else None
        case "pictures":
            return [_picture(one, f"{place}.{number}") for number, one in enumerate(_listed(value, place))] or None
        case "part":
            return read_options(field.fields, _object(value, place), place)
        case "units":
            units = _listed(value, place)
            return [read_options(field.fields, _object(one, place), f"{place}.{n}") for n, one in enumerate(units)]
    return value


def _listed(value: Any, place: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequestError(place, "should be a list")
    return value


def _object(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadRequestError(place, "should be an object")
    return value


def _picture(value: Any, place: str) -> str:
    """An uploaded file as base64."""
    file = value.get("path") if isinstance(value, dict) else None
    if not isinstance(file, str):
        raise BadRequestError(place, "should be an uploaded picture")
    try:
        return base64.b64encode(Picture.of(safe_open(Path(file))).png).decode("ascii")
    except FileNotFoundError:
        raise BadRequestError(place, "the picture is not there any more; load it again") from None
    except (WebuiError, ValueError) as error:
        raise BadRequestError(place, str(error)) from None


def shown_options(fields: Iterable[DrawnField], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a request as the browser takes them: without pictures, which stay as they are there."""
    shown: dict[str, Any] = {}
    for field in fields:
        if field.control in PICTURES or field.name not in options:
            continue
        value = options[field.name]
        if field.control == "part" and isinstance(value, Mapping):
            value = shown_options(field.fields, value)
        elif field.control == "units" and isinstance(value, list | tuple):
            value = [shown_options(field.fields, one) for one in value if isinstance(one, Mapping)]
        shown[field.name] = value
    return shown
