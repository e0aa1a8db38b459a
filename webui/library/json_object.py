"""Reads JSON out of files that may be cut, empty, of another kind, or made to do harm: size and depth are bounded."""

import json
import logging
import time
from pathlib import Path
from typing import Any

from webui.domain.errors import UnusableFileError

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64  # objects and lists inside each other

log = logging.getLogger(__name__)


def json_object(name: str, text: str | bytes) -> dict[str, Any]:
    """A JSON object from a text.

    Args:
        name: what the text is, for the error.

    Raises:
        UnusableFileError: it is not JSON, is nested too deep, or holds something else than an object.
    """
    found = json_value(name, text)
    if not isinstance(found, dict):
        raise UnusableFileError(f"{name} is damaged: not a JSON object")
    return found


def json_value(name: str, text: str | bytes) -> Any:
    """What a JSON text holds. Raises UnusableFileError as `json_object`, but for the kind of what it holds."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableFileError(f"{name} is damaged: not valid JSON ({error})") from error
    inside = [found]
    for _ in range(MAX_DEPTH):
        inside = [one for outer in inside for one in _members(outer) if isinstance(one, dict | list)]
        if not inside:
            return found
    raise UnusableFileError(f"{name} is damaged: nested more than {MAX_DEPTH} deep")


def read_json(path: Path, max_bytes: int = MAX_BYTES) -> Any:
    """What a JSON file holds.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read.
        UnusableFileError: it is larger than `max_bytes`, or as `json_value`.
    """
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise UnusableFileError(f"{path.name} is damaged: larger than {max_bytes} bytes")
    return json_value(path.name, content)


def read_json_object(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object in a file. Raises as `read_json`."""
    found = read_json(path, max_bytes)
    if not isinstance(found, dict):
        raise UnusableFileError(f"{path.name} is damaged: not a JSON object")
    return found


def keep_aside(path: Path, why: str) -> Path:
    """Rename a damaged file to `<name>.damaged-<time>`, so that another can be begun and nothing is lost.

    Args:
        why: for the log.

    Raises:
        OSError: it cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    path.rename(aside)
    log.warning("%s cannot be used (%s); it is kept as %s and begun anew", path, why, aside.name)
    return aside


def _members(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
