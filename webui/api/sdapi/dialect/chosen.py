"""Values of A1111's settings that are no starting values: what the program says, over it what clients posted.

`POST /sdapi/v1/options` keeps them in a file, as A1111 keeps its own; `override_settings` puts others over them for one
request.
"""

import json
import logging
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from webui.api.body import InvalidBodyError, Loc
from webui.api.sdapi.dialect.known_settings import KNOWN
from webui.api.sdapi.dialect.options import OF_EXTENSIONS, OF_ONE_TASK
from webui.domain.errors import WebuiError
from webui.domain.saving import Saving
from webui.library.unfinished import write_atomically

MAX_TEXT = 2000  # characters of a value
log = logging.getLogger(__name__)

NUMBERED = "[number]-"
PLAIN_NAME = "[seed]"
UNFOLDED_NAME = "[seed]-[prompt_spaces]"  # A1111's name of files that lie in no folder of a day


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """What the program's own settings say in A1111's words."""

    saving: Saving = field(default_factory=Saving)
    samples_save: bool = True
    show_progress_every_n_steps: int = 5

    def values(self) -> dict[str, Any]:
        """A1111's keys and values."""
        saving = self.saving
        pattern = saving.filename_pattern.removeprefix(NUMBERED)
        usual = PLAIN_NAME if saving.folder_pattern else UNFOLDED_NAME
        return {
            "samples_format": saving.image_format,
            "grid_format": saving.image_format,
            "jpeg_quality": saving.jpeg_quality,
            "webp_lossless": saving.webp_lossless,
            "samples_save": self.samples_save,
            "enable_pnginfo": saving.embed_parameters,
            "save_txt": saving.sidecar_text,
            "save_images_add_number": saving.filename_pattern.startswith(NUMBERED),
            "samples_filename_pattern": "" if pattern == usual else pattern,
            "save_to_dirs": bool(saving.folder_pattern),
            "grid_save_to_dirs": bool(saving.folder_pattern),
            "directories_filename_pattern": saving.folder_pattern or KNOWN["directories_filename_pattern"].default,
            "live_previews_enable": self.show_progress_every_n_steps > 0,
            "show_progress_every_n_steps": self.show_progress_every_n_steps,
        }


class ChosenSettings:
    """The settings that clients posted. Thread-safe; a file that cannot be read is left alone and said in the log."""

    def __init__(self, program: ProgramOptions = ProgramOptions(), path: Path | None = None) -> None:
        """`path` is where they are kept; None: nowhere, they end with the program."""
        self._path = path
        self._lock = threading.Lock()
        self._base = _base(program)
        self._posted: Mapping[str, Any] = _read(path) if path is not None else {}

    def use(self, program: ProgramOptions) -> None:
        """The program's own settings are others from now on; what clients posted counts over them as before."""
        self._base = _base(program)

    def posted(self) -> dict[str, Any]:
        """Those that were posted."""
        return dict(self._posted)

    def values(self, extensions: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """Every one with its value; `extensions` are defaults of those that extensions declare."""
        return {**self._base, **OF_EXTENSIONS, **extensions, **self._posted}

    def change(self, changes: Mapping[str, Any]) -> None:
        """Keep these from now on. Raises WebuiError where the file cannot be written; nothing is changed then."""
        if not changes:
            return
        with self._lock:
            posted = {**self._posted, **changes}
            if self._path is not None:
                try:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                    write_atomically(self._path, json.dumps(posted, indent=4, ensure_ascii=False).encode())
                except OSError as error:
                    raise WebuiError(f"{self._path.name} cannot be written: {error.strerror}") from error
            self._posted = posted


def _base(program: ProgramOptions) -> Mapping[str, Any]:
    """What counts where nobody has posted anything."""
    listed = {key: known.default for key, known in KNOWN.items() if known.listed}
    return MappingProxyType({**listed, **OF_ONE_TASK, **program.values()})


def typed(key: str, value: Any, default: Any, place: Loc) -> Any:
    """A value in the type of the setting's default, as A1111 casts it.

    Raises:
        InvalidBodyError: it is of another type, or too long.
    """
    if default is None or value == default:
        return value
    if isinstance(default, bool):
        if value in (0, 1):
            return bool(value)
        raise InvalidBodyError.at(place, "should be true or false", "bool_type")
    if isinstance(default, int | float):
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value
        raise InvalidBodyError.at(place, "should be a number", "number_type")
    if isinstance(default, str):
        if isinstance(value, str) and len(value) <= MAX_TEXT:
            return value
        raise InvalidBodyError.at(place, f"should be a text of at most {MAX_TEXT} characters", "string_type")
    if isinstance(value, list) and len(json.dumps(value)) <= MAX_TEXT:
        return value
    raise InvalidBodyError.at(place, "should be a list", "list_type")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s cannot be read (%s); A1111's settings begin with their defaults", path, type(error).__name__)
        return {}
    known = KNOWN.keys() | OF_ONE_TASK.keys() | OF_EXTENSIONS.keys()
    if not isinstance(found, dict):
        log.warning("%s is no JSON object; A1111's settings begin with their defaults", path)
        return {}
    kept: dict[str, Any] = {}
    for key, value in found.items():
        try:
            kept[key] = typed(key, value, default_of(key), (key,)) if key in known else value
        except InvalidBodyError as error:
            log.warning("%s: %s; its default counts", path, error)
    return kept


def default_of(key: str) -> Any:
    """A1111's default of a setting that is no starting value."""
    if key in KNOWN:
        return KNOWN[key].default
    return {**OF_ONE_TASK, **OF_EXTENSIONS}.get(key)
