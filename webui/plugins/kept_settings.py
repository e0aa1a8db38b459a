"""Settings of extensions that outlast a request: one JSON file for each in the data folder.

The front checks and writes them; the worker reads them when an extension joins a job or does an action, so a change
counts from the next one on.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webui.domain.errors import BadRequestError, UnusableFileError, WebuiError
from webui.library.json_object import read_json_object
from webui.library.unfinished import write_atomically
from webui.plugins.manifest import NAME

FOLDER = "extension_settings"  # in the data folder
MAX_BYTES = 2**20


class KeptSettings:
    """What users have set. Thread-safe, as files are replaced in one go."""

    def __init__(self, folder: Path | None = None) -> None:
        """Args:
        folder: where the files are; None: nothing is kept here.
        """
        self._folder = folder

    def read(self, extension: str) -> dict[str, Any]:
        """What differs from the usual values; nothing where nothing was set.

        Raises:
            WebuiError: the file cannot be read; the text names it.
        """
        if self._folder is None:
            return {}
        path = self._path(self._folder, extension)
        try:
            return read_json_object(path, MAX_BYTES)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, UnusableFileError) as error:
            raise WebuiError(f"{path} cannot be read: {error}; correct or remove it") from error

    def write(self, extension: str, values: Mapping[str, Any]) -> None:
        """Keep these values in place of the former ones.

        Raises:
            BadRequestError: they are too many.
            WebuiError: the file cannot be written.
        """
        if self._folder is None:
            raise WebuiError("settings of extensions cannot be kept here")
        content = json.dumps(dict(values), indent=2).encode()
        if len(content) > MAX_BYTES:
            raise BadRequestError("values", f"are {len(content)} bytes as JSON; at most {MAX_BYTES} are kept")
        path = self._path(self._folder, extension)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        except OSError as error:
            raise WebuiError(f"{path} cannot be written: {error}") from error

    def _path(self, folder: Path, extension: str) -> Path:
        if not NAME.fullmatch(extension):
            raise BadRequestError("name", f"{extension!r} is no name of an extension")
        return folder / f"{extension}.json"
