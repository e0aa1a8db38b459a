"""The pane of settings at the left: size, steps and seed, then what is needed less often, in closed parts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import gradio as gr

from webui.domain.catalog import SAMPLERS, SCHEDULES
from webui.ui import hires_form
from webui.ui.create.tools import tool
from webui.ui.forms_of_extensions.extension_sections import GROUPS, SectionsDrawing
from webui.ui.layout import Pen
from webui.ui.txt2img import SettingButtons

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


def draw(pen: Pen, engine: "Engine | None" = None, before: Callable[[], None] | None = None) -> SettingButtons:
    """Draw the settings inside the caller's container.

    Args:
        engine: knows the extensions.
        before: draws what img2img has above the others.
    """
    if before is not None:
        before()
    buttons = _generation(pen)
    if pen.tab == "txt2img":
        hires_form.draw(pen)
    if engine is not None:
        drawing = SectionsDrawing(engine.extensions.infos, pen.tab)
        for group in GROUPS:
            drawing.draw(group)
        pen.extensions = drawing.sections
    _advanced(pen)
    return buttons


def _generation(pen: Pen) -> SettingButtons:
    """Draw the controls that everybody uses."""
    plain = {"info": None}
    with gr.Row(elem_classes="pair"):
        pen.choice("sampler", [(label, label) for label in SAMPLERS], min_width=0)
        pen.choice("scheduler", [(label, label) for label in SCHEDULES], min_width=0)
    pen.draw("steps")
    pen.draw("cfg_scale", **plain)
    pen.draw("width")
    pen.draw("height")
    swap = tool("⇅", pen.id("res_switch_btn"))
    pen.draw("n_iter", **plain)
    pen.draw("batch_size")
    with gr.Row(elem_classes="pair"):
        pen.draw("seed", **plain, min_width=0)
        dice, reuse = tool("⚄", pen.id("random_seed")), tool("♻", pen.id("reuse_seed"))
    pen.draw("tiling", **plain)
    pen.draw("disable_extra_networks")
    with gr.Accordion("Variation and seed size", open=False, elem_id=pen.id("seed_extras")):
        with gr.Row(elem_classes="pair"):
            pen.draw("subseed", **plain, min_width=0)
            again, keep = tool("⚄", pen.id("random_subseed")), tool("♻", pen.id("reuse_subseed"))
        pen.draw("subseed_strength")
        pen.draw("seed_resize_from_w")
        pen.draw("seed_resize_from_h")
    return SettingButtons(swap, dice, reuse, again, keep)


def _advanced(pen: Pen) -> None:
    with gr.Accordion("Refiner", open=False, elem_id=pen.id("refiner")):
        pen.choice("refiner.checkpoint", [("None", "")], value="")
        pen.draw("refiner.switch_at")
        pen.rest_of("refiner")
    if "clip_skip" not in pen.controls:
        pen.draw("clip_skip", info=None)
    with gr.Accordion("Advanced", open=False, elem_id=pen.id("advanced")), gr.Tabs():
        for part, title in ADVANCED:
            with gr.Tab(title):
                pen.rest_of(part)
        with gr.Tab("Extensions"):
            pen.draw("extensions")
