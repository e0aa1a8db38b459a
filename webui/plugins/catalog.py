"""What the front knows of extensions and checks by: data only, none of their code. Thread-safe."""

import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from webui.domain.errors import BadRequestError, UnusableFileError, WebuiError
from webui.domain.extensions import ActionCall, ActionInfo, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.library.json_object import read_json_object
from webui.library.unfinished import write_atomically
from webui.plugins.kept_settings import KeptSettings
from webui.plugins.options import LENIENT

SWITCHED_OFF = "disabled_extensions"  # key in settings.json


class Catalog:
    """The extensions by name."""

    def __init__(
        self,
        infos: Iterable[ExtensionInfo] = (),
        settings_file: Path | None = None,
        writing: AbstractContextManager[bool] | None = None,
        kept: KeptSettings | None = None,
    ) -> None:
        """
        Args:
            kept: settings of extensions that last; None: none can be set.
            settings_file: where switching an extension on or off is written; None: nowhere.
            writing: held while it is written, by everybody in this process who does.
        """
        self._lock = threading.Lock()
        self._writing = writing or threading.Lock()
        self._infos = tuple(infos)
        self._settings_file = settings_file
        self._kept = kept or KeptSettings()
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}
        self._costs: Mapping[str, float] = MappingProxyType({})
        self._told: tuple[Callable[[tuple[ExtensionInfo, ...]], None], ...] = ()

    @property
    def infos(self) -> tuple[ExtensionInfo, ...]:
        return self._infos

    def replace(self, infos: Iterable[ExtensionInfo]) -> None:
        """Others from now on: something was installed, updated, removed or switched."""
        with self._lock:
            self._infos = tuple(infos)
            self._validators = {}

    def note_worker(self, infos: Iterable[ExtensionInfo]) -> None:
        """What the worker found when it loaded them: there may be failures that a description does not meet."""
        found = tuple(infos)
        with self._lock:
            by_folder = {info.folder: info for info in found}
            self._infos = tuple(by_folder.get(info.folder, info) for info in self._infos)
            told = self._told
        for tell in told:
            tell(found)

    def when_noted(self, tell: Callable[[tuple[ExtensionInfo, ...]], None]) -> None:
        """Have `tell` called with what each new worker found, in the thread of `note_worker`; it must not wait."""
        with self._lock:
            self._told = (*self._told, tell)

    def note_costs(self, timings: Mapping[str, float]) -> None:
        """What a job has taken: seconds by `extension: hook`, among others. Of each extension the latest is kept."""
        names = {info.name for info in self._infos}
        found: dict[str, float] = {}
        for key, seconds in timings.items():
            name, colon, _ = key.partition(": ")
            if colon and name in names:
                found[name] = found.get(name, 0.0) + seconds
        if found:
            with self._lock:
                self._costs = MappingProxyType({**self._costs, **found})

    def cost_of(self, name: str) -> float | None:
        """Seconds that an extension's hooks took in the latest job that called them; None: no job has yet."""
        return self._costs.get(name)

    def get(self, name: str) -> ExtensionInfo | None:
        """The extension of that name that works, else the one that does not."""
        return next(
            (info for info in sorted(self._infos, key=lambda info: info.state != "ok") if info.name == name), None
        )

    def broken(self) -> tuple[tuple[str, str], ...]:
        """Folders that the worker need not try, each with the reason."""
        return tuple((info.folder, info.error) for info in self._infos if info.state == "failed")

    def check(self, request: GenerationRequest) -> None:
        """Whether the request's options fit the extensions it names. One that was set aside is passed over: the job
        goes on without it, with a notice.

        Raises:
            BadRequestError: naming the extension or its option (`extensions.soft_glow.amount`).
        """
        for name, values in request.extensions.items():
            if (known := self.get(name)) is not None and known.state == "aside":
                continue
            info = self._usable(name, f"extensions.{name}")
            if info.options is None:
                raise BadRequestError(f"extensions.{name}", "takes no options")
            self._fit(info.options, values, f"extensions.{name}", (name, ""))

    def call(self, extension: str, action: str, options: Mapping[str, Any]) -> ActionCall:
        """A checked call of an action.

        Raises:
            BadRequestError: there is no such action, or the options do not fit.
        """
        found = self.action(extension, action)
        self._fit(found.schema, options, "", (extension, action))
        return ActionCall(extension, action, dict(options), found.light, found.gives_way)

    def action(self, extension: str, action: str) -> ActionInfo:
        """Raises BadRequestError where there is none."""
        info = self._usable(extension, "extension")
        for one in info.actions:
            if one.name == action:
                return one
        there = ", ".join(one.name for one in info.actions) or "none"
        raise BadRequestError("action", f"{extension} has no action {action!r}; there are: {there}")

    def tools(self, kind: str) -> tuple[str, ...]:
        """Names of what extensions that work add to a list of others."""
        working = sorted((info for info in self._infos if info.state == "ok"), key=lambda info: info.name)
        return tuple(dict.fromkeys(name for info in working for one, name in info.tools if one == kind))

    def settings_of(self, name: str) -> dict[str, Any]:
        """What is set of an extension's lasting settings; what is as usual may be missing.

        Raises:
            BadRequestError: there is no such extension, or it has no settings.
            WebuiError: the file cannot be read.
        """
        self._with_settings(name)
        return self._kept.read(name)

    def keep_settings(self, name: str, values: Mapping[str, Any]) -> None:
        """Set an extension's lasting settings, all of them. Counts from the next job or action on.

        Raises:
            BadRequestError: there is no such extension, or a value does not fit.
            WebuiError: the file cannot be written.
        """
        self._fit(self._with_settings(name), values, "values", (name, "settings of"))
        self._kept.write(name, values)

    def _with_settings(self, name: str) -> Mapping[str, Any]:
        info = self._usable(name, "name")
        if info.settings is None:
            raise BadRequestError("name", f"{name} has no settings")
        return info.settings

    def switch(self, name: str, *, on: bool) -> None:
        """Write to the settings that an extension is used or not; counts from the next start.

        Raises:
            BadRequestError: there is none of that name.
            WebuiError: the settings cannot be written.
        """
        info = self.get(name)
        if info is None:
            raise BadRequestError("name", f"there is no extension {name!r}")
        if self._settings_file is None:
            raise WebuiError("settings cannot be written here")
        with self._writing:
            write_switch(self._settings_file, (info.name, info.folder), on=on)

    def _usable(self, name: str, field: str) -> ExtensionInfo:
        info = self.get(name)
        if info is None:
            there = ", ".join(one.name for one in self._infos if one.state == "ok") or "none"
            raise BadRequestError(field, f"there is no extension {name!r}; there are: {there}")
        if info.state == "disabled":
            raise BadRequestError(field, "is switched off; switch it on under Extensions and start again")
        if info.state in ("failed", "aside"):
            raise BadRequestError(field, f"cannot be used: {info.error}")
        return info

    def _fit(self, schema: Mapping[str, Any], values: Any, path: str, key: tuple[str, str]) -> None:
        validator = self._validators.get(key)
        if validator is None:
            validator = self._validators[key] = Draft202012Validator(_relaxed(schema))
        error = best_match(error for error in validator.iter_errors(values) if not _is_readable(error))
        if error is not None:
            place, text = _told(error)
            raise BadRequestError(".".join(filter(None, [path, *place])) or "options", text)


def _relaxed(schema: Any) -> Any:
    """Without the parts that a validator of the extension reads in its own way; the worker checks those."""
    if isinstance(schema, dict):
        return {} if schema.get(LENIENT) else {key: _relaxed(value) for key, value in schema.items()}
    return [_relaxed(value) for value in schema] if isinstance(schema, list) else schema


def _is_readable(error: ValidationError) -> bool:
    """A number written as text, 0 and 1 for truth: pydantic reads them, so they are no reason to refuse."""
    wanted, given = error.validator_value, error.instance
    if str(error.validator) == "anyOf":
        return any(_is_readable(inner) for inner in error.context or ())
    if str(error.validator) != "type":
        return False
    if wanted == "boolean":
        return given in (0, 1, "true", "false", "True", "False", "0", "1", "yes", "no", "on", "off")
    if wanted in ("number", "integer") and isinstance(given, str):
        try:
            return math.isfinite(float(given))
        except ValueError:
            return False
    return False


def _told(error: ValidationError) -> tuple[list[str], str]:
    """Where, and what is wrong; the wrong value itself may be a picture and is not repeated at length."""
    place: list[str] = [str(part) for part in error.absolute_path]
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    values = error.instance if isinstance(error.instance, dict) else {}
    if str(error.validator) == "additionalProperties":
        known = schema.get("properties", {})
        wrong = next((str(name) for name in values if name not in known), "")
        return [*place, wrong], f"there is no such option; there are: {', '.join(known) or 'none'}"
    if str(error.validator) == "required":
        missing = next((str(name) for name in schema.get("required", ()) if name not in values), "")
        return [*place, missing], "is needed"
    rest = error.message.removeprefix(repr(error.instance)).strip()
    given = repr(error.instance)
    return place, f"{rest} (it is {given})" if len(given) <= 60 else rest[:300]


def write_switch(settings_file: Path, names: tuple[str, ...], *, on: bool) -> None:
    """Change the list of extensions that are switched off and leave the other settings as they are.

    Raises:
        WebuiError: the file cannot be read or written.
    """
    try:
        data: dict[str, Any] = read_json_object(settings_file) if settings_file.exists() else {}
        listed = data.get(SWITCHED_OFF, [])
        off = [name for name in listed if name not in names] if isinstance(listed, list) else []
        data[SWITCHED_OFF] = off if on else [*off, names[0]]
        settings_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(settings_file, json.dumps(data, indent=2).encode())
    except UnusableFileError as error:
        raise WebuiError(f"{settings_file}: {error}; correct it by hand") from error
    except (OSError, ValueError) as error:
        raise WebuiError(f"{settings_file} cannot be changed: {error}") from error
