"""A form as plain data: what `declared_form.js` draws. It is made of the JSON schema of options and of the hints in it.

A field that no control can show is edited as JSON.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from webui.domain.extensions import ActionInfo
from webui.extension_api.hints import KEY, Card, Chooser, Columns, FieldHint, FormHint, Heat, PoseEditing, Sliders, Tab
from webui.ui.forms_of_extensions.plain_words import plain_label, plain_title, plain_value

Schema = Mapping[str, Any]
Control = Literal[
    "switch", "segments", "slider", "number", "text", "lines", "choice", "chips", "cards", "bars", "model", "picture",
    "pictures", "words", "numbers", "json", "part", "units", "hidden", "master",
]  # fmt: skip
FINE, COARSE = 1.0, 100.0  # up to the first a slider moves by 0.01; above the second a box is handier
SEGMENTS = 3  # choices up to which they stand beside each other
LONG_WORD = 12  # characters of a choice from which on a list is handier
log = logging.getLogger(__name__)
UNITS = 10  # of a list whose type has no limit


class DrawnField(BaseModel):
    """One control.

    Attributes:
        name: of the option.
        label, help: in plain words.
        default: the value at first; None for none.
        choices: values and how they are called; a field that also takes others has `free`.
        low, high, step: of a slider; `exact_low` and `exact_high` of a box.
        optional: an empty control means None.
        model: the kind of files that are listed.
        fields: of a part, or of one unit of a list.
        form: the hints of the model of a part or a unit.
        most: how many units, files or words at most.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    control: Control
    label: str
    help: str = ""
    default: JsonValue = None
    choices: tuple[tuple[JsonValue, str], ...] = ()
    free: bool = False
    low: float | None = None
    high: float | None = None
    step: float = 1.0
    whole: bool = False
    optional: bool = False
    needed: bool = False
    model: str = ""
    level: Literal["main", "more"] = "main"
    pair: str = ""
    when: dict[str, tuple[JsonValue, ...]] = Field(default_factory=dict)
    unit: str = ""
    range: str = ""
    first: int = 9
    cards: tuple[Card, ...] = ()
    columns: Columns | None = None
    heat: Heat | None = None
    fits: str = ""
    preview: str = ""
    colours: tuple[str, ...] = ()
    pose: PoseEditing | None = None
    chip: str = ""
    most: int = 0
    fields: tuple["DrawnField", ...] = ()
    form: FormHint = FormHint()


class DrawnForm(BaseModel):
    """A whole form.

    Attributes:
        extension: whose it is.
        asks: for each action that the form may ask, the options that it takes.
    """

    model_config = ConfigDict(frozen=True)

    extension: str = ""
    title: str = ""
    description: str = ""
    fields: tuple[DrawnField, ...] = ()
    group: Literal["composition", "quality", "expert"] = "expert"
    summary: str = ""
    chooser: Chooser | None = None
    sliders: Sliders | None = None
    check: str = ""
    tries: bool = False
    places: str = ""
    tab: Tab = ""
    asks: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the browser; what is as usual is left out."""
        return self.model_dump(mode="json", exclude_defaults=True)


def drawn_form(
    schema: Schema,
    *,
    extension: str = "",
    title: str = "",
    description: str = "",
    actions: Sequence[ActionInfo] = (),
) -> DrawnForm:
    """The form of a schema of options.

    Args:
        actions: those of the extension, which its form may ask.
    """
    hints = _form_hint(schema.get(KEY, {}))
    return DrawnForm(
        extension=extension,
        title=title,
        description=description,
        fields=tuple(_fields(schema, schema.get("$defs", {}))),
        asks={one.name: tuple(one.schema.get("properties", {})) for one in actions},
        **dict(hints),
    )


def _form_hint(hints: object) -> FormHint:
    """The hints of a model. They were checked when the extension was described, maybe by an earlier program."""
    try:
        return FormHint.model_validate(hints)
    except ValidationError:
        log.warning("hints of a form cannot be used; it is drawn without them", exc_info=True)
        return FormHint()


def _field_hint(hints: object) -> FieldHint:
    try:
        return FieldHint.model_validate(hints)
    except ValidationError:
        log.warning("hints of a field cannot be used; it is drawn without them", exc_info=True)
        return FieldHint()


def _fields(schema: Schema, definitions: Schema) -> Iterator[DrawnField]:
    needed = schema.get("required", ())
    for name, raw in schema.get("properties", {}).items():
        resolved = _resolved(raw, definitions)
        if "const" not in resolved:
            yield _field(name, resolved, definitions, needed=name in needed)


def _resolved(raw: Schema, definitions: Schema) -> Schema:
    """The schema without references; `X or null` becomes X with `optional`."""
    options = [option for option in raw.get("anyOf", ()) if option.get("type") != "null"]
    optional = len(options) < len(raw.get("anyOf", ()))
    if len(options) == 1:
        raw = {**{key: value for key, value in raw.items() if key != "anyOf"}, **options[0], "optional": optional}
    if "$ref" in raw:
        inner = definitions[raw["$ref"].rsplit("/", 1)[1]]
        raw = {**inner, "of_model": inner.get(KEY, {}), **{key: value for key, value in raw.items() if key != "$ref"}}
        if raw.get(KEY) == inner.get(KEY):
            raw = {key: value for key, value in raw.items() if key != KEY}
    return raw


def _field(name: str, schema: Schema, definitions: Schema, *, needed: bool) -> DrawnField:
    hints = _field_hint(schema.get(KEY, {}))
    control, more = _shape(schema, definitions, hints)
    return DrawnField(
        name=name,
        control=control,
        label=hints.label or plain_title(str(schema.get("title", "")), name),
        help=_sentence(str(schema.get("description", ""))),
        default=more.pop("default", schema.get("default")),
        optional=bool(schema.get("optional")),
        needed=needed,
        model=schema["model"] if isinstance(schema.get("model"), str) else "",
        level=hints.level,
        pair=hints.pair,
        when=dict(hints.when),
        unit=hints.unit,
        range=hints.range,
        first=hints.first,
        columns=hints.columns,
        heat=hints.heat,
        fits=hints.fits,
        preview=hints.preview,
        colours=hints.colours,
        pose=hints.pose,
        chip=hints.chip,
        **more,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _shape(schema: Schema, definitions: Schema, hints: FieldHint) -> tuple[Control, dict[str, Any]]:
    """The control for a field, and what only it needs."""
    if hints.control in ("hidden", "master"):
        return hints.control, {}
    if schema.get("contentEncoding") == "base64":
        return "picture", {"default": None}
    if isinstance(schema.get("model"), str):
        return hints.control or "choice", {
            "default": schema.get("default") or "", "free": True, "choices": _named(hints),
        }  # fmt: skip
    kind = schema.get("type")
    if "enum" in schema:
        return _choice(schema["enum"], hints)
    if kind == "boolean":
        return "switch", {"default": schema.get("default", False)}
    if kind in ("integer", "number"):
        return _number(schema, hints)
    if kind == "string":
        return _text(schema, hints)
    if kind == "array":
        return _list(schema, definitions)
    if kind == "object" and schema.get("properties"):
        fields = tuple(_fields(schema, definitions))
        return "part", {"fields": fields, "form": _form_hint(schema.get("of_model", {})), "default": {}}
    return "json", {}


def _choice(values: Sequence[JsonValue], hints: FieldHint) -> tuple[Control, dict[str, Any]]:
    if hints.cards:  # in the order of the cards
        known = [card.value for card in hints.cards if card.value in values]
        values = [*known, *(value for value in values if value not in known)]
    choices = tuple((value, hints.labels.get(str(value)) or plain_value(str(value))) for value in values)
    by_value = {card.value: card for card in hints.cards}
    cards = tuple(by_value.get(str(value)) or Card(title=label, value=str(value)) for value, label in choices)
    is_short = len(choices) <= SEGMENTS and all(len(label) <= LONG_WORD for _, label in choices)
    control = hints.control or ("segments" if is_short else "choice")
    return control, {"choices": choices, "cards": cards if control == "cards" else ()}


def _number(schema: Schema, hints: FieldHint) -> tuple[Control, dict[str, Any]]:
    whole = schema["type"] == "integer"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    default = schema.get("default", None if schema.get("optional") else low or 0)
    shape: dict[str, Any] = {"whole": whole, "low": low, "high": high, "default": default}
    if hints.span is not None:
        shape |= dict(zip(("low", "high", "step"), hints.span, strict=True))
        return ("number" if schema.get("optional") else hints.control or "slider"), shape
    is_bounded = low is not None and high is not None
    if is_bounded and not schema.get("optional") and high - low <= COARSE + 200 * whole and hints.control != "number":
        fine = 0.01 if high - low <= FINE else 0.05
        return "slider", {**shape, "step": schema.get("multipleOf", 1) if whole else fine}
    return "number", {**shape, "step": schema.get("multipleOf", 1) if whole else 0.01}


def _text(schema: Schema, hints: FieldHint) -> tuple[Control, dict[str, Any]]:
    shape: dict[str, Any] = {"default": schema.get("default", None if schema.get("optional") else "")}
    if hints.control in ("bars", "lines"):
        return hints.control, shape
    if "examples" in schema:
        named = tuple((value, hints.labels.get(str(value), str(value))) for value in schema["examples"])
        return "choice", {**shape, "choices": named, "free": True}
    return "text", {**shape, "choices": _named(hints)}


def _named(hints: FieldHint) -> tuple[tuple[JsonValue, str], ...]:
    return tuple(hints.labels.items())


def _list(schema: Schema, definitions: Schema) -> tuple[Control, dict[str, Any]]:
    items = _resolved(schema.get("items", {}), definitions)
    most = int(schema.get("maxItems", UNITS))
    if items.get("type") == "object" and items.get("properties"):
        return "units", {
            "fields": tuple(_fields(items, definitions)), "most": most, "default": list(schema.get("default", ())),
            "form": _form_hint(items.get("of_model", {})),
        }  # fmt: skip
    if items.get("contentEncoding") == "base64":
        return "pictures", {"most": most, "default": []}
    if items.get("type") == "string":
        choices = tuple((value, plain_label(str(value))) for value in items.get("enum", ()))
        return "words", {"most": most, "default": list(schema.get("default", ())), "choices": choices}
    if items.get("type") in ("number", "integer"):
        return "numbers", {"most": most, "whole": items["type"] == "integer"}
    return "json", {}
