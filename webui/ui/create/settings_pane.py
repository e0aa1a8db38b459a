"""The left pane of the form: size and steps, then what shapes the composition, the quality, and what experts set."""

import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import gradio as gr

from webui.domain.catalog import SCHEDULES
from webui.domain.parameters.pictures import MORE
from webui.domain.upscale import PLAIN_UPSCALERS
from webui.ui.create import batch_section, second_pass
from webui.ui.create.batch_section import BatchControls
from webui.ui.create.modes import OF_PICTURES, Mode, shown_in
from webui.ui.create.tools import tool
from webui.ui.layout import Pen
from webui.ui.model_choices import sampler_choices
from webui.ui.own import own, plain

Group = Literal["composition", "quality", "expert"]
RATIOS = ("1:1", "4:5", "2:3", "9:16", "5:4", "3:2", "16:9")
EXPERT = (
    ("guidance", "Guidance", ("guidance",)),
    ("noise", "Noise and sampler", ("noise", "schedule")),
    ("prompting", "Prompt reading", ("prompting",)),
    ("unipc", "UniPC", ("unipc",)),
    ("token_merging", "Token merging", ("token_merging",)),
    ("speed", "Speed for exactness", ("speed",)),
    ("sdxl", "SDXL", ("sdxl",)),
)
SOFT = "task.inpainting.soft"
MARGINS = "task.outpainting"
# What is sent while its part is off, where that is not what the request has by default.
EDITING = MappingProxyType({"task.image_cfg_scale": 1.5})


@dataclass(frozen=True, slots=True)
class Tools:
    """The buttons beside the controls, and the one control that is no field of the request.

    Attributes:
        transparency: percent taken from the mask that painted colours make; it counts while `mask_details` is on.
    """

    ratio: gr.Radio
    swap: gr.Button
    seed_dice: gr.Button
    seed_reuse: gr.Button
    subseed_dice: gr.Button
    subseed_reuse: gr.Button
    picture_size: gr.Button
    transparency: gr.Slider
    mask_details: gr.Checkbox
    batch: BatchControls


def draw(pen: Pen, extensions: Callable[[Group], bool] = lambda group: False) -> Tools:
    """Draw the pane below the heading of its first group, inside the caller's Blocks.

    Args:
        pen: has not drawn any of these fields, unless they stand elsewhere on the page.
        extensions: draws the sections of the extensions that belong to a group; whether there are any.
    """
    with gr.Column(elem_classes="body always", min_width=0, scale=0):
        ratio, swap, dice, reuse = _size_and_steps(pen)
    composition = heading("Composition")
    measure, transparency, details = _composition(pen)
    batch = batch_section.draw()
    if not extensions("composition"):
        composition.elem_classes = shown_in(OF_PICTURES)
    heading("Quality")
    second_pass.draw(pen)
    _refiner(pen)
    extensions("quality")
    folding_heading("Expert", "experts")
    again, keep = _variation(pen)
    _expert(pen)
    extensions("expert")
    _others(pen)
    return Tools(ratio, swap, dice, reuse, again, keep, measure, transparency, details, batch)


_VAE = ("vae_decoder", "vae_encoder")
_ARROW = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 10l5 5 5-5"/></svg>'
_FOLDING = """const name = %s, button = element.querySelector('.unfold');
const show = (open) => button.setAttribute('aria-expanded', String(open));
show(window.webui?.kept(name) === 'true');
button.addEventListener('click', () => {
  const open = button.getAttribute('aria-expanded') !== 'true';
  show(open);
  window.webui?.keep(name, open);
});"""


def heading(text: str) -> gr.HTML:
    """Draw the heading of a group."""
    return plain(f'<h2 class="pane">{html.escape(text)}</h2>')


def folding_heading(text: str, name: str) -> gr.HTML:
    """Draw the heading of a group whose parts are folded away until the user wants them; a part that is on stays seen.

    Args:
        name: the browser keeps whether it is open under this name.
    """
    title = html.escape(text)
    button = f'<button type="button" class="unfold" aria-expanded="false">{title}{_ARROW}</button>'
    return gr.HTML(
        f'<h2 class="pane">{button}</h2>', js_on_load=_FOLDING % json.dumps(name), apply_default_css=False,
        padding=False, elem_classes="folding",
    )  # fmt: skip


def pair() -> gr.Row:
    """A row of two or three narrow controls."""
    return gr.Row(elem_classes="pair")


def _size_and_steps(pen: Pen) -> tuple[gr.Radio, gr.Button, gr.Button, gr.Button]:
    ratio = gr.Radio(
        [*RATIOS], value=None, label="Aspect ratio", show_label=False, container=False, elem_id=pen.id("ratio"),
        elem_classes="segments", interactive=True,
    )  # fmt: skip
    plain: dict[str, Any] = {"info": None}
    with pair():
        pen.number("width")
        swap = tool("⇄", pen.id("res_switch_btn"))
        pen.number("height")
    with pair():
        pen.choice("sampler", sampler_choices(), label="Sampler", elem_id=pen.id("sampling"))
        pen.choice("scheduler", [(name, name) for name in SCHEDULES], label="Schedule")
    own("schedule_curve", elem_id="schedule_curve")
    pen.draw("steps", label="Steps")
    pen.draw("cfg_scale", **plain)
    with pair():
        pen.number("n_iter", label="Pictures", elem_id=pen.id("batch_count"))
        pen.number("batch_size", label="Batch size")
    own("memory_outlook", elem_id="memory_outlook")
    with pair():
        pen.draw("seed", **plain)
        dice, reuse = tool("⚄", pen.id("random_seed")), tool("↺", pen.id("reuse_seed"))
    return ratio, swap, dice, reuse


def _composition(pen: Pen) -> tuple[gr.Button, gr.Slider, gr.Checkbox]:
    """Draw what is read only where a picture is the start, and where a part of it is masked."""
    of_pictures = OF_PICTURES
    inpaint: tuple[Mode, ...] = ("inpaint",)
    with gr.Column(elem_classes=["body", "always", "of-modes", "of-img2img", "of-inpaint"], min_width=0, scale=0):
        pen.draw("task.denoising_strength", elem_id="img2img_denoising_strength", info=None)
        with pair():
            pen.draw("task.resize_mode", elem_id="resize_mode", info=None)
            measure = tool("⤢", "img2img_detect_image_size_btn")
            pen.draw("task.inpainting.content", elem_id="img2img_inpainting_fill", info=None, modes=inpaint)
        pen.draw("task.inpainting.invert", elem_id="img2img_mask_mode", info=None, modes=inpaint)
        pen.draw("task.inpainting.area", elem_id="img2img_inpaint_full_res", info=None, modes=inpaint)
        pen.draw("task.inpainting.padding", elem_id="img2img_inpaint_full_res_padding", info=None, modes=inpaint)
        pen.draw("task.inpainting.mask_blur_x", elem_id="img2img_mask_blur", info=None, modes=inpaint)
    with pen.section("Soft inpainting", "soft", optional=SOFT, modes=inpaint):
        pen.rest_of(SOFT)
    with pen.section("Outpaint", "outpaint", optional=MARGINS, modes=of_pictures):
        with pair():
            pen.draw(f"{MARGINS}.left", elem_id="outpaint_left", label="Left")
            pen.draw(f"{MARGINS}.right", elem_id="outpaint_right", label="Right", usual=128)
        with pair():
            pen.draw(f"{MARGINS}.top", elem_id="outpaint_top", label="Top")
            pen.draw(f"{MARGINS}.bottom", elem_id="outpaint_bottom", label="Bottom")
        pen.draw(f"{MARGINS}.mask_blur", elem_id="outpaint_mask_blur")
        pen.draw(f"{MARGINS}.content", elem_id="img2img_outpaint_content")
    with pen.section("Mask details", "mask_details", modes=inpaint) as details:
        for name in ("mask_round", "overlay", "return_mask", "return_composite"):
            pen.draw(f"task.inpainting.{name}", elem_id=f"img2img_{name}")
        transparency = gr.Slider(
            0, 100, value=0, step=1, label="Mask transparency", info="of the mask that painted colours make",
            elem_id="img2img_mask_alpha", elem_classes="slim", buttons=[], min_width=0, interactive=True,
        )  # fmt: skip
    with pen.section("Starting noise and colours", "picture_more", instead=EDITING, modes=of_pictures):
        pen.choice("task.resize_upscaler", [(name, name) for name in PLAIN_UPSCALERS[1:]])
        pen.rest_of(MORE)
        pen.draw("task.image_cfg_scale", usual=1.5, info="instruct-pix2pix checkpoints only")
    return measure, transparency, details.switch


def _refiner(pen: Pen) -> None:
    with pen.section(
        "Refiner", "refiner", optional="refiner",
        summary="${webui.t('{name} from {n} %', {name: v[0] || webui.t('no checkpoint chosen'), n: Math.round(v[1] * 100)})}",  # noqa: E501
        told=("refiner.checkpoint", "refiner.switch_at"),
    ):  # fmt: skip
        pen.choice("refiner.checkpoint", [("None", "")], label="Checkpoint")
        pen.draw("refiner.switch_at")
        pen.rest_of("refiner")


def _variation(pen: Pen) -> tuple[gr.Button, gr.Button]:
    with pen.section("Variation seed", "subseed"):
        with pair():
            pen.draw("subseed", info=None)
            again, keep = tool("⚄", pen.id("random_subseed")), tool("↺", pen.id("reuse_subseed"))
        pen.draw("subseed_strength")
        with pair():
            pen.number("seed_resize_from_w", label="Resize seed from width")
            pen.number("seed_resize_from_h", label="… and height")
    return again, keep


def _expert(pen: Pen) -> None:
    for name, title, groups in EXPERT:
        with pen.section(title, name):
            for group in groups:
                pen.rest_of(group)


def _others(pen: Pen) -> None:
    """Draw what stands in no other part, unless it stands among the quick settings."""
    rest = [name for name in ("clip_skip", "tiling", "disable_extra_networks", *_VAE) if name not in pen.controls]
    with pen.section("Clip skip, tiling, networks", "more"):
        for name in rest:
            pen.draw(name)
    with pen.section("Other extensions", "other_extensions"):
        pen.draw("extensions", info="options as JSON, for extensions that have no form here")
