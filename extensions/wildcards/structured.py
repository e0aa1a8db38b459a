"""Wildcards in YAML and JSON: text in, lists of values by name out. Nothing in a file is run, and what a file may hold
is bounded.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

import yaml

from webui.extension_api import BadRequestError

from .draws import Value

MAX_DEPTH = 30  # of lists and tables in each other
MAX_ENTRIES = 200_000
NUMBER = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?\s*")  # before two colons, a weight


def lists_of(file_name: str, text: str) -> list[tuple[str, Sequence[Value]]]:
    """The lists of a file, each by the keys above it joined by `/`; a file that is one list, by its own name.

    Values that are neither lists nor tables are left out, as in A1111's extension.

    Raises:
        BadRequestError: it is neither YAML nor JSON, or too much of it.
    """
    try:
        data = json.loads(text) if file_name.endswith(".json") else _yaml(text)
        if isinstance(data, list):
            return [(PurePath(file_name).stem, tuple(_values(data)))]
        return list(_named(data, (), 0)) if isinstance(data, dict) else []
    except RecursionError:
        raise BadRequestError("prompt", f"wildcards: {file_name} is nested too deeply") from None
    except (ValueError, yaml.YAMLError) as error:
        told = " ".join(str(error).split())[:200]
        raise BadRequestError("prompt", f"wildcards: {file_name} cannot be read ({told})") from None


def _yaml(text: str) -> Any:
    """Read with the loader that makes plain values alone, after the events were counted: an alias stands for a whole
    tree, so that a small file could mean a very large one.
    """
    depth = entries = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        entries += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases (*name) are not read")
        if depth > MAX_DEPTH or entries > MAX_ENTRIES:
            raise ValueError(f"more than {MAX_DEPTH} levels or {MAX_ENTRIES} entries")
    return yaml.safe_load(text)


def _named(table: dict[Any, Any], above: tuple[str, ...], depth: int) -> Iterator[tuple[str, Sequence[Value]]]:
    if depth > MAX_DEPTH:
        raise ValueError(f"more than {MAX_DEPTH} levels")
    for key, value in table.items():
        if not isinstance(key, str):
            continue
        if isinstance(value, list):
            yield "/".join((*above, key)), tuple(_values(value))
        elif isinstance(value, dict):
            yield from _named(value, (*above, key), depth + 1)


def _values(entries: list[Any]) -> Iterator[Value]:
    for entry in entries:
        if isinstance(entry, str) and entry:
            yield _weighted(entry)
        elif isinstance(entry, dict):
            content = entry.get("text") or entry.get("content")
            if isinstance(content, str):
                yield Value(content, _weight(entry.get("weight", 1)))


def _weighted(entry: str) -> Value:
    """`3::stone` is the value `stone` with the weight 3. Lines of comments in a longer value are left out."""
    lines = [line for line in entry.splitlines() if not line.lstrip().startswith("#")] if "\n" in entry else [entry]
    text = "\n".join(lines)
    number, mark, content = text.rpartition("::")
    if mark and NUMBER.fullmatch(number):  # other texts with two colons are texts, as `1girl::blue`
        return Value(content, _weight(number))
    return Value(text)


def _weight(number: Any) -> float:
    weight = float(number)
    if not 0 <= weight <= 1e6:
        raise ValueError(f"the weight {weight:g} is not between 0 and a million")
    return weight
