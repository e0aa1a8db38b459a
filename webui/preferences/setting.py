"""One setting as people see it: its group, its words, its control, and from when on a change of it counts."""

from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from webui.domain.settings import Settings

Group = Literal[
    "Files",
    "Look",
    "Live preview",
    "Generation defaults",
    "Memory and speed",
    "Paths",
    "API and access",
    "Extensions",
]
GROUPS: tuple[Group, ...] = (
    "Files", "Look", "Live preview", "Generation defaults", "Memory and speed", "Paths", "API and access", "Extensions",
)  # fmt: skip
Counts = Literal["now", "next job", "next start"]
ControlKind = Literal["switch", "choice", "number", "text", "pattern", "list"]


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table.

    Attributes:
        name: of the field of `Settings`.
        label, help: English; both are looked up in the page's dictionaries.
        counts: from when on a change is in force.
        widens: whether it decides who may reach what, so that only people at this machine may change it.
        secret: whether its value never leaves the program.
        elsewhere: where it is changed instead, as a sentence; "" where it is changed here.
        pattern: whether it is a pattern of names, which is shown with an example.
    """

    name: str
    group: Group
    label: str
    help: str
    counts: Counts = "next start"
    widens: bool = False
    secret: bool = False
    elsewhere: str = ""
    pattern: bool = False


@dataclass(frozen=True, slots=True)
class Control:
    """What a value is entered with.

    Attributes:
        choices: of a `choice`; empty otherwise.
        low, high: of a `number`; None where there is no bound.
        whole: whether a `number` has no fraction.
    """

    kind: ControlKind
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    whole: bool = False


def control_of(setting: Setting) -> Control:
    """The control that fits the field of a setting."""
    field = Settings.model_fields[setting.name]
    kinds = _alternatives(field.annotation)
    first = kinds[0]
    if get_origin(first) is Literal:
        return Control("choice", tuple(map(str, get_args(first))))
    if get_origin(first) is tuple:
        return Control("list")
    if first is bool:
        return Control("switch")
    if first in (int, float):
        low, high = _bounds(field)
        return Control("number", low=low, high=high, whole=first is int)
    return Control("pattern" if setting.pattern else "text")


def _alternatives(annotation: Any) -> list[Any]:
    """The types that a field may have, without None."""
    if get_origin(annotation) in (Union, UnionType):
        return [one for one in get_args(annotation) if one is not type(None)]
    return [annotation]


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    low = next((one.ge for one in field.metadata if isinstance(one, Ge)), None)
    high = next((one.le for one in field.metadata if isinstance(one, Le)), None)
    return _number(low), _number(high)


def _number(bound: Any) -> float | None:
    return None if bound is None else bound
