"""What the page needs for settings: the settings, presets, and the rule who may change what widens access."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from webui.preferences.preferences import Preferences
from webui.preferences.presets import Presets


@dataclass(frozen=True, slots=True)
class PreferencesDoor:
    """Attributes:
    may_widen: given the address of a client and the headers of its request by lower-case name, whether it may
        change settings that decide who reaches what.
    """

    preferences: Preferences
    presets: Presets
    may_widen: Callable[[str, Mapping[str, str]], bool] = lambda client, headers: False
