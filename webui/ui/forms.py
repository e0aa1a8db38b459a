"""Draws one control for each field of a pydantic model, and reads the controls back into a request, by name.

The tabs decide where a field is on the page. Its bounds, choices and help text come from its schema alone, so that a
new field needs no new code here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.components import Component
from pydantic import BaseModel, ValidationError

from webui.domain.errors import BadRequestError, UnusableFileError
from webui.domain.hires import Hires
from webui.domain.parameters.table import HIRES
from webui.domain.request import GenerationRequest, Img2Img
from webui.library.json_object import json_value

Schema = Mapping[str, Any]
Span = tuple[float, float, float]  # lowest, highest, step of a slider

TASKS = ("txt2img", "img2img")
EXACT = 2**53  # whole numbers up to here are exact in a browser
FINE_SPAN, SLIDER_SPAN = 1.0, 100.0  # up to the first a slider moves by 0.01; above the second a box is handier


def leaves(model: type[BaseModel]) -> dict[str, Schema]:
    """The schema of every plain field of a model, nested ones by dotted name (`noise.eta`).

    Constants are left out, and so is the task, which is chosen by the tab.

    A field that may be None has `"optional": True` in its schema.
    """
    schema = model.model_json_schema()
    return dict(_leaves(schema, schema.get("$defs", {}), prefix=""))


@cache
def request_leaves() -> Mapping[str, Schema]:
    """The fields of a request and of its task: of txt2img the second pass (`task.hires.scale`), and those of img2img.

    Pictures and masks are left out, because they come from the canvas.
    """
    hires = {f"{HIRES}.{name}": schema for name, schema in leaves(Hires).items()}
    of_pictures = {f"task.{name}": schema for name, schema in leaves(Img2Img).items() if not _is_picture(schema)}
    return MappingProxyType(leaves(GenerationRequest) | hires | of_pictures)


def _is_picture(schema: Schema) -> bool:
    return "contentEncoding" in {**schema, **schema.get("items", {})}


def _leaves(schema: Schema, definitions: Schema, prefix: str) -> Iterator[tuple[str, Schema]]:
    for name, field in schema["properties"].items():
        options = [option for option in field.get("anyOf", ()) if option.get("type") != "null"]
        plain = {**field, **options[0], "optional": True} if len(options) == 1 else field
        if [option.get("type") for option in options] == ["integer", "number"]:  # kept as it was written, 4 or 4.0
            plain = {**field, "type": "number", "minimum": field["ge"], "maximum": field["le"]}
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
        case {"type": "array", "items": {"type": "number"}}:
            return gr.Textbox(as_numbers(value), max_lines=1, placeholder="none", **shown)
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
        classes = ["slim", *shown.pop("elem_classes", ())]
        return gr.Slider(value=value, step=step, buttons=[], elem_classes=classes, **wide, **shown)
    step = schema.get("multipleOf", 1) if kind == "integer" else 0.01
    return gr.Number(value, precision=0 if kind == "integer" else None, step=step, **shown)


def as_text(number: float | None) -> str:
    """The text of a number; "" for None."""
    return "" if number is None else str(number)


def as_json(options: Mapping[str, Any]) -> str:
    """The JSON text of an object field; "" where it is empty."""
    return json.dumps(options, ensure_ascii=False) if options else ""


def as_numbers(numbers: Iterable[float]) -> str:
    """The text of a list of numbers, with spaces between them."""
    return " ".join(f"{number:.9g}" for number in numbers)


def _numbers(name: str, text: object) -> object:
    """The numbers of a text box; a list passes as it is. Raises BadRequestError where there are other words."""
    if not isinstance(text, str):
        return text or ()
    try:
        return tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError:
        raise BadRequestError(name, "should be numbers with spaces between them") from None


def shown(value: Any, schema: Schema) -> Any:
    """A field's value as its control takes it."""
    if schema.get("type") == "object":
        return as_json(value)
    if _is_long(schema):
        return str(value)
    if _is_numbers(schema):
        return as_numbers(value)
    return as_text(value) if schema.get("optional") else value


def _is_long(schema: Schema) -> bool:
    """Whether it holds whole numbers that browsers cannot tell apart, so that their control is a text box."""
    return schema.get("type") == "integer" and schema.get("maximum", 0) > EXACT


def _is_numbers(schema: Schema) -> bool:
    return schema.get("type") == "array" and schema.get("items", {}).get("type") == "number"


def plain(name: str, value: Any, schema: Schema) -> Any:
    """What a control sent, as the field takes it: an emptied box means "" or no entries, never None.

    An emptied box of a whole number that is a text box means its default, and one of an optional number means None.

    Raises:
        BadRequestError: what should be JSON, or numbers, is none.
    """
    if _is_long(schema) and isinstance(value, str):
        return value.strip() or schema.get("default")
    if schema.get("optional"):
        return value.strip() or None if isinstance(value, str) else value
    if _is_numbers(schema):
        return _numbers(name, value)
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


def bad_request(error: ValidationError) -> BadRequestError:
    """The first problem of a validation as one sentence that names the field."""
    first = error.errors(include_url=False, include_context=False)[0]
    path = [str(part) for part in first["loc"]]
    if len(path) > 1 and path[0] == "task" and path[1] in TASKS:
        del path[1]  # the kind of task, which no field's path names
    field = ".".join(path) or "request"
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
    given = repr(first["input"])
    is_short = first["loc"] and len(given) <= 60
    return BadRequestError(field, f"{message} (it is {given})" if is_short else message)
