"""The stage: the picture that is made, its progress, and what can be done with it."""

import gradio as gr

from webui.ui.create.tools import tool
from webui.ui.generate import Results
from webui.ui.layout import Pen


def draw(pen: Pen) -> tuple[Results, gr.Button | None]:
    """Draw the stage inside the caller's container. The button enlarges the chosen picture; only txt2img has it."""
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
    with gr.Row(elem_classes="stagebar"):
        send = tuple(
            gr.Button(title, size="sm", elem_id=pen.id(name), min_width=0)
            for title, name in (("Send to img2img", "send_to_img2img"), ("Send to inpaint", "send_to_inpaint"))
        )
        upscale = None
        if pen.tab == "txt2img":
            upscale = tool("✨ Upscale with the settings of Hires. fix", "txt2img_upscale")
    return Results(bar, preview, status, gallery, text, gr.State([]), gr.State(0), job, send), upscale
