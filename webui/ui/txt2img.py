"""What the buttons of the forms for txt2img and img2img do. Their layout is in `create/`."""

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


@dataclass(frozen=True, slots=True)
class SettingButtons:
    """The buttons beside size and seeds."""

    swap: gr.Button
    seed_dice: gr.Button
    seed_reuse: gr.Button
    subseed_dice: gr.Button
    subseed_reuse: gr.Button


@dataclass(frozen=True, slots=True)
class Drawn:
    """A form as it was drawn."""

    dock: DockButtons
    settings: SettingButtons
    results: Results
    upscale: gr.Button | None  # only in txt2img


def connect(pen: Pen, drawn: Drawn, runner: Runner) -> None:
    """Connect the buttons for generation, seed and size to their handlers."""
    dock, settings, results = drawn.dock, drawn.settings, drawn.results
    form, controls = runner.form, pen.controls
    # Values arrive unchecked, so that the request alone checks them and its error names the field.
    bind(dock.generate.click, runner.generate, form.components, results.all, preprocess=False)
    if drawn.upscale is not None:
        chosen = {*form.components, results.shown, results.chosen}
        bind(drawn.upscale.click, runner.upscale, chosen, results.all, preprocess=False)
    bind_stop(dock.interrupt, runner.interrupt, results.job, results.status, "Stopping …")
    bind_stop(dock.skip, runner.skip, results.job, results.status, "Skipping this batch …")
    bind(results.gallery.select, runner.choose, [results.shown], [results.text, results.chosen])

    size = [controls["width"], controls["height"]]
    bind(settings.swap.click, None, size, size, js="(width, height) => [height, width]")
    prompts = [controls["prompt"], controls["negative_prompt"]]
    bind(dock.clear.click, None, None, prompts, js="() => ['', '']")
    bind(settings.seed_dice.click, None, None, [controls["seed"]], js="() => '-1'")
    bind(settings.subseed_dice.click, None, None, [controls["subseed"]], js="() => '-1'")

    def last(field: str, shown: list[dict[str, int]], chosen: int) -> str:
        return str(shown[chosen][field]) if chosen < len(shown) else "-1"

    picked = [results.shown, results.chosen]
    bind(settings.seed_reuse.click, lambda *values: last("seed", *values), picked, [controls["seed"]])
    bind(settings.subseed_reuse.click, lambda *values: last("subseed", *values), picked, [controls["subseed"]])
