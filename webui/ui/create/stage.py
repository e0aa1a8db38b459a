"""The stage: the picture that is made, its progress, and what can be done with it."""

import gradio as gr

from webui.ui.generate import Results
from webui.ui.layout import Pen


def draw(pen: Pen) -> Results:
    """Draw the stage inside the caller's container."""
    status = gr.HTML(elem_id=pen.id("status"))
    bar = gr.HTML(elem_id=pen.id("progress"))
    preview = gr.HTML(elem_id=pen.id("preview"))
    gallery = gr.Gallery(
        label="Pictures", show_label=False, elem_id=pen.id("gallery"), columns=4, height="100%", preview=True,
        object_fit="contain", interactive=False, buttons=["download", "fullscreen"], format="png",
    )  # fmt: skip
    text = gr.Textbox(
        label="Generation parameters", lines=3, max_lines=6, interactive=False, buttons=["copy"],
        elem_id=pen.id("infotext"),
    )  # fmt: skip
    job = gr.BrowserState("", storage_key="webui_last_job" if pen.tab == "txt2img" else pen.id("last_job"))
    return Results(bar, preview, status, gallery, text, gr.State([]), gr.State(0), job)
