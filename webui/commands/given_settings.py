"""Which settings a start gives by flags and variables, and by which. They count over those that the page keeps."""

import argparse
from collections.abc import Mapping
from types import MappingProxyType

from webui.commands.foreign.translation import KNOWN
from webui.domain.settings import Settings

NAMES: Mapping[str, str] = MappingProxyType(  # flags that are not called as their setting is
    {
        "allowed_hosts": "--allowed-host",
        "cors_origins": "--cors-origin",
        "disabled_extensions": "--disable-extension",
        "further_models_dirs": "--further-models-dir",
        "model_folders": "--model-folder",
        "open_browser": "--autolaunch",
    }
)


def flag_of(setting: str) -> str:
    """The flag of our own that gives a setting."""
    return NAMES.get(setting, f"--{setting.replace('_', '-')}")


def given_settings(given: argparse.Namespace, variables: Mapping[str, str]) -> dict[str, str]:
    """The flag or variable for each setting that one gives.

    Args:
        given: the command line.
        variables: usually `os.environ`.
    """
    known, values = Settings.model_fields, vars(given)
    found = {
        name.removeprefix("WEBUI_").lower(): name
        for name in variables
        if name.startswith("WEBUI_") and name.removeprefix("WEBUI_").lower() in known
    }
    for flag in KNOWN:
        if flag.dest in values and flag.means is not None:
            found |= dict.fromkeys(flag.means(tuple(values[flag.dest])).settings, flag.name)
    found |= {name: flag_of(name) for name, value in values.items() if name in known and value is not None}
    if values.get("listen"):
        found.setdefault("host", "--listen")
    if values.get("nowebui"):
        found |= {"webui": "--nowebui", "api": "--nowebui"}
    return found
