"""The form of txt2img, which img2img shares: the layout of the controls, and the handler of each button."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from webui.domain.catalog import SAMPLERS, SCHEDULES
from webui.prompt.style_file import StyleFile
from webui.ui import hires_form, style_editor, tokens
from webui.ui.events import bind, bind_stop
from webui.ui.extension_views import draw_accordions, names_of
from webui.ui.generate import Results, Runner
from webui.ui.layout import Pen

if TYPE_CHECKING:
    from webui.engine.engine import Engine

ADVANCED = (
    ("noise", "Noise"),
    ("schedule", "Noise schedule"),
    ("guidance", "Guidance"),
    ("prompting", "Prompt"),
    ("unipc", "UniPC"),
    ("token_merging", "Token merging"),
    ("sdxl", "SDXL"),
)
TEXT_BOX = 32_000  # characters, as the request allows


@dataclass(frozen=True, slots=True)
class Buttons:
    """The buttons of the tab and the components beside the prompts, which the caller connects to handlers."""

    generate: gr.Button
    interrupt: gr.Button
    skip: gr.Button
    upscale: gr.Button | None  # only in txt2img
    paste: gr.Button
    clear: gr.Button
    swap: gr.Button
    seed_dice: gr.Button
    seed_reuse: gr.Button
    subseed_dice: gr.Button
    subseed_reuse: gr.Button
    counters: tuple[gr.HTML, gr.HTML]  # the token counters of both prompts
    styles: style_editor.Editor | None  # None where styles cannot be saved


def draw(
    pen: Pen,
    styles: StyleFile | None = None,
    engine: "Engine | None" = None,
    before: Callable[[], None] | None = None,
) -> tuple[Buttons, Results]:
    """Draw the tab inside the caller's Blocks.

    Args:
        styles: the saved styles; None: none can be saved.
        engine: knows the extensions.
        before: draws the controls that img2img has above the others.
    """
    with gr.Row(elem_id=pen.id("toprow")):
        with gr.Column(scale=6, min_width=320):
            counters = _prompts(pen)
        with gr.Column(scale=2, min_width=260, elem_id=pen.id("actions")):
            generate = gr.Button("Generate", variant="primary", elem_id=pen.id("generate"))
            with gr.Row(elem_classes="tight"):
                interrupt = gr.Button("Interrupt", size="sm", elem_id=pen.id("interrupt"), min_width=80)
                skip = gr.Button("Skip", size="sm", elem_id=pen.id("skip"), min_width=80)
            with gr.Row(elem_classes="tight"):
                paste = _tool("↙ Read parameters", "paste" if pen.tab == "txt2img" else pen.id("paste"))
                clear = _tool("✕ Clear", pen.id("clear"))
            names = () if styles is None else styles.names()
            pen.draw("styles", info=None, choices=list(names))
            if styles is not None:
                with gr.Row(elem_classes="tight"):
                    about_styles = style_editor.draw_buttons(pen)
    editor = None if styles is None else style_editor.draw(pen, about_styles, names)
    with gr.Row(elem_id=pen.id("columns")):
        with gr.Column(scale=1, min_width=360, elem_id=pen.id("settings")):
            if before is not None:
                before()
            tools = _generation(pen)
            if pen.tab == "txt2img":
                hires_form.draw(pen)
            if engine is not None:
                pen.extensions = draw_accordions(engine.extensions.infos, pen.tab, names_of(engine))
            _advanced(pen)
        with gr.Column(scale=1, min_width=360, elem_id=pen.id("results")):
            results = _results(pen)
            upscale = None
            if pen.tab == "txt2img":
                upscale = _tool("✨ Upscale with the settings of Hires. fix", "txt2img_upscale")
    return Buttons(generate, interrupt, skip, upscale, paste, clear, *tools, counters, editor), results


def connect(pen: Pen, buttons: Buttons, results: Results, runner: Runner) -> None:
    """Connect the buttons for generation, seed and size to their handlers."""
    form, controls = runner.form, pen.controls
    # Values arrive unchecked, so that the request alone checks them and its error names the field.
    bind(buttons.generate.click, runner.generate, form.components, results.all, preprocess=False)
    if buttons.upscale is not None:
        chosen = {*form.components, results.shown, results.chosen}
        bind(buttons.upscale.click, runner.upscale, chosen, results.all, preprocess=False)
    bind_stop(buttons.interrupt, runner.interrupt, results.job, results.status, "Stopping …")
    bind_stop(buttons.skip, runner.skip, results.job, results.status, "Skipping this batch …")
    bind(results.gallery.select, runner.choose, [results.shown], [results.text, results.chosen])

    size = [controls["width"], controls["height"]]
    bind(buttons.swap.click, None, size, size, js="(width, height) => [height, width]")
    prompts = [controls["prompt"], controls["negative_prompt"]]
    bind(buttons.clear.click, None, None, prompts, js="() => ['', '']")
    bind(buttons.seed_dice.click, None, None, [controls["seed"]], js="() => '-1'")
    bind(buttons.subseed_dice.click, None, None, [controls["subseed"]], js="() => '-1'")

    def last(field: str, shown: list[dict[str, int]], chosen: int) -> str:
        return str(shown[chosen][field]) if chosen < len(shown) else "-1"

    picked = [results.shown, results.chosen]
    bind(buttons.seed_reuse.click, lambda *values: last("seed", *values), picked, [controls["seed"]])
    bind(buttons.subseed_reuse.click, lambda *values: last("subseed", *values), picked, [controls["subseed"]])


def _prompts(pen: Pen) -> tuple[gr.HTML, gr.HTML]:
    """Both boxes, each with its counter."""
    box = {"lines": 4, "max_length": TEXT_BOX, "show_label": False, "elem_classes": "prompt"}
    pen.draw(
        "prompt", placeholder="Prompt (Ctrl+Enter generates, Esc interrupts)", autofocus=pen.tab == "txt2img",
        **{**box, "elem_id": pen.id("prompt")},
    )  # fmt: skip
    counter = tokens.draw(pen, "token_counter")
    pen.draw("negative_prompt", placeholder="Negative prompt", **{**box, "lines": 3, "elem_id": pen.id("neg_prompt")})
    return counter, tokens.draw(pen, "negative_token_counter")


def _generation(pen: Pen) -> tuple[gr.Button, gr.Button, gr.Button, gr.Button, gr.Button]:
    """Draw the controls that everybody uses. Returns the buttons beside size and seeds."""
    plain = {"info": None}
    with gr.Row(elem_classes="tight"):
        pen.choice("sampler", [(label, label) for label in SAMPLERS], min_width=150)
        pen.choice("scheduler", [(label, label) for label in SCHEDULES], min_width=150)
    with gr.Row(elem_classes="tight"):
        pen.draw("steps", min_width=180)
        pen.draw("cfg_scale", **plain, min_width=180)
    with gr.Row(elem_classes="tight"):
        with gr.Column(scale=6, min_width=200):
            pen.draw("width")
            pen.draw("height")
        swap = _tool("⇅", pen.id("res_switch_btn"))
        with gr.Column(scale=5, min_width=160):
            pen.draw("n_iter", **plain)
            pen.draw("batch_size")
    with gr.Row(elem_classes="tight"):
        pen.draw("seed", **plain, scale=3, min_width=120)
        dice, reuse = _tool("⚄", pen.id("random_seed")), _tool("♻", pen.id("reuse_seed"))
        with gr.Column(scale=3, min_width=160):
            pen.draw("tiling", **plain)
            pen.draw("disable_extra_networks")
    with gr.Accordion("Variation and seed size", open=False, elem_id=pen.id("seed_extras")):
        with gr.Row(elem_classes="tight"):
            pen.draw("subseed", **plain, scale=2, min_width=120)
            again, keep = _tool("⚄", pen.id("random_subseed")), _tool("♻", pen.id("reuse_subseed"))
            pen.draw("subseed_strength", scale=3, min_width=160)
        with gr.Row(elem_classes="tight"):
            pen.draw("seed_resize_from_w")
            pen.draw("seed_resize_from_h")
    return swap, dice, reuse, again, keep


def _advanced(pen: Pen) -> None:
    with gr.Accordion("Refiner", open=False, elem_id=pen.id("refiner")):
        with gr.Row(elem_classes="tight"):
            pen.choice("refiner.checkpoint", [("None", "")], value="", min_width=180)
            pen.draw("refiner.switch_at", min_width=180)
        pen.rest_of("refiner")
    with gr.Accordion("Advanced", open=False, elem_id=pen.id("advanced")), gr.Tabs():
        for part, title in ADVANCED:
            with gr.Tab(title), gr.Row(elem_classes="tight grid"):
                pen.rest_of(part, min_width=220)
        with gr.Tab("Extensions"):
            pen.draw("extensions")


def _results(pen: Pen) -> Results:
    status = gr.HTML(elem_id=pen.id("status"))
    bar = gr.HTML(elem_id=pen.id("progress"))
    preview = gr.HTML(elem_id=pen.id("preview"))
    gallery = gr.Gallery(
        label="Pictures", show_label=False, elem_id=pen.id("gallery"), columns=4, height="60vh", preview=True,
        object_fit="contain", interactive=False, buttons=["download", "fullscreen"], format="png",
    )  # fmt: skip
    text = gr.Textbox(
        label="Generation parameters", lines=3, max_lines=12, interactive=False, buttons=["copy"],
        elem_id=pen.id("infotext"),
    )  # fmt: skip
    job = gr.BrowserState("", storage_key="webui_last_job" if pen.tab == "txt2img" else pen.id("last_job"))
    with gr.Row(elem_classes="tight"):
        send = tuple(
            gr.Button(title, size="sm", elem_id=pen.id(name), min_width=120)
            for title, name in (("Send to img2img", "send_to_img2img"), ("Send to inpaint", "send_to_inpaint"))
        )
    return Results(bar, preview, status, gallery, text, gr.State([]), gr.State(0), job, send)


def _tool(text: str, elem_id: str) -> gr.Button:
    short = len(text) <= 2
    return gr.Button(text, elem_id=elem_id, elem_classes="tool", size="sm", scale=0 if short else 1, min_width=42)
