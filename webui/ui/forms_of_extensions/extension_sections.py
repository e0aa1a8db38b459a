"""Sections of extensions among the settings of a picture: a switch, a line, and the form that their options declare."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from webui.domain.errors import BadRequestError
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.ui.create import quality_dial
from webui.ui.create.sections import Section
from webui.ui.create.settings_pane import Group
from webui.ui.forms_of_extensions.drawn_form import DrawnForm, drawn_form
from webui.ui.forms_of_extensions.option_values import read_options, shown_options
from webui.ui.own import own

GROUPS: tuple[Group, ...] = ("composition", "quality", "expert")


@dataclass(frozen=True, slots=True)
class ExtensionSection:
    """The options of one extension; the value of `options` is what `declared_form.js` shows."""

    name: str
    form: DrawnForm
    used: gr.Checkbox
    options: gr.HTML

    @property
    def path(self) -> str:
        return f"extensions.{self.name}"


@dataclass(frozen=True, slots=True)
class ExtensionSections:
    """All sections. A request names the extensions whose switch is on."""

    entries: tuple[ExtensionSection, ...] = ()

    @property
    def components(self) -> list[Component]:
        return [component for one in self.entries for component in (one.used, one.options)]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.name for one in self.entries)

    def read(self, values: Mapping[Component, Any]) -> dict[str, dict[str, Any]]:
        """Options by extension. Raises BadRequestError naming the field."""
        return {one.name: _read(one, values[one.options]) for one in self.entries if values[one.used]}

    def show(self, request: GenerationRequest) -> dict[Block, Any]:
        """Updates that make the sections show a request; pictures stay as they are."""
        updates: dict[Block, Any] = {}
        for one in self.entries:
            options = request.extensions.get(one.name)
            updates[one.used] = options is not None
            updates[one.options] = gr.update(value=shown_options(one.form.fields, options or {}))
        return updates


def _read(section: ExtensionSection, values: Any) -> dict[str, Any]:
    if values is not None and not isinstance(values, Mapping):
        raise BadRequestError(section.path, "should be an object")
    return read_options(section.form.fields, values or {}, section.path)


@dataclass
class SectionsDrawing:
    """Draws the sections of extensions group by group.

    Attributes:
        infos: the extensions; those without options, or that do not work, are passed over.
        prefix: begins the element ids.
    """

    infos: Iterable[ExtensionInfo]
    prefix: str
    drawn: list[ExtensionSection] = field(default_factory=list)

    def draw(self, group: Group) -> bool:
        """Draw those of a group inside the caller's Blocks, that of quality with its dial; whether there are any."""
        usable = [info for info in self.infos if info.state == "ok" and info.options is not None]
        forms = [(info, form_of(info)) for info in usable]
        has_dial = group == "quality" and quality_dial.draw(self.infos)
        made = [self._section(info, form) for info, form in forms if form.group == group]
        self.drawn += made
        return has_dial or bool(made)

    def _section(self, info: ExtensionInfo, form: DrawnForm) -> ExtensionSection:
        elem_id = f"{self.prefix}_extension_{info.name}"  # a part of the form may have the same name
        with Section(info.title, elem_id) as section:
            options = own("declared_form", {}, elem_id=f"{elem_id}_options", form=form.as_json(), place=elem_id)
        return ExtensionSection(info.name, form, section.switch, options)

    @property
    def sections(self) -> ExtensionSections:
        """What was drawn."""
        return ExtensionSections(tuple(self.drawn))


def form_of(info: ExtensionInfo) -> DrawnForm:
    """The form of what a request may carry for an extension that takes options."""
    return drawn_form(
        info.options or {}, extension=info.name, title=info.title, description=info.description, actions=info.actions
    )
