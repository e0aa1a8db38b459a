"""What page and server say to each other of settings and presets, as types."""

from typing import Any

from pydantic import Field, JsonValue

from webui.api.page.messages import Message
from webui.domain.saving import PATTERN_LENGTH, ImageFormat
from webui.preferences.preferences import State
from webui.preferences.setting import ControlKind, Counts, Group


class ShownSetting(Message):
    """A setting as the page shows it.

    Attributes:
        value: what is set, which may count from the next start only; of a secret, whether anything is set.
        given_by: the flag or variable that gives it; "" where there is none.
        locked: why it cannot be changed here; "" where it can.
        pending: whether what is set counts from the next start only.
    """

    name: str
    group: Group
    label: str
    help: str
    control: ControlKind
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    whole: bool
    value: Any
    default: Any
    changed: bool
    counts: Counts
    given_by: str
    locked: str
    pending: bool
    secret: bool


class SettingChanges(Message):
    """Values by the name of a setting."""

    values: dict[str, JsonValue] = Field(max_length=200)


class SettingResets(Message):
    """The settings that get their defaults again; None: all that may be changed."""

    names: tuple[str, ...] | None = Field(None, max_length=200)


class ShownOutcome(Message):
    """What became of one change."""

    state: State
    text: str


class NamePatterns(Message):
    """Patterns that somebody types, to be shown with an example."""

    filename_pattern: str = Field(max_length=PATTERN_LENGTH)
    folder_pattern: str = Field(max_length=PATTERN_LENGTH)
    image_format: ImageFormat = "png"


class PresetName(Message):
    """The preset that is to be deleted."""

    name: str = Field(max_length=200)
