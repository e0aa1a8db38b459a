"""Puts generation parameters into the controls: from the prompt box, and from a picture dropped on PNG Info."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.blocks import Block

from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.output.metadata import read_items, read_parameters, read_request, safe_open
from webui.output.parse import parse, read_fields
from webui.ui import markup, model_choices
from webui.ui.events import bind
from webui.ui.forms import Form
from webui.ui.generate import Results

if TYPE_CHECKING:
    from gradio.components import Component

    from webui.engine.engine import Engine

PROMPTS = ("prompt", "negative_prompt")
Updates = dict[Block, Any]


@dataclass(frozen=True, slots=True)
class Paste:
    """Handlers that fill the form."""

    engine: "Engine"
    form: Form
    status: gr.HTML

    def text(self, text: str, checkpoint: str | None) -> Updates:
        """Fill every control from generation parameters; the status names what could not be used.

        Text without a line of parameters is a prompt and changes the prompts only.
        """
        fields = parse(text)
        names = PROMPTS if set(fields) <= {"Prompt", "Negative prompt"} else None
        reading = read_fields(fields, self.engine.extensions.infos)
        return self.fill(reading.request, checkpoint, reading.notices, names)

    def fill(
        self,
        request: GenerationRequest,
        checkpoint: str | None,
        notices: Sequence[Notice] = (),
        names: tuple[str, ...] | None = None,
    ) -> Updates:
        """The form showing a request; `checkpoint` is kept where the request names none that is here."""
        shown, missing = model_choices.as_shown(self.engine.library, request, checkpoint or "")
        note = markup.message("notice", missing) if missing and not names else ""
        return {**self.form.show(shown, names), self.status: note + markup.notices(notices)}

    def from_box(self, values: "Mapping[Component, Any]", results: Results) -> Updates:
        """The arrow button: the prompt box holds the text; an empty one means the picture shown last."""
        typed = values[self.form.controls["prompt"]] or ""
        shown, chosen = values[results.shown], values[results.chosen]
        text = typed if typed.strip() else (shown[chosen]["text"] if chosen < len(shown) else "")
        if not text.strip():
            return {self.status: markup.message("notice", "Paste generation parameters into the prompt box first.")}
        return self.text(text, values[self.form.controls["checkpoint"]])

    @property
    def outputs(self) -> list[Block]:
        """The components that these handlers may change."""
        return [*self.form.components, self.status]


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


def draw_pnginfo(paste: Paste, tabs: gr.Tabs) -> None:
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
    catalog = paste.engine.extensions

    def read(path: str | None) -> tuple[str, str, GenerationRequest | None, str]:
        return read_picture(path, catalog.infos)

    bind(image.change, read, [image], [text, others, found, note])

    def to_txt2img(request: GenerationRequest | None, parameters: str | None, checkpoint: str | None) -> Updates:
        if request is None:
            return {note: markup.message("notice", "Drop a picture with generation parameters first.")}
        reading = read_fields(parse(parameters or ""), catalog.infos)
        told = reading.notices if request == reading.request else ()  # an exact request needs no notices
        return {**paste.fill(request, checkpoint, told), tabs: gr.update(selected="txt2img")}

    inputs = [found, text, paste.form.controls["checkpoint"]]
    bind(send.click, to_txt2img, inputs, [*paste.outputs, note, tabs], preprocess=False)
