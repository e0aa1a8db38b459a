"""`alwayson_scripts`: how A1111's clients name extensions and give them their options."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webui.api.body import InvalidBodyError, Loc
from webui.domain.dialect import NamedScript, as_lists, placed, script_key
from webui.domain.extensions import ExtensionInfo

# Scripts that come with A1111: the fields of the body say what they do, its API skips them or they do nothing there.
OWN_SCRIPTS = ("sampler", "seed", "refiner", "comments", "extra_options", "hypertile", "api_payload")
# Scripts that clients name in every request, switched off.
OFTEN_OFF = ("adetailer",)
UNITS = "units"  # the field that takes a list of dicts
FIELD = "alwayson_scripts"
LARGEST = 2**64  # of a whole number; seeds are the largest that mean anything


def options_of(scripts: Mapping[str, Any], extensions: Sequence[ExtensionInfo]) -> dict[str, dict[str, Any]]:
    """What `alwayson_scripts` says, as options by extension.

    `args` may be one dict (the options), several dicts (units), or values in the order in which the options are
    declared or the dialect places them, with units behind them; fewer values are fine, further ones are ignored, null
    leaves the default.

    Raises:
        InvalidBodyError: there is no such extension, or `args` has another form.
    """
    options: dict[str, dict[str, Any]] = {}
    for title, script in scripts.items():
        if script_key(title) in OWN_SCRIPTS:
            continue
        info = _named(title, extensions)
        if info is None:
            if _is_off(title, script):
                continue
            raise InvalidBodyError.at((FIELD, title), f"Script '{title[:100]}' not found", "not_found")
        if not isinstance(script, dict):
            raise InvalidBodyError.at((FIELD, title), 'must be an object: {"args": [...]}')
        _check_numbers(script, (FIELD, title))
        named = _part_of(title, info)
        args = script.get("args", [])
        read = _read(args, info, title) if named is None else _read_part(args, named, title)
        if info.name not in options or read.get("enabled") is not False:  # of its scripts, one may be switched off
            options[info.name] = _joined(options.get(info.name, {}), read)
    return options


def listed_names(info: ExtensionInfo) -> list[str]:
    """The names under which A1111's API lists an extension, in lower case: those of its scripts, else its title."""
    parts = [name for script in info.dialect.scripts for name in script.names]
    return [name.lower() for name in (*(info.dialect.script_names or (info.title,)), *parts)]


def place_of(path: Loc, scripts: Mapping[str, Any], extensions: Sequence[ExtensionInfo]) -> Loc | None:
    """Where in the body an option stands; None where `alwayson_scripts` does not name its extension.

    Args:
        path: of the option in a request, `("extensions", "controlnet", "units", 0, "weight")`.
    """
    name, rest = path[1], path[2:]
    for title, script in scripts.items():
        info = None if script_key(title) in OWN_SCRIPTS else _named(title, extensions)
        if info is None or info.name != name or not isinstance(script, dict):
            continue
        args, start = script.get("args", []), (FIELD, title, "args")
        named = _part_of(title, info)
        if named is not None:
            if (at := _position_in_part(rest, named, args)) is None:
                continue
            return (*start, *at)
        fields = _fields(info)
        if isinstance(args, dict) or not rest:
            return (*start, *rest)
        before = _values_before_units(args, fields)
        if before is not None and rest[0] == UNITS and not _is_whole(args):
            if not rest[1:] or not str(rest[1]).isdecimal():
                return start
            number = before + int(rest[1])
            return (*start, number, *_spelt(rest[2:], args[number] if number < len(args) else {}))
        if len(args) == 1 and isinstance(args[0], dict):
            return (*start, 0, *rest)
        return (*start, *_position(rest, info, title, fields))
    return None


def _position(path: Loc, info: ExtensionInfo, title: str, fields: Mapping[str, Any]) -> Loc:
    """The place of an option among the values of a script; the path itself where it has none."""
    names, entries = _args(info, title, fields), info.dialect.script_entries
    if entries is not None and path[0] == entries.option and len(path) > 2 and path[2] in entries.args:
        return (len(names) + int(path[1]) * len(entries.args) + entries.args.index(str(path[2])), *path[3:])
    return (names.index(str(path[0])), *path[1:]) if path[0] in names else path


def _spelt(path: Loc, unit: Mapping[str, Any]) -> Loc:
    """The path in a unit as its client wrote it: `ad_model` where the option is `model`."""
    if not path or path[0] in unit:
        return path
    longer = [key for key in unit if key.endswith(f"_{path[0]}")]
    return (min(longer, key=len), *path[1:]) if longer else path


def _named(title: str, extensions: Sequence[ExtensionInfo]) -> ExtensionInfo | None:
    """The extension of that name, else the one that is listed under it or declares it as a name of its scripts."""
    wanted = script_key(title)
    return next((info for info in extensions if info.name == wanted), None) or next(
        (info for info in extensions if wanted in map(script_key, (info.title, *listed_names(info)))), None
    )


def _part_of(title: str, info: ExtensionInfo) -> NamedScript | None:
    """The script of that title that asks for a part of an extension's options; None: the title asks for all."""
    wanted = script_key(title)
    if wanted == info.name:
        return None
    return next((one for one in info.dialect.scripts if wanted in map(script_key, one.names)), None)


def _read_part(args: Any, script: NamedScript, title: str) -> dict[str, Any]:
    """Options of an extension from the values of a script that asks for a part of them."""
    whole: dict[str, Any] = {}
    for path, value in script.always.items():
        placed(whole, path, value)
    if isinstance(args, list) and len(args) == 1 and isinstance(args[0], dict):
        args = args[0]
    if isinstance(args, dict):
        for key, value in args.items():
            placed(whole, script.path(script.keys.get(str(key)) or str(key)), value)
        return whole
    if not isinstance(args, list):
        raise InvalidBodyError.at((FIELD, title, "args"), "must be a list")
    for option, value in _by_place(script.args, args).items():
        placed(whole, script.path(option), value)
    rest, entries = args[len(script.args) :], script.entries
    if entries is not None and rest:
        size = len(entries.args)
        each = [_by_place(entries.args, rest[start : start + size]) for start in range(0, len(rest), size)]
        placed(whole, script.path(entries.option), each)
    read: dict[str, Any] = as_lists(whole)
    return read


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both, where several scripts ask for parts of one extension; the second counts where both say something."""
    both = dict(first)
    for key, value in second.items():
        is_part = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = _joined(both[key], value) if is_part else value
    return both


def _position_in_part(path: Loc, script: NamedScript, args: Any) -> Loc | None:
    """Where among the values of a script an option stands; None where the option is not of its part."""
    below = tuple(script.option.split(".")) if script.option else ()
    if path[: len(below)] != below:
        return None
    path = path[len(below) :]
    if isinstance(args, dict) or (isinstance(args, list) and len(args) == 1 and isinstance(args[0], dict)):
        there = {ours: theirs for theirs, ours in script.keys.items()}
        spelt: Loc = (there.get(str(path[0]), path[0]), *path[1:]) if path else ()
        return spelt if isinstance(args, dict) else (0, *spelt)
    dotted = ".".join(map(str, path))
    if dotted in script.args:
        return (script.args.index(dotted),)
    entries = script.entries
    if entries is not None and len(path) > 2 and path[0] == entries.option and path[2] in entries.args:
        return (len(script.args) + int(path[1]) * len(entries.args) + entries.args.index(str(path[2])), *path[3:])
    return path


def _is_off(title: str, script: Any) -> bool:
    """Whether a script that is not here was not asked for anyway: its first argument is false, or it has none."""
    args = script.get("args", []) if isinstance(script, dict) else None
    return script_key(title) in OFTEN_OFF and isinstance(args, list) and (not args or args[0] is False)


def _fields(info: ExtensionInfo) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = (info.options or {}).get("properties", {})
    return fields


def _args(info: ExtensionInfo, title: str, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The options of a script by the places of its values."""
    return info.dialect.script_args or tuple(fields)


def _values_before_units(args: Sequence[Any], fields: Mapping[str, Any]) -> int | None:
    """How many values stand before the dicts of units; None where there are none, or something else behind them."""
    first = next((number for number, one in enumerate(args) if isinstance(one, dict)), None)
    if UNITS not in fields or first is None or not all(isinstance(unit, dict) for unit in args[first:]):
        return None
    return first


def _is_whole(args: Sequence[Any]) -> bool:
    """Whether the one dict is the options themselves and not a unit."""
    return len(args) == 1 and UNITS in args[0]


def _read(args: Any, info: ExtensionInfo, title: str) -> dict[str, Any]:
    fields = _fields(info)
    if isinstance(args, dict):
        return args
    if not isinstance(args, list):
        raise InvalidBodyError.at((FIELD, title, "args"), "must be a list")
    names = _args(info, title, fields)
    before = _values_before_units(args, fields)
    if before is not None:
        return args[0] if _is_whole(args) else {**_by_place(names, args[:before]), UNITS: args[before:]}
    if len(args) == 1 and isinstance(args[0], dict):
        return args[0]
    read, entries = _by_place(names, args), info.dialect.script_entries
    if entries is not None and len(args) > len(names):
        size = len(entries.args)
        each = [args[start : start + size] for start in range(len(names), len(args), size)]
        read[entries.option] = [_by_place(entries.args, one) for one in each]
    return read


def _by_place(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, values, strict=False) if name and value is not None}


def _check_numbers(value: Any, place: Loc) -> None:
    """Refuse whole numbers so long that nothing can reckon with them."""
    for where, number in _numbers(value, place):
        if abs(number) > LARGEST:
            raise InvalidBodyError.at(where, "is too large a number")


def _numbers(value: Any, place: Loc) -> Iterator[tuple[Loc, int]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _numbers(inner, (*place, index))
    elif isinstance(value, int):
        yield place, value
