"""The tab PNG Info: what a picture tells of how it was made."""

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.output.metadata import read_items, read_parameters, read_request, safe_open
from webui.output.parse import parse, read_fields
from webui.ui import markup
from webui.ui.create.filling import Filling, Updates
from webui.ui.events import bind


def read_picture(
    path: str | None, extensions: Sequence[ExtensionInfo] = ()
) -> tuple[str, str, GenerationRequest | None, str]:
    """Parameters, other text entries, the request that makes it again, and what to say where there is none (HTML).

    Args:
        extensions: those whose keys of the parameters can be read.
    """
    if not path:
        return "", "", None, ""
    try:
        image = safe_open(Path(path))
    except WebuiError as error:
        return "", "", None, markup.message("error", str(error))
    found = read_parameters(image)
    others = "\n".join(f"{key}: {value}" for key, value in read_items(image).items())
    note = markup.notices(found.notices)
    if not found.text and not found.notices:
        note = markup.message("notice", "This picture holds no generation parameters.")
    return found.text, others, read_request(image, extensions), note


def draw_pnginfo(filling: Filling, tabs: gr.Tabs) -> None:
    """Draw the tab PNG Info inside the caller's Blocks."""
    with gr.Row():
        with gr.Column(min_width=320):
            # with a path and no mode Gradio keeps the file unchanged, with its infotext
            image = gr.Image(
                type="filepath", image_mode=None, sources=["upload", "clipboard"], label="Picture", height=480,
                elem_id="pnginfo_image", buttons=[],
            )  # fmt: skip
        with gr.Column(min_width=320):
            text = gr.Textbox(
                label="Generation parameters", lines=8, max_lines=24, interactive=False, buttons=["copy"],
                elem_id="pnginfo_text",
            )  # fmt: skip
            others = gr.Textbox(label="Other entries", lines=2, max_lines=12, interactive=False)
            note = gr.HTML(elem_id="pnginfo_status")
            send = gr.Button("Send to txt2img", variant="primary", elem_id="pnginfo_send_to_txt2img")
    found = gr.State(None)
    catalog = filling.engine.extensions

    def read(path: str | None) -> tuple[str, str, GenerationRequest | None, str]:
        return read_picture(path, catalog.infos)

    bind(image.change, read, [image], [text, others, found, note])

    def to_txt2img(request: GenerationRequest | None, parameters: str | None, checkpoint: str | None) -> Updates:
        if request is None:
            return {note: markup.message("notice", "Drop a picture with generation parameters first.")}
        reading = read_fields(parse(parameters or ""), catalog.infos)
        filled = filling.request(request, checkpoint)
        told = reading.notices if request == reading.request else ()  # an exact request needs no notices
        missing = "".join(markup.message("notice", sentence) for sentence in filled.told)
        return {**filled.updates, note: missing + markup.notices(told), tabs: gr.update(selected="txt2img")}

    inputs = [found, text, filling.form.controls["checkpoint"]]
    outputs = [*filling.form.components, note, tabs]
    bind(send.click, to_txt2img, inputs, outputs, preprocess=False)
