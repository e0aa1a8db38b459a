"""Reads a JSON object out of a file that came from elsewhere."""

import json
from typing import Any

from webui.domain.errors import UnusableFileError


def json_object(name: str, text: str | bytes) -> dict[str, Any]:
    """A JSON object from a text.

    Args:
        name: what the text is, for the error.

    Raises:
        UnusableFileError: it is not JSON, is nested too deep, or holds something else than an object.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableFileError(f"{name} is damaged: not valid JSON ({error})") from error
    if not isinstance(found, dict):
        raise UnusableFileError(f"{name} is damaged: not a JSON object")
    return found
