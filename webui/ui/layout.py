"""A pen that draws fields of the request inside the caller's Blocks, and remembers the controls by field name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.components import Component

from webui.domain.parameters.table import row_of
from webui.domain.request import GenerationRequest
from webui.ui import forms


class Pen:
    """Draws each field once, with its starting value.

    Attributes:
        tab: the tab that is drawn; its name leads every element id.
        controls: the controls by dotted field name, including those shared with another tab.
    """

    def __init__(
        self, starting: GenerationRequest, tab: str = "txt2img", shared: Mapping[str, Component] | None = None
    ) -> None:
        self.tab = tab
        self._schemas = forms.request_leaves()
        self._values = forms.flatten(starting)
        self.controls: dict[str, Component] = dict(shared or {})
        self.extensions: forms.ExtensionControls | None = None

    def id(self, name: str) -> str:
        """The element id of something on this tab."""
        return f"{self.tab}_{name}"

    def draw(self, name: str, **more: Any) -> Component:
        """Draw a field as its schema says."""
        schema, row = self._schemas[name], row_of(name)
        label = more.pop("label", row.label)
        value = self._values.get(name, schema.get("default", ""))
        more = {"elem_id": self.id(name.replace(".", "_")), **more}
        return self._keep(name, forms.draw(name, schema, value=value, label=label, span=row.span, **more))

    def choice(self, name: str, choices: list[tuple[str, str]], **more: Any) -> Component:
        """Draw a text field whose values are known by now as a dropdown."""
        value = self._values.get(name, "")
        settings: dict[str, Any] = {
            "label": row_of(name).label or name.capitalize(),
            "elem_id": self.id(name.replace(".", "_")),
            "value": value if value in [choice for _, choice in choices] else None,
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

    def _keep(self, name: str, control: Component) -> Component:
        self.controls[name] = control
        return control

    def form(self) -> forms.Form:
        """What was drawn, as a form that can be read."""
        return forms.Form(MappingProxyType(dict(self.controls)), self.extensions)
