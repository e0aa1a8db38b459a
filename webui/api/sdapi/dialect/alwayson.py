"""`alwayson_scripts`: how A1111's clients name extensions and give them their options."""

from collections.abc import Mapping, Sequence
from typing import Any

from webui.api.body import InvalidBodyError
from webui.domain.dialect import script_key
from webui.domain.extensions import ExtensionInfo

OWN_SCRIPTS = ("sampler", "seed", "refiner")  # A1111's core scripts, which its API skips too
UNITS = "units"  # the field that takes a list of dicts


def options_of(scripts: Mapping[str, Any], extensions: Sequence[ExtensionInfo]) -> dict[str, dict[str, Any]]:
    """What `alwayson_scripts` says, as options by extension.

    `args` may be one dict (the options), several dicts (units), or values in the order in which the options are
    declared or the dialect places them; fewer are fine, further ones are ignored, null leaves the default.

    Raises:
        InvalidBodyError: there is no such extension, or `args` has another form.
    """
    options: dict[str, dict[str, Any]] = {}
    for title, script in scripts.items():
        if title.lower() in OWN_SCRIPTS:
            continue
        info = _named(script_key(title), extensions)
        if info is None:
            raise InvalidBodyError.at(("alwayson_scripts", title), f"Script '{title[:100]}' not found", "not_found")
        if not isinstance(script, dict):
            raise InvalidBodyError.at(("alwayson_scripts", title), 'must be an object: {"args": [...]}')
        options[info.name] = _read(script.get("args", []), info, title)
    return options


def _named(wanted: str, extensions: Sequence[ExtensionInfo]) -> ExtensionInfo | None:
    """The extension of that name, else the one that declares it as a name of its scripts."""
    return next((info for info in extensions if info.name == wanted), None) or next(
        (info for info in extensions if wanted in map(script_key, info.dialect.script_names)), None
    )


def _read(args: Any, info: ExtensionInfo, title: str) -> dict[str, Any]:
    fields: Mapping[str, Any] = (info.options or {}).get("properties", {})
    if isinstance(args, dict):
        return args
    if not isinstance(args, list):
        raise InvalidBodyError.at(("alwayson_scripts", title, "args"), "must be a list")
    if args and UNITS in fields and all(isinstance(unit, dict) for unit in args):
        whole = len(args) == 1 and UNITS in args[0]
        return args[0] if whole else {UNITS: args}
    if len(args) == 1 and isinstance(args[0], dict):
        return args[0]
    names = info.dialect.script_args or tuple(fields)
    return {name: value for name, value in zip(names, args, strict=False) if name and value is not None}
