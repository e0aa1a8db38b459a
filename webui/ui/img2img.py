"""The tab img2img with its sub-tabs, and the buttons that hand a finished picture to it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.domain.fields import rounded_side
from webui.output.parse import parse, read_fields
from webui.ui import markup, picture_form, txt2img
from webui.ui.events import bind
from webui.ui.generate import Results
from webui.ui.layout import Pen
from webui.ui.picture_form import INPAINT, INPAINT_SKETCH, MASKED, OUTPAINT, PLAIN, TRANSPARENCY, PictureForm

TOLD = ("prompt", "negative_prompt", "steps", "seed")  # fields that are copied with a picture; to img2img its size too
SIZE = ("width", "height")
Updates = dict[Block, Any]


@dataclass(frozen=True, slots=True)
class Tab:
    """The tab as it was drawn."""

    form: PictureForm
    buttons: txt2img.DockButtons
    results: Results
    modes: gr.Tabs


class Pictures:
    """What img2img has above the settings that it shares with txt2img."""

    def __init__(self, pen: Pen) -> None:
        self._pen = pen
        self._drawn: list[Any] = []

    def draw(self) -> None:
        """Draw the sub-tabs and the options inside the caller's container."""
        pictures, modes, tabs = picture_form.draw_pictures()
        measure = gr.Button("⤢ Size of the picture", size="sm", elem_id="img2img_detect_image_size_btn", min_width=0)
        options, masked, margins = picture_form.draw_options()
        for mode, tab in tabs.items():
            into = [pictures.mode, masked, margins, options[TRANSPARENCY]]
            bind(tab.select, None, None, into, js=_into_view(mode))
        self._drawn.extend((pictures, modes, options, measure))

    def tab(self, drawn: txt2img.Drawn) -> Tab:
        """The tab, when all of its form was drawn."""
        pictures, modes, options, measure = self._drawn
        form = PictureForm(self._pen.form(), pictures, options)
        _connect_size(form, measure, drawn.results)
        return Tab(form, drawn.dock, drawn.results, modes)


def _into_view(mode: str) -> str:
    """The script that shows a sub-tab. It needs no server, whose answers could arrive in another order than the
    clicks.
    """
    shown = (mode in MASKED, mode == OUTPAINT, mode == INPAINT_SKETCH)
    return f"() => {json.dumps([mode, *({'__type__': 'update', 'visible': one} for one in shown)])}"


def _connect_size(form: PictureForm, measure: gr.Button, results: Results) -> None:
    width, height = form.controls["width"], form.controls["height"]

    def size_of(values: Mapping[Component, Any]) -> Updates:
        """The picture's own size, rounded down to whole latent cells."""
        try:
            picture = form.pictures.picture(values)
        except WebuiError as error:
            return {results.status: markup.message("error", str(error))}
        return {width: rounded_side(picture.width), height: rounded_side(picture.height)}

    bind(measure.click, size_of, set(form.pictures.all), [width, height, results.status], preprocess=False)


def connect_send(results: Results, tab: Tab, tabs: gr.Tabs) -> None:
    """Give the buttons below a gallery their work: the chosen picture becomes the one to start from."""

    def handler(mode: str) -> Callable[[list[dict[str, Any]], int], Updates]:
        return lambda shown, chosen: _sent(tab, tabs, results, mode, shown, chosen)

    pictures, controls = tab.form.pictures, tab.form.controls
    outputs = [
        tabs, tab.modes, pictures.mode, pictures.plain, pictures.editor.component, results.status,
        *(controls[name] for name in (*TOLD, *SIZE)),
    ]  # fmt: skip
    for button, mode in zip(results.send, (PLAIN, INPAINT), strict=True):
        bind(button.click, handler(mode), [results.shown, results.chosen], outputs)


def _sent(tab: Tab, tabs: gr.Tabs, results: Results, mode: str, shown: list[dict[str, Any]], chosen: int) -> Updates:
    if chosen >= len(shown):
        return {results.status: markup.message("notice", "There is no picture to send yet.")}
    picture, pictures = shown[chosen], tab.form.pictures
    request = read_fields(parse(picture["text"])).request
    into: Updates = (
        {pictures.plain: picture["file"]}
        if mode == PLAIN
        else {pictures.editor.component: {"background": picture["file"], "layers": [], "composite": None}}
    )
    return {
        **tab.form.form.show(request, TOLD if mode == INPAINT else (*TOLD, *SIZE)),
        **into,
        pictures.mode: mode,
        tabs: gr.update(selected="img2img"),
        tab.modes: gr.update(selected=mode),
    }
