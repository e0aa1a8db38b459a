"""The values that a new form starts with, kept in a file. A request like any other, never sent by itself."""

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from webui.domain.errors import BadRequestError, UnusableFileError, WebuiError
from webui.domain.request import GenerationRequest
from webui.library.json_object import keep_aside, read_json_object
from webui.library.unfinished import write_atomically

log = logging.getLogger(__name__)


class StartingValues:
    """What the user changed, over the defaults. Thread-safe.

    The file is a request as JSON, of the changed fields only. One that is no JSON is moved aside, a field that is no
    longer valid is left out; neither keeps the program from starting.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._changed = _valid(_read(path), path)
        self._request = GenerationRequest.model_validate(self._changed)

    def get(self) -> GenerationRequest:
        return self._request

    def change(self, changes: Mapping[str, Any]) -> GenerationRequest:
        """Set some and write the file; all of them or, when one is wrong, none.

        Args:
            changes: dotted field names of GenerationRequest (`noise.eta`) to values of JSON.

        Raises:
            BadRequestError: naming the field.
            WebuiError: the file cannot be written; the values are as before.
        """
        with self._lock:
            wanted = self._changed
            for name, value in changes.items():
                wanted = _with(wanted, name.split("."), value)
            try:
                request = GenerationRequest.model_validate(wanted)
            except ValidationError as error:
                raise _told(error) from None
            wanted = _like(wanted, request.model_dump(mode="json"))
            _write(self._path, json.dumps(wanted, indent=2, ensure_ascii=False))
            self._changed, self._request = wanted, request
        return request


def _with(fields: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """A copy with one field set, however deep; what stands in the way of the path gives way."""
    first, *rest = path
    if not rest:
        return {**fields, first: value}
    inside = fields.get(first)
    return {**fields, first: _with(inside if isinstance(inside, dict) else {}, rest, value)}


def _like(chosen: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that `chosen` has, with the validated values."""
    return {
        name: _like(inner, values[name]) if isinstance(inner, dict) and isinstance(values[name], dict) else values[name]
        for name, inner in chosen.items()
    }


def _valid(fields: dict[str, Any], path: Path) -> dict[str, Any]:
    """Those that a request accepts."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            GenerationRequest.model_validate({**kept, name: value})
        except ValidationError as error:
            log.warning("%s: %s is left out: %s", path, name, _told(error).message)
        else:
            kept[name] = value
    return kept


def _told(error: ValidationError) -> BadRequestError:
    first = error.errors(include_input=False, include_url=False)[0]
    return BadRequestError(".".join(str(part) for part in first["loc"]) or "request", first["msg"])


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except FileNotFoundError:
        return {}
    except (UnusableFileError, IsADirectoryError) as error:
        keep_aside(path, str(error))
    except OSError as error:
        log.warning("%s cannot be read (%s); the defaults are used", path, error.strerror)
    return {}


def _write(path: Path, text: str) -> None:
    """Replace the file as a whole: after a crash or with a full disk it holds the old values or the new."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text.encode(), durable=True)
    except OSError as error:
        raise WebuiError(f"{path} cannot be written: {error.strerror}; nothing was changed") from error
