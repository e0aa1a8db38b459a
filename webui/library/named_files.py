"""Whether the model files that options of extensions name, or need, are in the models folder. Looks at names alone.

Two marks in the JSON schema of options say it: `"model": "<kind>"` of a text that names a file of that kind, and
`"needs": ["<kind>", ...]` of an option that, where it is neither 0 nor empty, needs a file of each of these kinds.
"""

from collections.abc import Mapping
from typing import Any, cast

from webui.domain.errors import BadRequestError
from webui.library.files import FOLDERS, Kind, ModelFile
from webui.library.library import ModelLibrary

NONE = ("", "None", "none")
LISTED = 20


def check_named(library: ModelLibrary, schema: Mapping[str, Any], values: Any, path: str) -> None:
    """Raises BadRequestError, naming the option below `path`, where a file is missing or cannot be used.

    A part whose `enabled` is false is left alone.
    """
    _Walk(library, schema.get("$defs", {})).check(schema, values, path)


class _Walk:
    """Options and their schema, hand in hand."""

    def __init__(self, library: ModelLibrary, definitions: Mapping[str, Any]) -> None:
        self._library = library
        self._definitions = definitions

    def check(self, schema: Mapping[str, Any], value: Any, path: str) -> None:
        schema = self._resolved(schema)
        if isinstance(value, Mapping):
            if value.get("enabled") is False:
                return
            for name, part in schema.get("properties", {}).items():
                if name in value:
                    self.check(part, value[name], f"{path}.{name}")
        elif isinstance(value, list | tuple) and isinstance(items := schema.get("items"), Mapping):
            for index, one in enumerate(value):
                self.check(items, one, f"{path}.{index}")
        else:
            self._check_leaf(schema, value, path)

    def _check_leaf(self, schema: Mapping[str, Any], value: Any, path: str) -> None:
        kind = schema.get("model")
        plain = (*NONE, *schema.get("examples", ()))
        if isinstance(kind, str) and kind in FOLDERS and isinstance(value, str) and value not in plain:
            self._check_name(cast(Kind, kind), value, path)
        for needed in schema.get("needs", ()) if value else ():
            if needed in FOLDERS and not self._usable(needed):
                raise BadRequestError(path, f"needs a file in models/{FOLDERS[needed][0]}, and there is none")

    def _check_name(self, kind: Kind, name: str, path: str) -> None:
        found = self._found(kind, name)
        if found is None:
            self._library.refresh()  # it may just have been put there
            found = self._found(kind, name)
        if found is None:
            names = [file.name for file in self._usable(kind)]
            there = f"there are: {', '.join(names[:LISTED])}" if names else "there is no usable file"
            raise BadRequestError(path, f"no {name[:200]!r} in models/{FOLDERS[kind][0]}; {there}")
        if not found.usable:
            raise BadRequestError(path, found.reason)

    def _found(self, kind: Kind, name: str) -> ModelFile | None:
        """A file whose name is this one, with or without a hash behind it, or contains it; usable ones first."""
        bare = name.rpartition(" [")[0] if name.endswith("]") else name
        files = sorted(self._library.files(kind), key=lambda file: not file.usable)
        return next((file for file in files if (bare or name).lower() in file.name.lower()), None)

    def _usable(self, kind: Kind) -> list[ModelFile]:
        return [file for file in self._library.files(kind) if file.usable]

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """The schema that a reference means; of several, the first that is not null."""
        for _ in range(5):
            if isinstance(reference := schema.get("$ref"), str):
                schema = {**self._definitions.get(reference.rpartition("/")[2], {}), **_without(schema, "$ref")}
            elif isinstance(choices := schema.get("anyOf"), list):
                one: Mapping[str, Any] = next((choice for choice in choices if choice.get("type") != "null"), {})
                schema = {**one, **_without(schema, "anyOf")}
        return schema


def _without(schema: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}
