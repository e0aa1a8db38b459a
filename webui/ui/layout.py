"""A pen that draws fields of the request inside the caller's Blocks, and remembers the controls by their path."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.components import Component

from webui.domain.parameters.table import default_of, row_of
from webui.domain.request import GenerationRequest
from webui.ui import forms
from webui.ui.create.form import NOTHING, ExtensionControls, Form, Part, Told, flatten
from webui.ui.create.modes import MODES, Mode, shown_in
from webui.ui.create.sections import Section, differing

FEW = 3  # as many choices stand side by side; more are a list


class Pen:
    """Draws each field once, with its starting value.

    Attributes:
        tab: its name leads every element id.
        controls: the controls by dotted path of their field.
        parts: what was drawn with a switch.
    """

    def __init__(self, starting: GenerationRequest, tab: str = "txt2img") -> None:
        self.tab = tab
        self._starting = starting
        self._schemas = forms.request_leaves()
        self._values = flatten(starting)
        self.controls: dict[str, Component] = {}
        self.parts: list[Part] = []
        self.extensions: ExtensionControls | None = None

    def id(self, name: str) -> str:
        """The element id of something on this tab."""
        return f"{self.tab}_{name}"

    def label(self, name: str) -> str:
        """What a field is called on the page."""
        drawn = self.controls.get(name)
        return str(drawn.label) if drawn is not None and drawn.label else label_of(name)

    def draw(self, name: str, **more: Any) -> Component:
        """Draw a field as its schema and its row say.

        Args:
            name: its path.
            more: passed on to the component, but for `usual`, the value to begin with where the starting values have
                none, and `modes`, in which alone it is shown.
        """
        schema, row = self._schemas[name], row_of(name)
        value = self._values.get(name, more.pop("usual", schema.get("default", "")))
        classes = [*shown_in(more.pop("modes", MODES)), *_listed(more.pop("elem_classes", ()))]
        settings = {"elem_id": self._id_of(name), "elem_classes": classes, "min_width": 0, "interactive": True, **more}
        label = settings.pop("label", label_of(name))
        if not row.choices:
            return self._keep(name, forms.draw(name, schema, value=value, label=label, span=row.span, **settings))
        if len(row.choices) > FEW:
            return self._keep(name, gr.Dropdown([*row.choices], value=value, label=label, **settings))
        settings["elem_classes"] = ["segments", *classes]
        return self._keep(name, gr.Radio([*row.choices], value=value, label=label, **settings))

    def number(self, name: str, **more: Any) -> Component:
        """Draw a whole number as a box instead of a slider."""
        settings = {"label": label_of(name), "elem_id": self._id_of(name), "min_width": 0, "interactive": True, **more}
        step = self._schemas[name].get("multipleOf", 1)
        return self._keep(name, gr.Number(self._values[name], precision=0, step=step, **settings))

    def choice(self, name: str, choices: list[tuple[str, str]], **more: Any) -> Component:
        """Draw a text field whose values are known by now as a dropdown."""
        value = self._values.get(name, "")
        if value and value not in [choice for _, choice in choices]:
            choices = [*choices, (value, value)]  # a file that is gone is named until another is chosen
        settings: dict[str, Any] = {
            "label": label_of(name),
            "elem_id": self._id_of(name),
            "value": value if value in [choice for _, choice in choices] else None,
            "min_width": 0,
            "interactive": True,
            **more,
        }
        return self._keep(name, gr.Dropdown(choices, **settings))

    def rest_of(self, part: str, **more: Any) -> None:
        """Draw the fields of a part of the page (`noise`) that were not drawn yet: its own first, then those of other
        groups.
        """
        rows = [row_of(name) for name in self._schemas if row_of(name).stands_in == part]
        for row in sorted(rows, key=lambda row: row.part != part):
            if row.path not in self.controls:
                self.draw(row.path, **more)

    @contextmanager
    def section(
        self,
        title: str,
        name: str,
        *,
        enabled: str = "",
        optional: str = "",
        summary: str = "",
        told: tuple[str, ...] = (),
        instead: Mapping[str, Any] = NOTHING,
        modes: tuple[Mode, ...] = MODES,
    ) -> Iterator[Section]:
        """A part with a switch; the fields drawn inside `with` are sent only while it is on.

        Args:
            title: its heading.
            name: begins its element ids, after the tab's name.
            enabled, optional, instead: as `Part` has them.
            summary: the line in its heading, as `Section` takes it; "": the values that are not the usual ones.
            told: the fields that the summary is made of.
            modes: where it is shown.
        """
        before = set(self.controls)
        section = Section(title, self.id(name), summary, modes=modes)
        with section:
            if enabled:
                self.controls[enabled] = section.switch
            yield section
        fields = tuple(path for path in self.controls if path not in before and path != enabled)
        part = Part(title, section.switch, fields, enabled, optional, instead)
        section.switch.value = bool(part.is_on(Told(self._starting)))
        self.parts.append(part)
        if summary:
            section.sums(*(self.controls[path] for path in told))
        else:
            usual = {self.label(path): instead.get(path, default_of(path)) for path in fields}
            section.line_by(differing(usual), [self.controls[path] for path in fields])

    def _id_of(self, name: str) -> str:
        return self.id(name.removeprefix("task.").replace(".", "_"))

    def _keep(self, name: str, control: Component) -> Component:
        self.controls[name] = control
        return control

    def form(self) -> Form:
        """What was drawn, as a form that can be read."""
        return Form(MappingProxyType(dict(self.controls)), tuple(self.parts), self.extensions)


def _listed(classes: str | Sequence[str]) -> Sequence[str]:
    return [classes] if isinstance(classes, str) else classes


def label_of(name: str) -> str:
    """What a field is called on the page unless it is drawn under another name there."""
    return row_of(name).label or name.rpartition(".")[2].replace("_", " ").capitalize()
