"""The check of what an extension declares as A1111's words. A declaration that does not fit costs only itself."""

import logging
from typing import get_args, get_origin

import pluggy
from pydantic import BaseModel, ValidationError

from webui.domain.dialect import Dialect
from webui.extension_api.options import Options

log = logging.getLogger(__name__)


def dialect_of(manager: pluggy.PluginManager, options: type[Options] | None) -> tuple[Dialect, str]:
    """What the hook `dialect` declares, and "".

    Args:
        manager: knows one extension.
        options: the model of what a request may carry for it.

    Returns:
        Where the declaration cannot be used, an empty one, and a sentence that says why.
    """
    try:
        found = next(iter(manager.hook.dialect()), None)
        why = _wrong(found, options)
    except Exception as error:  # the extension works without; the user is told
        log.warning("the dialect of %s cannot be used", _name(manager), exc_info=error)
        found, why = None, _reason(error)
    if why:
        return Dialect(), f"{_name(manager)}: what it declares of A1111's words is set aside: {why}"
    return found or Dialect(), ""


def _wrong(found: object, options: type[Options] | None) -> str:
    if found is None:
        return ""
    if not isinstance(found, Dialect):
        return f"dialect returned {type(found).__name__}, expected a Dialect"
    for word, option in found.options():
        if options is None or not _has(options, option):
            return f"{word}: there is no option {option!r}"
    return ""


def _has(model: type[BaseModel], path: str) -> bool:
    """Whether a model has a field at a dotted path. Entries of a list are counted: `units.0.weight`."""
    name, _, rest = path.partition(".")
    field = model.model_fields.get(name)
    if field is None or not rest:
        return field is not None
    inner = field.annotation
    number, _, behind = rest.partition(".")
    if number.isdecimal() and behind and get_origin(inner) in (tuple, list):
        inner, rest = get_args(inner)[0], behind
    return isinstance(inner, type) and issubclass(inner, BaseModel) and _has(inner, rest)


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return f"{type(error).__name__}: {error}"


def _name(manager: pluggy.PluginManager) -> str:
    return str(next((name for name, _ in manager.list_name_plugin()), ""))
