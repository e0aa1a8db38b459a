"""The controls of a request on the page: what is read from them, and what they show of a request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component
from pydantic import ValidationError

from webui.domain.errors import BadRequestError
from webui.domain.parameters.leaves import MISSING, value_at
from webui.domain.request import GenerationRequest
from webui.ui import forms
from webui.ui.create.modes import Mode, reads

NOTHING: Mapping[str, Any] = MappingProxyType({})
OTHERS = "extensions"  # the field for options of extensions without controls


class ExtensionControls(Protocol):
    """The controls of extensions (`ui.forms_of_extensions.extension_sections`)."""

    @property
    def components(self) -> list[Component]: ...
    @property
    def names(self) -> frozenset[str]: ...
    def read(self, values: Mapping[Component, Any]) -> dict[str, dict[str, Any]]: ...
    def show(self, request: GenerationRequest) -> dict[Block, Any]: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Fields that one switch takes part or leaves out together.

    Attributes:
        title: as the page names it.
        switch: the control that says whether the fields are sent.
        fields: their paths.
        enabled: the path of the request's own switch, where it has one (`task.hires.enabled`).
        optional: the path of the part of the request that is None while it is off, where it is such a part.
        instead: values that are sent while it is off.
    """

    title: str
    switch: Component
    fields: tuple[str, ...]
    enabled: str = ""
    optional: str = ""
    instead: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    def is_on(self, told: "Told") -> bool | None:
        """Whether a request uses it; None where the request has no place for it."""
        if self.enabled or self.optional:
            found = told.value(self.enabled or self.optional)
            return None if found is MISSING else bool(found) if self.enabled else found is not None
        values = [told.value(name) for name in self.fields]
        if values[0] is MISSING:
            return None
        return any(
            value not in (told.default(name), self.instead.get(name, told.default(name)))
            for name, value in zip(self.fields, values, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What a request says of each field, as the controls have it.

    Attributes:
        elsewhere: extensions that have controls of their own; the field for all others does not hold their options.
    """

    request: GenerationRequest
    elsewhere: frozenset[str] = frozenset()
    schemas: Mapping[str, forms.Schema] = field(default_factory=forms.request_leaves)

    def value(self, name: str) -> Any:
        """The value of a field, or of a part; MISSING where the request has no place for it."""
        value = value_at(self.request, name)
        if name == OTHERS:
            return {key: options for key, options in value.items() if key not in self.elsewhere}
        return list(value) if isinstance(value, tuple) else value

    def default(self, name: str) -> Any:
        """What a control that was never touched stands for."""
        schema = self.schemas[name]
        empty: Any = {} if schema.get("type") == "object" else None if schema.get("optional") else ""
        return schema.get("default", empty)

    def shown(self, name: str) -> Any:
        """The value as its control takes it."""
        return forms.shown(self.value(name), self.schemas[name])


@dataclass(frozen=True, slots=True)
class Form:
    """The controls of one request by the dotted path of their field, and the parts that are switched on and off."""

    controls: Mapping[str, Component]
    parts: tuple[Part, ...] = ()
    extensions: ExtensionControls | None = None

    @property
    def components(self) -> list[Component]:
        """What an event needs as `inputs` for the form to be read."""
        switches = [part.switch for part in self.parts]
        others = self.extensions.components if self.extensions else []
        return [*dict.fromkeys([*self.controls.values(), *switches, *others])]

    def fields(self, values: Mapping[Component, Any], mode: Mode) -> dict[str, Any]:
        """What the controls say, nested as a request is; nothing of parts that are off or that the mode does not read.

        Raises:
            BadRequestError: naming the field whose text cannot be understood.
        """
        schemas = forms.request_leaves()
        off = [part for part in self.parts if not values[part.switch]]
        left_out = {name for part in off for name in part.fields}
        nested: dict[str, Any] = {}
        for name, control in self.controls.items():
            if name not in left_out and reads(mode, name):
                _put(nested, name, forms.plain(name, values[control], schemas[name]))
        for name, value in ((name, value) for part in off for name, value in part.instead.items()):
            if reads(mode, name):
                _put(nested, name, value)
        if self.extensions is not None:
            nested["extensions"] = {**nested.get("extensions", {}), **self.extensions.read(values)}
        if "refiner" in nested and not nested["refiner"].get("checkpoint"):
            raise BadRequestError("refiner.checkpoint", "should be chosen while the refiner is on")
        return nested

    def read(self, values: Mapping[Component, Any]) -> GenerationRequest:
        """The request that the controls show as txt2img.

        Raises:
            BadRequestError: naming the field and what is wrong with it.
        """
        nested = self.fields(values, "txt2img")
        nested.setdefault("task", {})["kind"] = "txt2img"
        return validated(nested)

    def show(self, request: GenerationRequest, names: Iterable[str] | None = None) -> dict[Block, Any]:
        """Updates that make the controls show this request (only the fields named, where names are given).

        What the request has no place for stays as it is; so do the values of a part that the request does not use,
        behind its switch. Where names are given, no part is switched off, as the fields that are not named count too.
        """
        wanted = [*self.controls] if names is None else [name for name in names if name in self.controls]
        told = self.told(request)
        states = [(part, part.is_on(told)) for part in self.parts]
        unused = {name for part, is_on in states if not is_on for name in part.fields}
        updates: dict[Block, Any] = {}
        for name in wanted:
            value = told.value(name)
            if value is not MISSING and not (name in unused and value == told.default(name)):
                updates[self.controls[name]] = updated(self.controls[name], told.shown(name))
        for part, is_on in states:
            is_asked = names is None or (is_on and not set(part.fields).isdisjoint(wanted))
            if is_on is not None and is_asked:
                updates[part.switch] = gr.update(value=is_on)
        if self.extensions is not None and OTHERS in wanted:
            updates |= self.extensions.show(request)
        return updates

    def told(self, request: GenerationRequest) -> Told:
        """A request as this form sees it."""
        return Told(request, self.extensions.names if self.extensions else frozenset())


def validated(nested: Mapping[str, Any]) -> GenerationRequest:
    """The request of these fields.

    Raises:
        BadRequestError: naming the field and what is wrong with it.
    """
    try:
        return GenerationRequest.model_validate(nested)
    except ValidationError as error:
        raise forms.bad_request(error) from None


def flatten(request: GenerationRequest) -> dict[str, Any]:
    """The values of a request by path, for all fields that the form draws; parts that it lacks are left out."""
    told = Told(request)
    found = {name: told.value(name) for name in told.schemas}
    return {name: value for name, value in found.items() if value is not MISSING}


def _put(nested: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        nested = nested.setdefault(parent, {})
    nested[last] = value


def updated(control: Component, value: Any) -> Any:
    """The update that shows a value. A slider becomes wide enough for it."""
    if not isinstance(control, gr.Slider) or not isinstance(value, int | float):
        return gr.update(value=value)
    low: float = control.minimum
    high: float = control.maximum
    return gr.update(value=value, minimum=min(low, value), maximum=max(high, value))
