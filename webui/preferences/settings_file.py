"""settings.json: what users set, and nothing else. Keys that nobody knows stay."""

import json
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from typing import Any

from webui.domain.errors import UnusableFileError, WebuiError
from webui.library.json_object import keep_aside, read_json_object
from webui.library.unfinished import write_atomically


class SettingsFile:
    """The file in the data folder. Thread-safe, as long as everybody who writes it holds the same lock."""

    def __init__(self, path: Path, lock: AbstractContextManager[bool] | None = None) -> None:
        """`lock` is shared with others of this process who write the file."""
        self._path = path
        self._lock = lock or Lock()

    def read(self) -> dict[str, Any]:
        """What it holds; empty where there is no file, or it cannot be used."""
        try:
            return read_json_object(self._path)
        except (OSError, UnusableFileError):
            return {}

    def change(self, values: Mapping[str, Any], without: Collection[str] = ()) -> None:
        """Set these keys, remove those, and leave the others. A damaged file is kept aside and begun anew.

        Raises:
            WebuiError: it cannot be written; it is as it was.
        """
        with self._lock:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                kept = {name: value for name, value in self._held().items() if name not in without}
                text = json.dumps({**kept, **values}, indent=2, ensure_ascii=False)
                write_atomically(self._path, text.encode(), durable=True)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise WebuiError(f"{self._path.name} cannot be written: {reason}; nothing was changed") from error

    def _held(self) -> dict[str, Any]:
        try:
            return read_json_object(self._path)
        except FileNotFoundError:
            return {}
        except UnusableFileError as error:
            keep_aside(self._path, str(error))
            return {}
