"""A part of the form with a switch in its heading. While it is on, one line there says what it does.

The switch shows and hides the part's body by CSS alone, and the line is made by a script in the browser, so neither
asks the server. What the switch means to the request is said by `form.Part`.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.context import Context

from webui.ui.create.modes import MODES, Mode, shown_in
from webui.ui.events import bind

# The template is constant, so that Gradio draws it once: the texts may be foreign and are set by the script.
_LINE = (
    '<span class="line"></span><button type="button" class="fold" aria-expanded="true">'
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 10l5 5 5-5"/></svg></button>'
)
_WATCH = """const line = element.querySelector('.line'), button = element.querySelector('.fold');
const draw = () => { line.textContent = line.title = String(props.value ?? ''); };
button.dataset.title = props.title;
button.setAttribute('aria-label', `Fold ${props.title}`);
window.webui?.form?.nameFold(button);
button.addEventListener('click', () => {
  const folded = element.closest('.section').classList.toggle('folded');
  button.setAttribute('aria-expanded', String(!folded));
});
watch('value', draw);
draw();"""
_DIFFERING = """async (...v) => {
  await window.webui.ready;
  const { t } = window.webui;
  const told = %s.flatMap(([label, usual], i) =>
    v[i] == null || String(v[i]) === String(usual) ? []
      : [v[i] === true ? t(label) : `${t(label)} ${v[i] === false ? t('off') : v[i]}`]);
  return told.join(' · ');
}"""


class Section:
    """Draws the heading with its switch; what is drawn inside `with` becomes the body.

    Attributes:
        switch: a checkbox, named like the part.
    """

    def __init__(
        self,
        title: str,
        name: str,
        summary: str = "",
        *,
        on: bool = False,
        modes: tuple[Mode, ...] = MODES,
        switch_id: str = "",
    ) -> None:
        """Prepare a section.

        Args:
            title: shown as heading, and the switch's label.
            name: begins the element ids.
            summary: the line, as the inside of a JavaScript template literal over the values `v[0]`, `v[1]` ... of the
                controls given to `sums`: "${v[0]} · weight ${v[1]}".
            on: whether it begins switched on.
            modes: where it is shown.
            switch_id: the switch's element id, where it is not `<name>_enable`.
        """
        self.title, self.name, self._summary = title, name, summary
        self._on, self._modes, self._switch_id = on, modes, switch_id or f"{name}_enable"

    def __enter__(self) -> "Section":
        classes = ["section", *shown_in(self._modes)]
        self._outer = gr.Column(elem_classes=classes, elem_id=f"{self.name}_section", min_width=0, scale=0)
        self._outer.__enter__()  # type: ignore[no-untyped-call]  # Gradio has no types
        with gr.Row(elem_classes="head"):
            self.switch = gr.Checkbox(
                self._on, label=self.title, elem_id=self._switch_id, elem_classes="switch", container=False,
                min_width=0, interactive=True,
            )  # fmt: skip
            self.line = gr.HTML(
                "", html_template=_LINE, js_on_load=_WATCH, title=self.title, elem_classes="sum",
                apply_default_css=False, min_width=0,
            )  # fmt: skip
        self._body = gr.Column(elem_classes="body", min_width=0, scale=0)
        self._body.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._body.__exit__(kind, error, trace)
        self._outer.__exit__(kind, error, trace)

    def sums(self, *controls: Component) -> None:
        """Say which controls the summary is made of, in the order of its `v[...]`."""
        self.line_by(f"async (...v) => {{ await window.webui.ready; return `{self._summary}`; }}", controls)

    def line_by(self, script: str, controls: Sequence[Component]) -> None:
        """Have the line made by a JavaScript function of the values of these controls, whenever one of them changes
        or the part is switched on. Until then nobody sees the line, and a page has many.
        """
        page = Context.root_block
        if page is None:
            raise RuntimeError("no page is being drawn")
        changes: list[Any] = [control.change for control in (*controls, self.switch) if hasattr(control, "change")]
        event = partial(gr.on, [*changes, page.load] if self._on else changes)
        bind(event, None, [*controls], [self.line], js=script, trigger_mode="always_last")


def differing(usual: Mapping[str, Any]) -> str:
    """A script that tells the values that are not the usual ones.

    Args:
        usual: by label, in the order of the controls.
    """
    return _DIFFERING % json.dumps([[label, _as_in_js(value)] for label, value in usual.items()])


def _as_in_js(value: Any) -> Any:
    """What JavaScript's `String` makes of the same value: no `.0`, nothing for None."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "" if value is None else value
