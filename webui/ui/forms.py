"""Draws one control for each field of a pydantic model, and reads the controls back into a request, by name.

The tabs decide where a field is on the page. Its bounds, choices and help text come from its schema alone, so that a
new field needs no new code here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component
from pydantic import BaseModel, ValidationError

from webui.domain.errors import BadRequestError, UnusableFileError
from webui.domain.hires import Hires
from webui.domain.request import GenerationRequest
from webui.library.json_object import json_value

Schema = Mapping[str, Any]
Span = tuple[float, float, float]  # lowest, highest, step of a slider

HIRES = "task.hires."
EXACT = 2**53  # whole numbers up to here are exact in a browser
FINE_SPAN, SLIDER_SPAN = 1.0, 100.0  # up to the first a slider moves by 0.01; above the second a box is handier


def leaves(model: type[BaseModel]) -> dict[str, Schema]:
    """The schema of every plain field of a model, nested ones by dotted name (`noise.eta`).

    Constants are left out, and so is the task, which is chosen by the tab.

    A field that may be None has `"optional": True` in its schema.
    """
    schema = model.model_json_schema()
    return dict(_leaves(schema, schema.get("$defs", {}), prefix=""))


def request_leaves() -> dict[str, Schema]:
    """The fields of a request, and of the second pass of txt2img (`task.hires.scale`)."""
    return leaves(GenerationRequest) | {HIRES + name: schema for name, schema in leaves(Hires).items()}


def _leaves(schema: Schema, definitions: Schema, prefix: str) -> Iterator[tuple[str, Schema]]:
    for name, field in schema["properties"].items():
        options = [option for option in field.get("anyOf", ()) if option.get("type") != "null"]
        plain = {**field, **options[0], "optional": True} if len(options) == 1 else field
        if "$ref" in plain:
            inner = definitions[plain["$ref"].rsplit("/", 1)[1]]
            yield from _leaves(inner, definitions, f"{prefix}{name}.")
        elif "const" not in plain and "discriminator" not in plain:
            yield prefix + name, plain


def draw(name: str, schema: Schema, *, value: Any, label: str = "", span: Span | None = None, **more: Any) -> Component:
    """Draw the control of one field inside the caller's Blocks.

    Args:
        name: dotted field name; names the control where `label` is empty, and makes its element id.
        schema: one value of `leaves`.
        value: the first value.
        span: the range of the slider, where that of the request is too wide; a larger value widens the slider.
        more: passed on to the Gradio component.

    Raises:
        TypeError: no control can show a field of this kind.
    """
    shown: dict[str, Any] = {
        "label": label or name.rsplit(".", 1)[-1].replace("_", " ").capitalize(),
        "info": schema.get("description"),
        "elem_id": name.replace(".", "_"),
        **more,
    }
    match schema:
        case {"type": "integer", "maximum": int(most)} if most > EXACT:
            return gr.Textbox(str(value), max_lines=1, **shown)  # the browser's numbers would round it
        case {"type": "integer" | "number", "optional": True}:
            # a text box, because Gradio shows an empty number box as 0, which is another value
            return gr.Textbox(as_text(value), placeholder="not set", max_lines=1, **shown)
        case {"type": "boolean"}:
            return gr.Checkbox(value, **shown)
        case {"enum": [*choices]}:
            return gr.Dropdown(choices, value=value, **shown)
        case {"type": "integer" | "number" as kind}:
            return _number(schema, kind, value, span, shown)
        case {"type": "array", "items": {"type": "string"}}:
            names = shown.pop("choices", list(value))
            return gr.Dropdown(names, value=list(value), multiselect=True, allow_custom_value=True, **shown)
        case {"type": "string"}:
            return gr.Textbox(value, **shown)
        case {"type": "object"}:
            return gr.Textbox(as_json(value), lines=2, placeholder="JSON", **shown)
    raise TypeError(f"no control can show {name}: {dict(schema)}")


def _number(schema: Schema, kind: str, value: Any, span: Span | None, shown: dict[str, Any]) -> Component:
    """A slider where the range is short enough for dragging, otherwise a number box."""
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if span is None and low is not None and high is not None and high - low <= SLIDER_SPAN + 100 * (kind == "integer"):
        fine = 0.01 if high - low <= FINE_SPAN else 0.05
        span = (low, high, schema.get("multipleOf", 1) if kind == "integer" else fine)
    if span is not None:
        low, high, step = span
        wide = {"minimum": min(low, value), "maximum": max(high, value)}
        return gr.Slider(value=value, step=step, buttons=[], **wide, **shown)
    step = schema.get("multipleOf", 1) if kind == "integer" else 0.01
    return gr.Number(value, precision=0 if kind == "integer" else None, step=step, **shown)


def as_text(number: float | None) -> str:
    """The text of a number; "" for None."""
    return "" if number is None else str(number)


def as_json(options: Mapping[str, Any]) -> str:
    """The JSON text of an object field; "" where it is empty."""
    return json.dumps(options, ensure_ascii=False) if options else ""


class ExtensionControls(Protocol):
    """The controls of extensions (`ui.extension_views.Accordions`)."""

    @property
    def components(self) -> list[Component]: ...
    @property
    def names(self) -> frozenset[str]: ...
    def read(self, values: Mapping[Component, Any]) -> dict[str, dict[str, Any]]: ...
    def show(self, request: GenerationRequest) -> dict[Block, Any]: ...


@dataclass(frozen=True, slots=True)
class Form:
    """The controls of one request by the dotted name of their field."""

    controls: Mapping[str, Component]
    extensions: ExtensionControls | None = None

    @property
    def components(self) -> set[Component]:
        """What an event takes as `inputs` to have its values arrive keyed by component."""
        return {*self.controls.values(), *(self.extensions.components if self.extensions else ())}

    def read(self, values: Mapping[Component, Any]) -> GenerationRequest:
        """The request that the controls show.

        Raises:
            BadRequestError: naming the field and what is wrong with it.
        """
        fields: dict[str, Any] = {}
        schemas = request_leaves()
        for name, control in self.controls.items():
            *parents, last = name.split(".")
            inner = fields
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[last] = _plain(name, values[control], schemas[name])
        if self.extensions is not None:
            fields["extensions"] = {**fields.get("extensions", {}), **self.extensions.read(values)}
        if not fields.get("refiner", {}).get("checkpoint"):
            fields["refiner"] = None
        if "task" in fields:  # a discriminated union is chosen by its kind
            fields["task"].setdefault("kind", "txt2img")
        try:
            return GenerationRequest.model_validate(fields)
        except ValidationError as error:
            raise bad_request(error) from None

    def show(self, request: GenerationRequest, names: Iterable[str] | None = None) -> dict[Block, Any]:
        """Updates that make the controls show this request (only the fields named, where names are given)."""
        wanted = self.controls.keys() if names is None else [name for name in names if name in self.controls]
        flat = flatten(request)
        schemas = request_leaves()
        updates: dict[Block, Any] = {}
        for name in wanted:
            control, schema = self.controls[name], schemas[name]
            value: Any = flat.get(name, schema.get("default", ""))
            if name == "extensions" and self.extensions is not None:  # the box is for extensions without controls
                value = {key: options for key, options in value.items() if key not in self.extensions.names}
            change: dict[str, Any] = {"value": _shown(value, schema)}
            if isinstance(control, gr.Slider):
                low: float = control.minimum
                high: float = control.maximum
                change |= {"minimum": min(low, value), "maximum": max(high, value)}
            updates[control] = gr.update(**change)
        if self.extensions is not None and "extensions" in wanted:
            updates |= self.extensions.show(request)
        return updates


def flatten(request: GenerationRequest) -> dict[str, Any]:
    """Values of a request by dotted name, as `leaves` names them; parts that are None are left out."""
    names = request_leaves()
    flat: dict[str, Any] = {}
    whole = request.model_dump(mode="json")
    for name in names:
        value: Any = whole
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None or names[name].get("optional"):
            flat[name] = value
    return flat


def _shown(value: Any, schema: Schema) -> Any:
    """A field's value as its control takes it."""
    if schema.get("type") == "object":
        return as_json(value)
    if _is_long(schema):
        return str(value)
    return as_text(value) if schema.get("optional") else value


def _is_long(schema: Schema) -> bool:
    """Whether it holds whole numbers that browsers cannot tell apart, so that their control is a text box."""
    return schema.get("type") == "integer" and schema.get("maximum", 0) > EXACT


def _plain(name: str, value: Any, schema: Schema) -> Any:
    """What a control sent, as the field takes it: an emptied box means "" or no entries, never None.

    An emptied box of a whole number that is a text box means its default.
    """
    if _is_long(schema) and isinstance(value, str):
        return value.strip() or schema.get("default")
    if schema.get("optional"):
        return value.strip() or None if isinstance(value, str) else value
    match schema.get("type"):
        case "string":
            return "" if value is None else value
        case "array":
            return value or ()
        case "object":
            try:
                return json_value("it", value) if value and value.strip() else {}
            except UnusableFileError as error:
                raise BadRequestError(name, f"cannot be used: {error}") from None
    return value


def plain(name: str, value: Any) -> Any:
    """The value of an optional number's control. An empty box means None."""
    return _plain(name, value, {"optional": True})


def bad_request(error: ValidationError) -> BadRequestError:
    """The first problem of a validation as one sentence that names the field."""
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "request"
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
    given = repr(first["input"])
    is_short = first["loc"] and len(given) <= 60
    return BadRequestError(field, f"{message} (it is {given})" if is_short else message)
