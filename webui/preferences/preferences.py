"""The settings of a running program: what is set, what is in force, and changes of both."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ValidationError

from webui.domain.errors import WebuiError
from webui.domain.model_folders import ModelFolder
from webui.domain.settings import Settings
from webui.preferences.setting import Setting
from webui.preferences.setting_rows import BY_NAME, ROWS
from webui.preferences.settings_file import SettingsFile

LOCAL_ONLY = "Only people at the machine on which the program runs may change this, under no other name than localhost."
NO_SETTING = "There is no such setting."
State = Literal["unchanged", "now", "next job", "next start", "refused"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change.

    Attributes:
        text: why it was refused; "" otherwise.
    """

    state: State
    text: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """What makes changes count in the running program.

    Attributes:
        apply: by setting; each is called with the settings that are in force from now on. Raises WebuiError where
            a value cannot be used.
        renew: lets the next job begin with a back of the settings in force.
    """

    apply: Mapping[str, Callable[[Settings], None]] = field(default_factory=dict)
    renew: Callable[[], None] = lambda: None


class Preferences:
    """Every setting. Thread-safe."""

    def __init__(
        self, settings: Settings, file: SettingsFile, *, given: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """
        Args:
            settings: as the program was started with.
            file: where changes are kept.
            given: the settings that a flag or a variable of this start gives, each with its name (`--port`).
        """
        self._lock = threading.RLock()
        self._file = file
        self._given = given
        self._started = settings
        self._wanted = settings
        self._running = settings
        self._live = Live()

    def connect(self, live: Live) -> None:
        """From now on changes take effect in the program."""
        self._live = live

    @property
    def running(self) -> Settings:
        """What is in force."""
        return self._running

    @property
    def wanted(self) -> Settings:
        """What is set; a part of it counts from the next start on."""
        return self._wanted

    def locked(self, row: Setting, *, may_widen: bool) -> str:
        """Why a setting cannot be changed here, as a sentence; "" where it can.

        Args:
            may_widen: whether the caller may change who reaches what.
        """
        if name := self._given.get(row.name):
            return f"It was given by {name} when the program was started, which counts over what is set here."
        if row.elsewhere:
            return row.elsewhere
        return LOCAL_ONLY if row.widens and not may_widen else ""

    def given_by(self, name: str) -> str:
        """The flag or variable that gives a setting; "" where there is none."""
        return self._given.get(name, "")

    def is_pending(self, row: Setting) -> bool:
        """Whether what is set counts from the next start only."""
        return row.counts == "next start" and getattr(self._wanted, row.name) != getattr(self._started, row.name)

    def change(self, values: Mapping[str, Any], *, may_widen: bool) -> dict[str, Outcome]:
        """Set values, each by itself: one that is refused keeps no other from being set."""
        with self._lock:
            return {name: self._change(name, value, may_widen=may_widen) for name, value in values.items()}

    def reset(self, names: Iterable[str] | None = None, *, may_widen: bool) -> dict[str, Outcome]:
        """Set defaults again; None: of all settings that are not as usual and may be changed."""
        with self._lock:
            wanted = self._changeable(may_widen=may_widen) if names is None else tuple(names)
            return {name: self._change(name, None, may_widen=may_widen, is_reset=True) for name in wanted}

    def exported(self) -> dict[str, Any]:
        """What was set to something else than the default, as JSON and without secrets."""
        return {row.name: self.value(row) for row in ROWS if not row.secret and self.is_changed(row)}

    def value(self, row: Setting) -> Any:
        """What is set, as JSON; whether anything is, of a secret."""
        found = getattr(self._wanted, row.name)
        return bool(found) if row.secret else as_json(found)

    def is_changed(self, row: Setting) -> bool:
        """Whether something else than the default is set."""
        return bool(getattr(self._wanted, row.name) != default_of(row.name))

    def _changeable(self, *, may_widen: bool) -> tuple[str, ...]:
        return tuple(row.name for row in ROWS if self.is_changed(row) and not self.locked(row, may_widen=may_widen))

    def _change(self, name: str, value: Any, *, may_widen: bool, is_reset: bool = False) -> Outcome:
        row = BY_NAME.get(name)
        if row is None:
            return Outcome("refused", NO_SETTING)
        if reason := self.locked(row, may_widen=may_widen):
            return Outcome("refused", reason)
        try:
            changed = _valid(name, default_of(name) if is_reset else value)
        except ValueError as error:
            return Outcome("refused", str(error))
        before = getattr(self._wanted, name)
        if changed == before:
            return Outcome("unchanged")
        try:
            self._keep(name, changed)
            self._enforce(row, changed)
        except WebuiError as error:
            return Outcome("refused", str(error))
        return Outcome(row.counts)

    def _keep(self, name: str, value: Any) -> None:
        """Write it down; a default is no entry of the file."""
        if value == default_of(name):
            self._file.change({}, without=(name,))
        else:
            self._file.change({name: as_json(value)})
        self._wanted = self._wanted.model_copy(update={name: value})

    def _enforce(self, row: Setting, value: Any) -> None:
        """Let the change count; taken back where the program cannot use the value."""
        if row.counts == "next start":
            return
        before = self._running
        self._running = before.model_copy(update={row.name: value})
        if row.counts == "next job":
            self._live.renew()
            return
        try:
            self._live.apply[row.name](self._running)
        except WebuiError:
            self._running = before
            self._keep(row.name, getattr(before, row.name))
            raise


def default_of(name: str) -> Any:
    """The value of a setting that nobody has set."""
    return Settings.model_fields[name].get_default(call_default_factory=True)


def as_json(value: Any) -> Any:
    """A value as the page and the file have it: paths as text, a folder for one kind as `kind=path`."""
    if isinstance(value, tuple | list):
        return [as_json(one) for one in value]
    if isinstance(value, ModelFolder):
        return f"{value.kind}={value.path}"
    if isinstance(value, Path):
        return str(value)
    return value


def _valid(name: str, value: Any) -> Any:
    """A value in the type of its setting. Raises ValueError with a sentence."""
    if value == "" and default_of(name) is None:
        value = None
    if isinstance(value, str) and "\0" in value:
        raise ValueError("It has a character that no name may have.")
    try:
        return getattr(Settings.model_validate({name: value}), name)
    except ValidationError as error:
        raise ValueError("; ".join(item["msg"].removeprefix("Value error, ") for item in error.errors())) from None
