"""The page: `build` draws each part into its place in the frame and connects the parts with one another."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.request import GenerationRequest
from webui.installing.live import InstallDoor
from webui.prompt.style_file import StyleFile
from webui.ui import (
    cards,
    extensions_tab,
    forms,
    frame,
    img2img,
    markup,
    model_choices,
    models_tab,
    own_size,
    paste,
    quicksettings,
    style_editor,
    tokens,
    txt2img,
    upscale_tab,
)
from webui.ui.album import Album
from webui.ui.create import dock, settings_pane, stage
from webui.ui.events import bind
from webui.ui.generate import Runner, owner_of
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

    def submit(request: GenerationRequest, sender: gr.Request) -> str:
        return engine.submit(request, save=save_images, owner=owner_of(sender)).id

    with Page(title="Stable Diffusion", analytics_enabled=False, fill_width=True, delete_cache=(DAY, DAY)) as page:
        frame.header()
        refresh = quicksettings.draw(pen, engine)
        with frame.tabs() as tabs:
            with frame.tab("txt2img"):
                drawn, panes = _draw_form(pen, styles, engine)
                with panes.dock:
                    cards.draw(engine, pen.controls["checkpoint"])
                gr.Textbox("txt2img", visible="hidden", interactive=True, elem_id="create_mode", label="Mode")
            results, form = drawn.results, pen.form()
            shared = {name: form.controls[name] for name in quicksettings.REMEMBERED}
            picture_pen = Pen(starting, "img2img", shared)
            with frame.tab("img2img"):
                pictures = img2img.Pictures(picture_pen)
                of_picture, _ = _draw_form(picture_pen, styles, engine, pictures.draw)
                picture_tab = pictures.tab(of_picture)
            frame.tab("inpaint")
            filler = paste.Paste(engine, form, results.status)
            with frame.tab("extras"):
                upscale_tab.draw(engine, submit)
            frame.tab("image_browser")
            with frame.tab("modelmerger"):
                browser = models_tab.draw(engine)
            with frame.tab("pnginfo"), gr.Tabs(elem_classes="subtabs"), gr.Tab("PNG Info", id="png_info"):
                paste.draw_pnginfo(filler, tabs)
            album = Album(temp_dir / "shown", embed_parameters)
            with frame.tab("extensions"):
                extensions_tab.draw(engine, installs=installing is not None)
            frame.tab("settings")
        runner = Runner(engine, form, results, album, save_images)
        txt2img.connect(pen, drawn, runner)
        of_pictures = Runner(engine, picture_tab.form, picture_tab.results, album, save_images)
        txt2img.connect(picture_pen, of_picture, of_pictures)
        for gallery in (results, picture_tab.results):
            img2img.connect_send(gallery, picture_tab, tabs)
        _connect_prompts(engine, ((pen, drawn.dock), (picture_pen, of_picture.dock)), styles)
        refiners = [picture_pen.controls["refiner.checkpoint"]]
        quicksettings.connect(pen, engine, refresh, results.status, refiners)
        models_tab.connect(browser, engine, pen.controls["checkpoint"])
        for size_pen in (pen, picture_pen):
            own_size.connect(size_pen, engine)

        def from_box(values: Mapping[Component, Any]) -> paste.Updates:
            return filler.from_box(values, results)

        box = {form.controls["prompt"], form.controls["checkpoint"], results.shown, results.chosen}
        bind(drawn.dock.paste.click, from_box, box, filler.outputs, preprocess=False)

        _connect_paste(engine, picture_tab)
        refiner = picture_pen.controls["refiner.checkpoint"]

        def start() -> paste.Updates:
            listed = gr.update(choices=model_choices.refiner_choices(engine.library))
            return {**_starting(engine, filler, drawn=starting), refiner: listed}

        bind(page.load, start, None, [*filler.outputs, refiner])
        bind(page.load, runner.resume, [results.job], results.all)
        bind(page.load, of_pictures.resume, [picture_tab.results.job], picture_tab.results.all)
    blocks: gr.Blocks = page
    return blocks


def _draw_form(
    pen: Pen, styles: StyleFile | None, engine: "Engine", before: Callable[[], None] | None = None
) -> tuple[txt2img.Drawn, frame.Panes]:
    """Draw the panes of a form. `before` draws what stands above the other settings."""
    panes = frame.panes(pen.tab)
    with panes.settings:
        settings = settings_pane.draw(pen, engine, before)
    with panes.stage:
        results, upscale = stage.draw(pen)
    with panes.dock:
        buttons = dock.draw(pen, styles)
    return txt2img.Drawn(buttons, settings, results, upscale), panes


def _connect_prompts(
    engine: "Engine", tabs: Sequence[tuple[Pen, txt2img.DockButtons]], styles: StyleFile | None
) -> None:
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
