"""Forms of extensions, drawn from the JSON schema of their options, and read back into the options of a request.

A field whose schema has `"model": "<kind>"` becomes a list of the files of that kind. Fields that no control can show
are edited as JSON.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from webui.domain.errors import BadRequestError, UnusableFileError, WebuiError
from webui.domain.images import Picture, safe_open
from webui.library.json_object import json_value
from webui.ui import forms

Schema = Mapping[str, Any]
Place = tuple[str | int, ...]
Names = Callable[[str], Sequence[str]]  # files of a kind
UNITS_SHOWN = 3  # how many units of a list are shown, where the schema allows more
SWITCH = "enabled"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of the options: its path, and its schema with references resolved."""

    place: Place
    schema: Schema

    @property
    def label(self) -> str:
        return str(self.schema.get("title") or str(self.place[-1]).replace("_", " ").capitalize())

    @property
    def is_picture(self) -> bool:
        return self.schema.get("contentEncoding") == "base64"


@dataclass(frozen=True, slots=True)
class Group:
    """Fields under a heading: "" for those of the extension itself, else a unit of a list."""

    title: str
    fields: tuple[Field, ...]


def groups(schema: Schema) -> tuple[Group, ...]:
    """The fields of an options model. Lists of objects give a group for each unit that is shown."""
    definitions = schema.get("$defs", {})
    plain: list[Field] = []
    units: list[Group] = []
    for name, raw in schema.get("properties", {}).items():
        field = _resolved(raw, definitions)
        items = _resolved(field.get("items", {}), definitions) if field.get("type") == "array" else {}
        if items.get("type") == "object" and items.get("properties"):
            for index in range(min(field.get("maxItems", UNITS_SHOWN), UNITS_SHOWN)):
                fields = tuple(_fields(items, definitions, (name, index)))
                units.append(Group(f"{items.get('title', name)} {index}", fields))
        else:
            plain += _fields({"properties": {name: raw}}, definitions, ())
    return (Group("", tuple(plain)), *units)


def _fields(schema: Schema, definitions: Schema, place: Place) -> Iterator[Field]:
    for name, raw in schema.get("properties", {}).items():
        field = _resolved(raw, definitions)
        if field.get("type") == "object" and "properties" in field:
            yield from _fields(field, definitions, (*place, name))
        elif "const" not in field:
            yield Field((*place, name), field)


def _resolved(raw: Schema, definitions: Schema) -> Schema:
    """The schema without references; `X or null` becomes X with `optional`."""
    options = [option for option in raw.get("anyOf", ()) if option.get("type") != "null"]
    optional = len(options) < len(raw.get("anyOf", ()))
    if len(options) == 1:
        raw = {**{key: value for key, value in raw.items() if key != "anyOf"}, **options[0], "optional": optional}
    if "$ref" in raw:
        inner = definitions[raw["$ref"].rsplit("/", 1)[1]]
        raw = {**inner, **{key: value for key, value in raw.items() if key != "$ref"}}
    return raw


@dataclass(frozen=True, slots=True)
class OptionsForm:
    """Drawn controls of one options model.

    Attributes:
        units: for each unit of a list, by the list and its index: the box that switches it on, and what the unit
            itself is told of that (`{"enabled": True}`, or nothing).
    """

    controls: Mapping[Place, tuple[Field, Component]]
    units: Mapping[tuple[str, int], tuple[Component, Mapping[str, bool]]]

    @property
    def components(self) -> list[Component]:
        return [*(control for _, control in self.controls.values()), *(box for box, _ in self.units.values())]

    def read(self, values: Mapping[Component, Any], path: str) -> dict[str, Any]:
        """The options that the controls show.

        Args:
            path: where they stand in a request, for errors.

        Raises:
            BadRequestError: naming the field.
        """
        options: dict[str, Any] = {}
        units: dict[tuple[str, int], dict[str, Any]] = {}
        for place, (field, control) in self.controls.items():
            value = _read(field, values[control], ".".join([path, *map(str, place)]))
            if value is _ABSENT:
                continue
            inner = options
            rest = place
            if len(place) > 1 and isinstance(place[1], int):
                inner, rest = units.setdefault((str(place[0]), place[1]), {}), place[2:]
            for part in rest[:-1]:
                inner = inner.setdefault(str(part), {})
            inner[str(rest[-1])] = value
        for unit, (box, told) in self.units.items():
            if values[box]:
                options.setdefault(unit[0], []).append({**units.get(unit, {}), **told})
        return options

    def show(self, options: Mapping[str, Any]) -> dict[Block, Any]:
        """Updates that make the controls show these options; pictures stay as they are."""
        updates: dict[Block, Any] = {}
        for place, (field, control) in self.controls.items():
            if not field.is_picture:
                found = _at(options, place)
                updates[control] = _shown(field, field.schema.get("default") if found is _ABSENT else found)
        for (name, index), (box, told) in self.units.items():
            unit = _at(options, (name, index))
            updates[box] = unit is not _ABSENT and all(unit.get(key) for key in told)
        return updates


def draw(schema: Schema, elem_id: str, names: Names) -> OptionsForm:
    """Draw the controls of an options model inside the caller's Blocks; `names` lists the files of a kind."""
    controls: dict[Place, tuple[Field, Component]] = {}
    units: dict[tuple[str, int], tuple[Component, Mapping[str, bool]]] = {}
    first, *others = groups(schema)
    with gr.Row(elem_classes="tight grid"):
        for field in first.fields:
            controls[field.place] = (field, _control(field, elem_id, names))
    if others:
        with gr.Tabs():
            for group in others:
                with gr.Tab(group.title):
                    place = group.fields[0].place
                    unit = (str(place[0]), int(place[1]))
                    box = gr.Checkbox(False, label="Use", elem_id=f"{elem_id}_{unit[0]}_{unit[1]}_use")
                    own = any(field.place[2:] == (SWITCH,) for field in group.fields)
                    units[unit] = (box, {SWITCH: True} if own else {})
                    with gr.Row(elem_classes="tight grid"):
                        for field in group.fields:
                            if field.place[2:] != (SWITCH,):  # the box above is the switch
                                controls[field.place] = (field, _control(field, elem_id, names))
    return OptionsForm(controls, units)


def _control(field: Field, elem_id: str, names: Names) -> Component:
    schema = field.schema
    name = ".".join(str(part) for part in field.place)
    shown: dict[str, Any] = {"label": field.label, "elem_id": f"{elem_id}_{name.replace('.', '_')}", "min_width": 220}
    if field.is_picture:
        return gr.Image(type="filepath", sources=["upload", "clipboard"], height=260, buttons=[], **shown)
    if isinstance(kind := schema.get("model"), str):
        return gr.Dropdown(
            ["", *names(kind)], value=schema.get("default") or "", allow_custom_value=True,
            info=schema.get("description"), **shown,
        )  # fmt: skip
    default = schema.get("default", _EMPTY.get(str(schema.get("type")), ""))
    if "examples" in schema and schema.get("type") == "string":
        return gr.Dropdown(
            schema["examples"], value=default, allow_custom_value=True, info=schema.get("description"), **shown
        )
    try:
        return forms.draw(name, schema, value=default, **shown)
    except TypeError:
        return gr.Textbox(json.dumps(default), lines=2, placeholder="JSON", info=schema.get("description"), **shown)


_ABSENT = object()
_EMPTY: Mapping[str, Any] = MappingProxyType({"integer": 0, "number": 0.0, "boolean": False, "array": (), "object": {}})


def _read(field: Field, value: Any, path: str) -> Any:
    """The value of a control as JSON; `_ABSENT` where the default should be used."""
    schema = field.schema
    kind = schema.get("type")
    if field.is_picture:
        return _ABSENT if not value else _picture(value, path)
    if schema.get("optional") and (value is None or value == ""):
        return None
    if kind in ("integer", "number") and isinstance(value, str):
        try:
            return int(value) if kind == "integer" else float(value)
        except ValueError:
            raise BadRequestError(path, f"should be a number (it is {value[:40]!r})") from None
    if kind == "string" or "enum" in schema:
        return "" if value is None else value
    if kind in ("integer", "number", "boolean"):
        return _ABSENT if value is None else value
    if kind == "array" and isinstance(value, list):
        return value
    try:
        return json_value("it", value) if value and str(value).strip() else _ABSENT
    except UnusableFileError as error:
        raise BadRequestError(path, f"cannot be used: {error}") from None


def _picture(value: Any, path: str) -> str:
    """An uploaded file as base64; the page has checked that it is one."""
    file = value.get("path") if isinstance(value, dict) else value
    try:
        return base64.b64encode(Picture.of(safe_open(Path(str(file)))).png).decode("ascii")
    except (WebuiError, ValueError) as error:
        raise BadRequestError(path, str(error)) from None


def _shown(field: Field, value: Any) -> Any:
    schema = field.schema
    if "enum" in schema or schema.get("type") in ("string", "boolean", "integer", "number"):
        return gr.update(value="" if value is None else forms.as_text(value) if schema.get("optional") else value)
    strings = schema.get("type") == "array" and schema.get("items", {}).get("type") == "string"
    return gr.update(value=list(value or ()) if strings else json.dumps(value))


def _at(options: Any, place: Place) -> Any:
    for part in place:
        try:
            options = options[part]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return options
