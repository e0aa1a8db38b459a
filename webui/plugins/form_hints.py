"""The check of what an extension says about how its options are drawn. A hint that does not fit costs only itself."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from webui.extension_api.hints import KEY, FieldHint, FormHint

Schema = Mapping[str, Any]


def with_checked_hints(schema: Schema, actions: Collection[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The schema without hints that do not fit, and a sentence for each of these.

    Args:
        schema: JSON schema of options; it is not changed.
        actions: names of the extension's actions, which hints may name.
    """
    wrong: list[str] = []
    definitions = {name: _checked(model, f"{name}.", actions, wrong) for name, model in schema.get("$defs", {}).items()}
    checked = _checked(schema, "", actions, wrong)
    return {**checked, **({"$defs": definitions} if definitions else {})}, tuple(wrong)


def _checked(model: Schema, path: str, actions: Collection[str], wrong: list[str]) -> dict[str, Any]:
    """One model with its fields."""
    fields: Schema = model.get("properties", {})
    checked = dict(model)
    if KEY in model:
        why = _why_not(model[KEY], FormHint) or _unknown(_named_by_form(model[KEY]), fields, actions)
        if why:
            wrong.append(f"{path or 'the form: '}{why}")
            del checked[KEY]
    kept = {}
    for name, field in fields.items():
        kept[name] = field
        if isinstance(field, Mapping) and KEY in field:
            hints = field[KEY]
            why = _why_not(hints, FieldHint) or _unknown(_named_by_field(hints), fields, actions)
            why = why or _alone(name, hints, fields)
            if why:
                wrong.append(f"{path}{name}: {why}")
                kept[name] = {key: value for key, value in field.items() if key != KEY}
    if fields:
        checked["properties"] = kept
    return checked


def _why_not(hints: object, kind: type[BaseModel]) -> str:
    try:
        kind.model_validate(hints)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            return f"there is no hint {place!r}; there are: {', '.join(kind.model_fields)}"
        return f"the hint {place!r} cannot be used: {first['msg']}"
    return ""


Named = tuple[str, str]  # what it must be ("field" or "action"), and its name


def _named_by_field(hints: Mapping[str, Any]) -> Iterator[Named]:
    yield from (("field", name) for name in hints.get("when", ()))
    if hints.get("fits"):
        yield "field", hints["fits"]
    if hints.get("preview"):
        yield "action", hints["preview"]
    if pose := hints.get("pose"):
        yield from (("field", name) for name in (pose["of"], *pose.get("sets", ())))
    for asked in filter(None, (hints.get("columns"), hints.get("heat"))):
        yield "action", asked["action"]
        yield from (("field", name) for name in asked["of"])


def _named_by_form(hints: Mapping[str, Any]) -> Iterator[Named]:
    yield from (("action", hints[name]) for name in ("check", "places", "dial") if hints.get(name))
    if chooser := hints.get("chooser"):
        yield "action", chooser["action"]
        yield from (("field", name) for name in (*chooser.get("narrows", ()), *chooser.get("sets", ())))
    if sliders := hints.get("sliders"):
        yield "action", sliders["action"]
        yield from (("field", name) for name in (sliders["of"], *sliders["fields"]))


def _unknown(named: Iterator[Named], fields: Collection[str], actions: Collection[str]) -> str:
    for kind, name in named:
        known = fields if kind == "field" else actions
        if name not in known:
            return f"there is no {kind} {name!r}; there are: {', '.join(known) or 'none'}"
    return ""


def _alone(name: str, hints: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    """A range is made of two fields."""
    wanted = hints.get("range")
    if not wanted:
        return ""
    others = [
        other
        for other, field in fields.items()
        if other != name and isinstance(field, Mapping) and field.get(KEY, {}).get("range") == wanted
    ]
    return "" if len(others) == 1 else f"the range {wanted!r} has {len(others) + 1} ends; it needs two"
