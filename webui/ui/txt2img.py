"""What the buttons of the dock do, but for Generate. Their layout is in `create/dock.py`."""

from dataclasses import dataclass

import gradio as gr

from webui.ui import style_editor
from webui.ui.events import bind, bind_stop
from webui.ui.generate import Results, Runner
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


def connect(pen: Pen, dock: DockButtons, results: Results, runner: Runner) -> None:
    """Connect the buttons of the dock and the gallery to their handlers."""
    bind_stop(dock.interrupt, runner.interrupt, results.job, results.status, "Stopping …")
    bind_stop(dock.skip, runner.skip, results.job, results.status, "Skipping this batch …")
    bind(results.gallery.select, runner.choose, [results.shown], [results.text, results.chosen])
    prompts = [pen.controls["prompt"], pen.controls["negative_prompt"]]
    bind(dock.clear.click, None, None, prompts, js="() => ['', '']")
