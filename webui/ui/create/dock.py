"""The dock below the picture: the prompts, their counters, and the buttons that start and stop a job."""

import gradio as gr

from webui.prompt.style_file import StyleFile
from webui.ui import style_editor, tokens
from webui.ui.create.tools import tool
from webui.ui.layout import Pen
from webui.ui.txt2img import DockButtons

TEXT_BOX = 32_000  # characters, as the request allows


def draw(pen: Pen, styles: StyleFile | None = None) -> DockButtons:
    """Draw the dock inside the caller's container.

    Args:
        styles: the saved styles; None: none can be saved.
    """
    names = () if styles is None else styles.names()
    with gr.Row(elem_id=pen.id("toprow"), elem_classes="toprow"):
        with gr.Column(elem_classes="prompts", min_width=0, scale=1):
            counters = _prompts(pen)
        with gr.Column(elem_id=pen.id("actions"), elem_classes="actions", min_width=0, scale=0):
            generate = gr.Button("Generate", variant="primary", elem_id=pen.id("generate"), elem_classes="generate")
            with gr.Row(elem_classes="stops"):
                interrupt = gr.Button("Interrupt", elem_id=pen.id("interrupt"), elem_classes="halts", min_width=0)
                skip = gr.Button("Skip", elem_id=pen.id("skip"), min_width=0)
    with gr.Row(elem_classes="dockbar"):
        pen.draw("styles", info=None, choices=list(names), show_label=False, container=False)
        about_styles = None if styles is None else style_editor.draw_buttons(pen)
        paste = tool("↙ Read parameters", "paste" if pen.tab == "txt2img" else pen.id("paste"))
        clear = tool("✕ Clear", pen.id("clear"))
    editor = None if about_styles is None else style_editor.draw(pen, about_styles, names)
    return DockButtons(generate, interrupt, skip, paste, clear, counters, editor)


def _prompts(pen: Pen) -> tuple[gr.HTML, gr.HTML]:
    """Both boxes, each with its counter."""
    box = {"max_length": TEXT_BOX, "show_label": False, "elem_classes": "prompt"}
    pen.draw(
        "prompt", placeholder="What shall be in the picture?", autofocus=pen.tab == "txt2img",
        **{**box, "lines": 2, "max_lines": 8, "elem_id": pen.id("prompt")},
    )  # fmt: skip
    counter = tokens.draw(pen, "token_counter")
    pen.draw(
        "negative_prompt", placeholder="Negative prompt: what to keep out",
        **{**box, "lines": 1, "max_lines": 5, "elem_id": pen.id("neg_prompt")},
    )  # fmt: skip
    return counter, tokens.draw(pen, "negative_token_counter")
