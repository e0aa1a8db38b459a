"""The form is kept by the browser: over a reload of the page, a restart of the program, and while the page loads.

`static/form.js` does the work. What is kept are the fields that differ from the program's starting values, by the path
of the field, so that neither a new order of the controls nor other starting values bring a wrong value into a field.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from webui.ui.create.form import Form
from webui.ui.events import bind

# controls whose changes are one event. Gradio reads all of them for each, and an event for each control of its own
# would make the page larger by a fifth
TOGETHER = 8
_BEGIN = """(starting, ...now) => {
  const form = window.webui.form;
  return form ? form.begin(starting, now) : now.map(() => ({__type__: 'update'}));
}"""


@dataclass(frozen=True, slots=True)
class Kept:
    """The controls that are kept, by the name under which they are.

    Attributes:
        controls: paths of fields, and `#` with the element id for what is no field.
        remembered: paths of the fields that the program keeps by itself; they can be undone, too.
        starting: a hidden box for the program's starting values, as JSON by the same names.
    """

    controls: Mapping[str, Component]
    remembered: tuple[str, ...]
    starting: gr.Textbox

    def drawn(self) -> dict[str, Any]:
        """What the controls held when the page was made."""
        return {name: getattr(control, "value", None) for name, control in self.controls.items()}

    def values(self, updates: Mapping[Any, Any]) -> str:
        """Starting values for `starting`: what the page was made with, changed by these updates of controls."""
        changed = {name: _value(updates[control]) for name, control in self.controls.items() if control in updates}
        return json.dumps({**self.drawn(), **changed})


def kept(form: Form, beside: Iterable[Component] = (), remembered: Iterable[str] = ()) -> Kept:
    """Choose what is kept, and draw the hidden box, inside the caller's Blocks.

    Args:
        beside: further controls, which are no fields.
        remembered: paths of the fields that the program itself remembers.
    """
    drawn = {*form.controls.values()}
    others = [*form.components, *beside]
    more = {f"#{one.elem_id}": one for one in others if one not in drawn and one.elem_id and not _is_file(one)}
    return Kept({**form.controls, **more}, tuple(remembered), gr.Textbox("", visible="hidden", elem_id="form_starting"))


def connect(kept: Kept, heading: gr.HTML) -> None:
    """Have the browser keep, bring back and undo.

    Args:
        heading: drawn by `static/form.js`, which begins these events.
    """
    controls = [*kept.controls.values()]
    own: Any = heading
    for event in (own.ready, kept.starting.change):
        bind(event, None, [kept.starting, *controls], controls, js=_BEGIN)
    for name, function in (("undo", "undo"), ("redo", "redo"), ("reset", "reset"), ("take", "taken")):
        script = f"(...now) => window.webui.form.{function}(now)"
        bind(getattr(own, name), None, controls, controls, js=script, trigger_mode="multiple")
    for first in range(0, len(controls), TOGETHER):
        some = controls[first : first + TOGETHER]
        changes: list[Any] = [control.change for control in some if hasattr(control, "change")]
        script = f"(...some) => {{ window.webui.form?.changed(some, {first}); return []; }}"
        bind(partial(gr.on, changes), None, some, js=script, trigger_mode="always_last")


def _value(update: Any) -> Any:
    """What a control is set to, whether as a value or by `gr.update`."""
    is_update = isinstance(update, dict) and update.get("__type__") == "update"
    return update["value"] if is_update else update


def _is_file(control: Component) -> bool:
    """Whether it holds the name of a file on the server, which the next start does not have."""
    return isinstance(control, gr.Image | gr.File | gr.Gallery)
