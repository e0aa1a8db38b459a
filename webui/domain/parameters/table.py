"""The rows of every section, put together, and how one is found.

The order of `BEFORE_EXTENSIONS` and `AFTER_EXTENSIONS`, and of the rows within them, is that of the keys in a text.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from webui.domain.parameters.core import CORE
from webui.domain.parameters.guidance import GUIDANCE
from webui.domain.parameters.leaves import MISSING, leaves, value_at
from webui.domain.parameters.pictures import PICTURE
from webui.domain.parameters.row import Key, Place, Row
from webui.domain.parameters.sampling import CONDITIONING, SAMPLING
from webui.domain.parameters.second_pass import SECOND_PASS
from webui.domain.parameters.subject import Subject
from webui.domain.parameters.upscaling import UPSCALING

Section = tuple[Row | Place, ...]

BEFORE_EXTENSIONS: tuple[Section, ...] = (CORE,)
AFTER_EXTENSIONS: tuple[Section, ...] = (PICTURE, SECOND_PASS, CONDITIONING, SAMPLING, GUIDANCE, UPSCALING)

HIRES = "task.hires"
ROWS: tuple[Row, ...] = tuple(
    one for section in (*BEFORE_EXTENSIONS, *AFTER_EXTENSIONS) for one in section if isinstance(one, Row)
)
_BY_PATH: Mapping[str, Row] = MappingProxyType({row.path: row for row in ROWS})
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {path: None if field.is_required() else field.get_default(call_default_factory=True) for path, field in leaves()}
)


def row_of(path: str) -> Row:
    """The row of a leaf.

    Raises:
        LookupError: it has none; the message says where to add it.
    """
    if path not in _BY_PATH:
        raise LookupError(f"the field {path} has no row in webui/domain/parameters/ (see CONTRIBUTING.md, Add a field)")
    return _BY_PATH[path]


def default_of(path: str) -> Any:
    """The value that a leaf has where nobody sets it; None for one that must be set."""
    return _DEFAULTS.get(path)


def keyed() -> Iterator[tuple[Row, Key]]:
    """The rows that have a key."""
    return ((row, row.key) for row in ROWS if row.key is not None)


def is_of_hires(row: Row) -> bool:
    """Whether it is a leaf of the second pass."""
    return row.part == HIRES


def written(sections: Iterable[Section], subject: Subject) -> dict[str, object]:
    """Key -> value as Python prints it, in the order of the text; None: a place that is left empty."""
    found: dict[str, object] = {}
    for one in itertools.chain.from_iterable(sections):
        name = one.name if isinstance(one, Place) else one.key.name if one.key else ""
        value = one.value(subject) if isinstance(one, Place) else _value(one, subject)
        if name and (value is not None or name not in found):
            found.pop(name, None)  # where two leaves share a key, it stands where the one in force does
            found[name] = value
    return found


def _value(row: Row, subject: Subject) -> object:
    """What is written for a leaf; None: nothing."""
    key, leaf = row.key, value_at(subject.request, row.path)
    if key is None or leaf is MISSING or (is_of_hires(row) and subject.hires is None):
        return None
    if not key.when(subject) or (key.silent and subject.request.a1111_infotext):
        return None
    value = leaf if key.value is None else key.value(subject)
    if value is None or (value == default_of(row.path) and not key.always):
        return None
    return value if key.value is not None else key.codec.encode(value)
