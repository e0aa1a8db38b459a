"""What the settings mean for one request beside its fields: how it is saved, its grid, and what is said of the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from webui.api.sdapi.dialect.chosen import ChosenSettings, default_of, typed
from webui.api.sdapi.dialect.file_options import GridRules, grid_rules, saving_of
from webui.api.sdapi.dialect.known_settings import KNOWN
from webui.api.sdapi.dialect.options import OF_EXTENSIONS, OF_ONE_TASK
from webui.domain.result import GenerationResult, Notice
from webui.domain.saving import Saving

PLACE = "override_settings"
SOURCE = "settings"  # of the notices


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """Settings of one request.

    Attributes:
        saving: how its pictures become files, those of the answer among them.
        saves: whether files are written where the request asks for it.
        previews: whether its progress is told with a picture.
        notices: settings that were sent and have no effect.
        kept: what stays set afterwards where the request wants that.
    """

    saving: Saving
    grid: GridRules
    saves: bool
    previews: bool
    notices: tuple[Notice, ...]
    kept: Mapping[str, Any]

    def told(self, result: GenerationResult) -> GenerationResult:
        """The result with the notices."""
        return replace(result, notices=(*result.notices, *self.notices))


def settings_of(
    overrides: Mapping[str, Any] | None,
    chosen: ChosenSettings,
    extensions: Mapping[str, Any] = MappingProxyType({}),
) -> RequestSettings:
    """The settings that count for a request; unknown keys are left to others.

    Args:
        extensions: the settings that extensions declare, with their defaults.

    Raises:
        InvalidBodyError: a value is wrong; names its place.
    """
    given = {
        key: typed(key, value, extensions.get(key, default_of(key)), (PLACE, key))
        for key, value in (overrides or {}).items()
        if value is not None and (key in KNOWN or key in OF_ONE_TASK or key in OF_EXTENSIONS or key in extensions)
    }
    values = {**chosen.values(), **given}
    return RequestSettings(
        saving=saving_of(values, (PLACE,)),
        grid=grid_rules(values, (PLACE,)),
        saves=bool(values["samples_save"]),
        previews=bool(values["live_previews_enable"]),
        notices=tuple(
            Notice(SOURCE, f"{key} has no effect: {KNOWN[key].reason}")
            for key in given
            if key in KNOWN and KNOWN[key].effect == "none" and key not in extensions
        ),
        kept=given,
    )
