"""Named sets of form values, in a file of the data folder; one may belong to a checkpoint and count when it is chosen.

What the values mean is the page's affair: here they are JSON under the names of the form's fields.
"""

import json
import logging
import threading
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from webui.domain.errors import UnusableFileError, WebuiError
from webui.library.json_object import keep_aside, read_json_object
from webui.library.unfinished import write_atomically

MOST = 200  # presets
LONGEST_PREFIX = 4_000  # characters
LARGEST = 64 * 1024  # characters of the values of one, as JSON

log = logging.getLogger(__name__)


class Preset(BaseModel):
    """Attributes:
    checkpoint: its values are set when this one is chosen; "" where they are set by hand only.
    fields: values by the name of a field of the form.
    prefix: what then comes to stand at the beginning of the prompt.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    checkpoint: str = Field("", max_length=500)
    fields: dict[str, JsonValue] = Field(default_factory=dict)
    prefix: str = Field("", max_length=LONGEST_PREFIX)

    @field_validator("name")
    @classmethod
    def _trimmed(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("a preset needs a name")
        return value.strip()

    @field_validator("fields")
    @classmethod
    def _small(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) > LARGEST:
            raise ValueError(f"the values of a preset take at most {LARGEST // 1024} KiB")
        return value


class _Held(BaseModel):
    """What the file holds."""

    presets: tuple[Preset, ...] = ()


class Presets:
    """The presets by name. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """A file that cannot be used is kept aside; the log says so."""
        self._path = path
        self._lock = threading.Lock()
        self._all: tuple[Preset, ...] = _read(path)

    def all(self) -> tuple[Preset, ...]:
        return self._all

    def keep(self, preset: Preset) -> None:
        """Keep one in the place of that of the same name.

        Raises:
            WebuiError: there are too many, or the file cannot be written; nothing is changed then.
        """
        with self._lock:
            others = tuple(one for one in self._all if one.name != preset.name)
            if len(others) >= MOST:
                raise WebuiError(f"there are {MOST} presets already; delete one first")
            self._write(tuple(sorted((*others, preset), key=lambda one: one.name.casefold())))

    def delete(self, name: str) -> None:
        """Forget one; nothing happens where there is none. Raises WebuiError where the file cannot be written."""
        with self._lock:
            self._write(tuple(one for one in self._all if one.name != name))

    def _write(self, presets: tuple[Preset, ...]) -> None:
        content = {"presets": [one.model_dump(mode="json") for one in presets]}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(content, indent=1, ensure_ascii=False).encode(), durable=True)
        except OSError as error:
            raise WebuiError(f"{self._path.name} cannot be written: {error.strerror}; nothing was changed") from error
        self._all = presets


def _read(path: Path) -> tuple[Preset, ...]:
    try:
        return _Held.model_validate(read_json_object(path)).presets[:MOST]
    except FileNotFoundError:
        return ()
    except (UnusableFileError, ValidationError) as error:
        try:
            keep_aside(path, str(error))
        except OSError as problem:
            log.warning("%s cannot be used (%s) nor renamed (%s)", path, error, problem)
        return ()
    except OSError as error:
        log.warning("%s cannot be read (%s); there are no presets", path, error.strerror)
        return ()
