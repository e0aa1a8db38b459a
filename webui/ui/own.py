"""Components of our own: a `gr.HTML` whose content a script in `static/` draws and keeps.

The template is constant, so Gradio never draws it again; the value only says what is shown. Foreign text must not
stand in a template, because Gradio runs templates as JavaScript: the script puts it in as text.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import gradio as gr

NAME = re.compile(r"[a-z][a-z0-9_]*")
TEMPLATE = re.compile(rf'<div class="own ({NAME.pattern})"></div>')


def own(name: str, value: Any = None, *, elem_id: str, events: Sequence[str] = (), **more: Any) -> gr.HTML:
    """Draw a component inside the caller's Blocks.

    A function instead of a class, since Gradio writes a stub file beside every class that extends one of its own.

    Args:
        name: of the script, `static/<name>.js`, whose `mount` is called once with `{element, props, trigger, server,
            watch, upload}`; `element` is the `<div class="own <name>">` that it fills.
        value: what the script finds in `props.value`; JSON, and never pixels, since Gradio compares it at each update.
        events: what the script may `trigger`; `own(...).<event>(handler)` binds to it.
        more: parameters of `gr.HTML`, such as `server_functions`.

    Raises:
        ValueError: a name is no plain word.
    """
    for word in (name, *events):
        if NAME.fullmatch(word) is None:
            raise ValueError(f"{word!r}: should be a word of lower-case letters, digits and _")
    known = json.dumps(list(events))  # Gradio knows the events of a component by the quoted words in its script
    script = (
        f"/* events: {known} */ window.webui.mount({json.dumps(name)}, "
        "{element: element.firstElementChild, props, trigger, server, watch, upload});"
    )
    settings = {"apply_default_css": False, "min_height": None, "padding": False, **more}
    return gr.HTML(
        value, html_template=f'<div class="own {name}"></div>', js_on_load=script, elem_id=elem_id, **settings
    )


def script_of(component: Any) -> str:
    """The file of a component's script; "" where `own` has not made it."""
    found = TEMPLATE.fullmatch(str(getattr(component, "html_template", "")))
    return f"{found[1]}.js" if found else ""


def plain(text: str, **more: Any) -> gr.HTML:
    """Constant HTML of ours, without Gradio's style of prose and without an event for clicks."""
    return gr.HTML(text, js_on_load=None, apply_default_css=False, padding=False, **more)


def unseen(elem_id: str) -> gr.HTML:
    """A component that nobody sees, for a value of any JSON. Its template is constant, so the value is never drawn."""
    return gr.HTML(
        None, html_template="<i></i>", js_on_load=None, apply_default_css=False, padding=False, visible="hidden",
        elem_id=elem_id,
    )  # fmt: skip
