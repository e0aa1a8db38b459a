"""Changes items of an infotext that is written already: what a script adds to it, and what texts of grids lack."""

from collections.abc import Iterable, Mapping

from webui.domain.parameters.core import CORE
from webui.domain.parameters.row import Row
from webui.output.grammar import items
from webui.output.infotext import quote

_VERSION = ", Version: "
_CORE = frozenset(
    (row.key.name.removesuffix("-1").removesuffix("-2") if row.key else "") if isinstance(row, Row) else row.name
    for row in CORE
)


def without_keys(infotext: str, keys: Iterable[str]) -> str:
    """The infotext without the items of these keys."""
    above, line = _split(infotext)
    found = dict(items(line))
    for key in keys:
        if key in found:
            line = line.replace(f", {key}: {quote(found[key])}", "", 1)
    return above + line


def with_value(infotext: str, key: str, value: object) -> str:
    """The infotext with another value of a key that it has."""
    above, line = _split(infotext)
    before = dict(items(line)).get(key)
    if before is None:
        return infotext
    return above + line.replace(f"{key}: {quote(before)}", f"{key}: {quote(value)}", 1)


def with_last(infotext: str, further: Mapping[str, object]) -> str:
    """The infotext with items behind all but the version."""
    above, line = _split(infotext)
    front, version, back = line.rpartition(_VERSION)
    return f"{above}{front}{_text(further)}{version}{back}" if version else f"{above}{line}{_text(further)}"


def with_early(infotext: str, further: Mapping[str, object]) -> str:
    """The infotext with items before all that depend on the kind of request, where A1111's scripts write theirs."""
    above, line = _split(infotext)
    place = 0
    for key, value in items(line):
        piece = f"{key}: {quote(value)}"
        if key in _CORE and (at := line.find(piece)) >= 0:
            place = max(place, at + len(piece))
    return f"{above}{line[:place]}{_text(further)}{line[place:]}"


def _split(infotext: str) -> tuple[str, str]:
    above, newline, line = infotext.rpartition("\n")
    return above + newline, line


def _text(further: Mapping[str, object]) -> str:
    return "".join(f", {key}: {quote(value)}" for key, value in further.items())
