"""The page: quicksettings above, one tab each below. `build` puts the parts together and draws nothing itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.request import GenerationRequest
from webui.installing.live import InstallDoor
from webui.ui import extensions, forms, markup, models, paste, quicksettings, txt2img
from webui.ui.album import Album
from webui.ui.events import bind
from webui.ui.generate import Runner
from webui.ui.layout import Pen
from webui.ui.uploads import Page

if TYPE_CHECKING:
    from webui.engine import Engine

DAY = 24 * 60 * 60  # seconds


def build(
    engine: "Engine",
    *,
    temp_dir: Path,
    save_images: bool = True,
    embed_parameters: bool = True,
    styles: Sequence[str] = (),
    installing: InstallDoor | None = None,
) -> gr.Blocks:
    """Build the page. Its controls start at the engine's starting values, again on every load.

    Args:
        engine: submits jobs; its library fills the model lists.
        temp_dir: private folder of the pictures shown; must lie in Gradio's upload folder (`mount` sees to that).
        save_images: whether pictures are saved to the outputs folder.
        embed_parameters: whether pictures that are not saved carry their generation text.
        styles: names of the saved styles.
        installing: how extensions are installed; None: not on this page.
    """
    starting, _ = models.as_shown(engine.library, engine.starting_values(), "")
    pen = Pen(starting)
    with Page(title="Stable Diffusion", analytics_enabled=False, fill_width=True, delete_cache=(DAY, DAY)) as page:
        refresh = quicksettings.draw(pen, engine)
        with gr.Tabs(selected="txt2img", elem_id="tabs") as tabs:
            with gr.Tab("txt2img", id="txt2img", elem_id="tab_txt2img"):
                buttons, results = txt2img.draw(pen, styles, engine)
            form = pen.form()
            filler = paste.Paste(engine, form, results.status)
            with gr.Tab("PNG Info", id="pnginfo", elem_id="tab_pnginfo"):
                paste.draw_pnginfo(filler, tabs)
            album = Album(temp_dir / "shown", embed_parameters)
            extensions.draw_tabs(engine, album, installing)
        runner = Runner(engine, form, results, album, save_images)
        txt2img.connect(pen, buttons, results, runner)
        quicksettings.connect(pen, engine, refresh, results.status)

        def from_box(values: Mapping[Component, Any]) -> paste.Updates:
            return filler.from_box(values, results)

        box = {form.controls["prompt"], form.controls["checkpoint"], results.shown, results.chosen}
        bind(buttons.paste.click, from_box, box, filler.outputs, preprocess=False)

        def start() -> paste.Updates:
            return _starting(engine, filler, drawn=starting)

        bind(page.load, start, None, filler.outputs)
        bind(page.load, runner.resume, [results.job], results.all)
    blocks: gr.Blocks = page
    return blocks


def _starting(engine: "Engine", filler: paste.Paste, drawn: GenerationRequest) -> paste.Updates:
    """What a freshly loaded page must change: the lists of model files, and starting values that are not as `drawn`.

    The others are left alone, so that nothing typed while the page loads is overwritten.
    """
    library, controls = engine.library, filler.form.controls
    request, missing = models.as_shown(library, engine.starting_values(), "")
    before = forms.flatten(drawn)
    changed = [name for name, value in forms.flatten(request).items() if before.get(name) != value]
    updates = filler.form.show(request, changed)
    lists = {
        "checkpoint": models.checkpoint_choices(library),
        "vae": models.vae_choices(library),
        "refiner.checkpoint": models.refiner_choices(library),
    }
    for name, choices in lists.items():
        updates[controls[name]] = gr.update(**{**updates.get(controls[name], {}), "choices": choices})
    if not lists["checkpoint"]:
        missing = "There is no usable checkpoint. Put one into models/Stable-diffusion and press ↻."
    return {**updates, filler.status: markup.message("notice", missing) if missing else ""}
