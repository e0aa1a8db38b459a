"""Axes that extensions have by what they declare: every option that is a number, a choice, a switch or a short text.

They are named by the option's path (`guidance.rescale`, `controlnet.0.weight`). `lora.NAME:weight` is the weight of a
network in the prompt.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.experiments.axes import Axis
from webui.experiments.axis_values import Kind
from webui.experiments.option_axis import OptionAxis, OptionKind

MOST_ENTRIES = 3  # of a list that are listed
LONGEST_TEXT = 500  # characters that a text may have and still be an axis
GROUP = "Extensions"
PATCHING = 0.3  # cost of a change of networks
YES_AND_NO = ("Yes", "No")
_LORA = re.compile(r"lora\.(.+):weight", re.DOTALL)
_KINDS: tuple[tuple[str, OptionKind], ...] = (
    ("integer", "int"), ("number", "float"), ("boolean", "flag"), ("string", "text")
)  # fmt: skip


def option_axes(infos: Iterable[ExtensionInfo]) -> Iterator[OptionAxis]:
    """Those of every extension that works, in their order."""
    for info in infos:
        if info.state == "ok" and info.options is not None:
            yield from _within(info, info.options, (), "")


def _within(
    info: ExtensionInfo, schema: Mapping[str, Any], path: tuple[str | int, ...], of: str
) -> Iterator[OptionAxis]:
    """The options of an object; `of` says of which entry of a list it is."""
    for name, declared in schema.get("properties", {}).items():
        field = _resolved(info, declared)
        hint = field.get("form", {})
        label = str(hint.get("label") or field.get("title") or name) + of
        if field.get("type") == "object":
            yield from _within(info, field, (*path, name), of)
        elif field.get("type") == "array" and not of:
            entry = _resolved(info, field.get("items", {}))
            for number in range(min(int(field.get("maxItems", MOST_ENTRIES)), MOST_ENTRIES)):
                yield from _within(info, entry, (*path, name, number), f" ({number + 1})")
        elif (kind := _kind(field)) is not None:
            choices = tuple(map(str, field.get("enum", field.get("examples", ())))) if kind == "text" else ()
            yield OptionAxis(
                info.name, (*path, name), kind, info.title, label, choices, _bound(field, "inimum"),
                _bound(field, "aximum"),
            )  # fmt: skip


def _resolved(info: ExtensionInfo, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with its reference followed; of several that a value may fit, the first that is not null."""
    if "anyOf" in schema:
        schema = {**schema, **next((one for one in schema["anyOf"] if one.get("type") != "null"), {})}
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**((info.options or {}).get("$defs", {}).get(name, {})), **schema} if name else schema


def _kind(field: Mapping[str, Any]) -> OptionKind | None:
    kind = next((kind for name, kind in _KINDS if field.get("type") == name), None)
    if kind == "text" and ("contentEncoding" in field or "const" in field):
        return None
    is_long = "enum" not in field and int(field.get("maxLength", 0)) > LONGEST_TEXT
    return None if kind == "text" and is_long else kind


def _bound(field: Mapping[str, Any], name: str) -> float | None:
    found = field.get(f"m{name}", field.get(f"exclusiveM{name}"))
    return float(found) if isinstance(found, int | float) else None


def axis_of(option: OptionAxis) -> Axis:
    """The axis along which an option varies."""
    kind: Kind = option.kind if option.kind in ("int", "float") else "text"
    return Axis(
        f"[{option.title}] {option.label}", kind, partial(_set, option), name=option.id, group=option.title,
        fixed=YES_AND_NO if option.kind == "flag" else option.choices,
        span=(option.low, option.high, 1.0 if option.kind == "int" else None),
    )  # fmt: skip


def _set(option: OptionAxis, request: GenerationRequest, value: Any, every: Sequence[Any]) -> GenerationRequest:
    """The request with the option at this value. An extension that it does not name is named by that."""
    if option.kind == "flag":
        value = str(value).strip().lower() in ("true", "yes", "1", "on")
    options: Any = copy.deepcopy(dict(request.extensions.get(option.extension, {})))
    part = options
    for at, step in enumerate(option.path[:-1]):
        following = option.path[at + 1]
        if isinstance(step, str):
            part = part.setdefault(step, [] if isinstance(following, int) else {})
        elif isinstance(part, list) and step < len(part):
            part = part[step]
        else:
            raise ValueError(f"{option.title} has no entry {step + 1} in this request; add it first")
    part[option.path[-1]] = value
    return request.with_(extensions={**request.extensions, option.extension: options})


def lora_axis(name: str) -> Axis | None:
    """The axis of that name, where it is one of a network in the prompt."""
    found = _LORA.fullmatch(name)
    return weight_axis(found[1]) if found is not None else None


def weight_axis(network: str) -> Axis:
    """The weight of a LoRA, which is put at the end of the prompt where it does not stand in it."""
    return Axis(
        f"[LoRA] {network}", "float", partial(_weigh, network), name=f"lora.{network}:weight", group="LoRA",
        span=(-2.0, 2.0, 0.05), cost=PATCHING,
    )  # fmt: skip


def _weigh(network: str, request: GenerationRequest, value: float, every: Sequence[Any]) -> GenerationRequest:
    weight = f"{value:g}"
    tag = re.compile(rf"<lora:{re.escape(network)}(?::([^:>]*))?((?::[^>]*)?)>")
    if tag.search(request.prompt):
        return request.with_(prompt=tag.sub(lambda found: f"<lora:{network}:{weight}{found[2] or ''}>", request.prompt))
    return request.with_(prompt=f"{request.prompt} <lora:{network}:{weight}>".strip())
