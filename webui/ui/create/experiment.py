"""The second face of the left pane, where an experiment is built. `static/experiment.js` draws it and counts."""

from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from webui.ui.own import own


@dataclass(frozen=True, slots=True)
class ExperimentFace:
    """What was drawn.

    Attributes:
        face: its value is `{"open": whether it is shown, "total": how many pictures the plan makes}`.
        plan: a hidden box for the plan as JSON, filled at the press of Generate; "" means a picture of the form.
    """

    face: gr.HTML
    plan: gr.Textbox


def draw() -> ExperimentFace:
    """Draw both inside the caller's pane."""
    face = own("experiment", {"open": False, "total": 0}, elem_id="experiment", fields={})
    return ExperimentFace(face, gr.Textbox("", visible="hidden", elem_id="experiment_plan"))


def name_controls(drawn: ExperimentFace, controls: Mapping[str, Component]) -> None:
    """Tell the script which control holds which field, so that a click on its name can make it an axis.

    Args:
        controls: by the path of their field.
    """
    fields = {str(control.elem_id): path for path, control in controls.items() if control.elem_id}
    drawn.face.props["fields"] = fields
