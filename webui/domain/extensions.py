"""What the front knows of extensions: plain data, made by the process that ran their code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "failed", "disabled"]


@dataclass(frozen=True, slots=True)
class ActionInfo:
    """An action: its name, its title, the JSON schema of its options, its further routes, whether it is light."""

    name: str
    title: str
    schema: Mapping[str, Any]
    routes: tuple[str, ...] = ()
    light: bool = False


@dataclass(frozen=True, slots=True)
class ExtensionInfo:
    """One folder below `extensions/`.

    Attributes:
        folder: its name; `name` is the one in its manifest, under which requests carry its options.
        state: "ok", "failed" (`error` says why in a sentence, `traceback` where), or "disabled" by the user.
        options: JSON schema of what a request may carry; None where it takes nothing.
    """

    folder: str
    name: str
    version: str = ""
    description: str = ""
    needs: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    state: State = "ok"
    error: str = ""
    traceback: str = ""
    options: Mapping[str, Any] | None = None
    actions: tuple[ActionInfo, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ActionCall:
    """Do this action. Crosses to the worker; the options are checked again there."""

    extension: str
    action: str
    options: Mapping[str, Any]
    light: bool = False
