"""The page: quicksettings above, one tab each below. `build` puts the parts together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.request import GenerationRequest
from webui.installing.live import InstallDoor
from webui.prompt.style_file import StyleFile
from webui.ui import (
    cards,
    extension_views,
    extras_tab,
    forms,
    img2img,
    markup,
    model_choices,
    own_size,
    paste,
    quicksettings,
    style_editor,
    tokens,
    txt2img,
)
from webui.ui.album import Album
from webui.ui.events import bind
from webui.ui.generate import Runner
from webui.ui.layout import Pen
from webui.ui.uploads import Page

if TYPE_CHECKING:
    from webui.engine.engine import Engine

DAY = 24 * 60 * 60  # seconds


def build(
    engine: "Engine",
    *,
    temp_dir: Path,
    save_images: bool = True,
    embed_parameters: bool = True,
    styles: StyleFile | None = None,
    installing: InstallDoor | None = None,
) -> gr.Blocks:
    """Build the page. Its controls start at the engine's starting values, again on every load.

    Args:
        engine: submits jobs; its library fills the model lists.
        temp_dir: the private folder of the pictures that are shown, inside Gradio's upload folder (see `mount`).
        save_images: whether pictures are saved to the outputs folder.
        embed_parameters: whether pictures that are not saved carry their generation text.
        styles: the saved styles; None: there are none, and none can be saved.
        installing: how extensions are installed; None: not on this page.
    """
    starting = own_size.starting(engine)[0]
    pen = Pen(starting)
    with Page(title="Stable Diffusion", analytics_enabled=False, fill_width=True, delete_cache=(DAY, DAY)) as page:
        refresh = quicksettings.draw(pen, engine)
        with gr.Tabs(selected="txt2img", elem_id="tabs") as tabs:
            with gr.Tab("txt2img", id="txt2img", elem_id="tab_txt2img"):
                buttons, results = txt2img.draw(pen, styles, engine)
                cards.draw(engine, pen.controls["checkpoint"])
            form = pen.form()
            shared = {name: form.controls[name] for name in quicksettings.REMEMBERED}
            picture_pen = Pen(starting, "img2img", shared)
            with gr.Tab("img2img", id="img2img", elem_id="tab_img2img"):
                picture_tab = img2img.draw(picture_pen, styles, engine)
            filler = paste.Paste(engine, form, results.status)
            with gr.Tab("Extras", id="extras", elem_id="tab_extras"):
                upscalers = extras_tab.draw(
                    engine, temp_dir / "shown", save_images=save_images, embed_parameters=embed_parameters
                )
            with gr.Tab("PNG Info", id="pnginfo", elem_id="tab_pnginfo"):
                paste.draw_pnginfo(filler, tabs)
            album = Album(temp_dir / "shown", embed_parameters)
            extension_views.draw_tabs(engine, album, installing)
        runner = Runner(engine, form, results, album, save_images)
        txt2img.connect(pen, buttons, results, runner)
        of_pictures = Runner(engine, picture_tab.form, picture_tab.results, album, save_images)
        txt2img.connect(picture_pen, picture_tab.buttons, picture_tab.results, of_pictures)
        for gallery in (results, picture_tab.results):
            img2img.connect_send(gallery, picture_tab, tabs)
        _connect_prompts(engine, ((pen, buttons), (picture_pen, picture_tab.buttons)), styles)
        refiners = [picture_pen.controls["refiner.checkpoint"]]
        quicksettings.connect(pen, engine, refresh, results.status, refiners)
        for size_pen in (pen, picture_pen):
            own_size.connect(size_pen, engine)

        def from_box(values: Mapping[Component, Any]) -> paste.Updates:
            return filler.from_box(values, results)

        box = {form.controls["prompt"], form.controls["checkpoint"], results.shown, results.chosen}
        bind(buttons.paste.click, from_box, box, filler.outputs, preprocess=False)

        _connect_paste(engine, picture_tab)
        refiner = picture_pen.controls["refiner.checkpoint"]

        def start() -> paste.Updates:
            listed = gr.update(choices=model_choices.refiner_choices(engine.library))
            return {**_starting(engine, filler, drawn=starting), refiner: listed}

        bind(page.load, start, None, [*filler.outputs, refiner])
        bind(page.load, lambda: extras_tab.fresh_lists(engine), None, upscalers)
        bind(page.load, runner.resume, [results.job], results.all)
        bind(page.load, of_pictures.resume, [picture_tab.results.job], picture_tab.results.all)
    blocks: gr.Blocks = page
    return blocks


def _connect_prompts(engine: "Engine", tabs: Sequence[tuple[Pen, txt2img.Buttons]], styles: StyleFile | None) -> None:
    """Connect the token counters and the editor of styles of each tab."""
    counting = tokens.Counting(engine, dict if styles is None else styles.read)
    for pen, buttons in tabs:
        tokens.connect(pen, buttons.counters, counting)
        tokens.connect_load(buttons.counters, counting, engine.starting_values)
    if styles is not None:
        style_editor.connect([buttons.styles for _, buttons in tabs if buttons.styles is not None], styles)


def _connect_paste(engine: "Engine", tab: img2img.Tab) -> None:
    """Connect the arrow button of img2img: generation parameters fill the fields that it shares with txt2img."""
    filler = paste.Paste(engine, tab.form.form, tab.results.status)
    controls = tab.form.controls

    def from_box(values: Mapping[Component, Any]) -> paste.Updates:
        return filler.from_box(values, tab.results)

    box = {controls["prompt"], controls["checkpoint"], tab.results.shown, tab.results.chosen}
    bind(tab.buttons.paste.click, from_box, box, filler.outputs, preprocess=False)


def _starting(engine: "Engine", filler: paste.Paste, drawn: GenerationRequest) -> paste.Updates:
    """What a freshly loaded page must change: the lists of model files, and starting values that are not as `drawn`.

    Other controls are not changed, so that nothing that the user types while the page loads is overwritten.
    """
    library, controls = engine.library, filler.form.controls
    request, missing = own_size.starting(engine)
    before = forms.flatten(drawn)
    changed = [name for name, value in forms.flatten(request).items() if before.get(name) != value]
    updates = filler.form.show(request, changed)
    lists = {
        "checkpoint": model_choices.checkpoint_choices(library),
        "vae": model_choices.vae_choices(library),
        "refiner.checkpoint": model_choices.refiner_choices(library),
        "task.hires.checkpoint": model_choices.hires_checkpoint_choices(library),
        "task.hires.upscaler": model_choices.hires_upscaler_choices(library),
    }
    for name, choices in lists.items():
        updates[controls[name]] = gr.update(**{**updates.get(controls[name], {}), "choices": choices})
    if not lists["checkpoint"]:
        missing = "There is no usable checkpoint. Put one into models/Stable-diffusion and press ↻."
    return updates | ({filler.status: markup.message("notice", missing)} if missing else {})
