"""The buttons of the dock, and what is left to do for them here. Their layout is in `create/dock.py`."""

from dataclasses import dataclass

import gradio as gr

from webui.ui import style_editor
from webui.ui.events import bind
from webui.ui.layout import Pen


@dataclass(frozen=True, slots=True)
class DockButtons:
    """The buttons of the dock and the components beside the prompts."""

    generate: gr.Button
    interrupt: gr.Button
    skip: gr.Button
    paste: gr.Button
    clear: gr.Button
    counters: tuple[gr.HTML, gr.HTML]  # the token counters of both prompts
    styles: style_editor.Editor | None  # None where styles cannot be saved


def connect(pen: Pen, dock: DockButtons) -> None:
    """Connect the button that empties the prompts."""
    prompts = [pen.controls["prompt"], pen.controls["negative_prompt"]]
    bind(dock.clear.click, None, None, prompts, js="() => ['', '']")
