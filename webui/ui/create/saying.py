"""What a handler of the form has to say: a text box that nobody sees holds it as JSON, and the page says it where it is
seen (`Form.told` in `static/form.js`).
"""

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from webui.ui.events import bind

NOTHING = "{}"


def draw() -> gr.Textbox:
    """Draw the box inside the caller's Blocks."""
    return gr.Textbox("", visible="hidden", elem_id="form_said")


def notice(text: str, plan: Mapping[str, Any] | None = None) -> str:
    """Something that came about all the same; "" takes back what was said before.

    Args:
        plan: of an experiment that is to stand in the left pane from now on; None: as it is.
    """
    return json.dumps({"kind": "notice", "text": text, "plan": plan})


def sent(job: str) -> str:
    """A job was submitted; what was said before is taken back."""
    return json.dumps({"kind": "notice", "text": "", "job": job})


def answer_to(number: int, said: str) -> str:
    """What is said, as the answer to what `static/submissions.js` has counted as this."""
    return json.dumps({**json.loads(said), "sent": number})


def job_in(said: str) -> str:
    """The id of the job that was submitted; "" where something else is said."""
    return str(json.loads(said or "{}").get("job", ""))


def error(text: str, at: str = "") -> str:
    """A failure; `at` is the element id of the control to be corrected ("": none)."""
    return json.dumps({"kind": "error", "text": text, "at": at})


def tell(done: Any, said: Component) -> None:
    """Have the page say what a handler has answered, once it has.

    Args:
        done: what binding the handler gave.
    """
    bind(done.then, None, [said], None, js="(said) => { window.webui.form?.told(said); }")
