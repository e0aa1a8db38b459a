"""The accordion of hires fix in the tab txt2img: its controls, and the line that names the sizes."""

from typing import Any

import gradio as gr

from webui.domain.catalog import SAMPLERS, SCHEDULES
from webui.domain.hires import LATENT_UPSCALERS, Hires
from webui.domain.upscale import PLAIN_UPSCALERS
from webui.ui.events import bind
from webui.ui.layout import Pen

PART = "task.hires."
_SIZES = ("width", "height", f"{PART}enabled", f"{PART}scale", f"{PART}resize_width", f"{PART}resize_height")


def draw(pen: Pen) -> None:
    """Draw the accordion inside the caller's Blocks. The size controls must exist already."""
    plain = {"info": None}
    upscalers = [(name, name) for name in (*LATENT_UPSCALERS, *PLAIN_UPSCALERS)]
    with gr.Accordion("Hires. fix", open=False, elem_id="txt2img_hr"):
        with gr.Row(elem_classes="tight"):
            pen.draw(f"{PART}enabled", elem_id="txt2img_enable_hr", **plain, min_width=120)
            sizes = gr.HTML(elem_id="txtimg_hr_finalres")
        with gr.Row(elem_classes="tight", elem_id="txt2img_hires_fix_row1"):
            pen.choice(f"{PART}upscaler", upscalers, elem_id="txt2img_hr_upscaler", min_width=150)
            pen.draw(f"{PART}steps", elem_id="txt2img_hires_steps", min_width=150)
            pen.draw(f"{PART}denoising_strength", elem_id="txt2img_denoising_strength", **plain, min_width=150)
        with gr.Row(elem_classes="tight", elem_id="txt2img_hires_fix_row2"):
            pen.draw(f"{PART}scale", elem_id="txt2img_hr_scale", **plain, min_width=150)
            pen.draw(f"{PART}resize_width", elem_id="txt2img_hr_resize_x", **plain, min_width=150)
            pen.draw(f"{PART}resize_height", elem_id="txt2img_hr_resize_y", **plain, min_width=150)
        with gr.Accordion("Other settings in the second pass", open=False, elem_id="txt2img_hires_more"):
            _others(pen)
    inputs = [pen.controls[name] for name in _SIZES]
    for control in inputs:
        bind(control.change, describe, inputs, [sizes])  # type: ignore[attr-defined]


def _others(pen: Pen) -> None:
    """Draw the controls of what is as in the first pass unless it is set here."""
    samplers = [("Use same sampler", ""), *((label, label) for label in SAMPLERS)]
    schedules = [("Use same scheduler", ""), *((label, label) for label in SCHEDULES)]
    with gr.Row(elem_classes="tight", elem_id="txt2img_hires_fix_row3"):
        same = [("Use same checkpoint", "")]
        pen.choice(f"{PART}checkpoint", same, elem_id="hr_checkpoint", min_width=150)
        pen.choice(f"{PART}sampler", samplers, elem_id="hr_sampler", min_width=150)
        pen.choice(f"{PART}scheduler", schedules, elem_id="hr_scheduler", min_width=150)
    with gr.Row(elem_classes="tight", elem_id="txt2img_hires_fix_row4"):
        pen.draw(f"{PART}prompt", elem_id="hires_prompt", lines=3, min_width=200)
        pen.draw(f"{PART}negative_prompt", elem_id="hires_neg_prompt", lines=3)
    with gr.Row(elem_classes="tight"):
        pen.draw(f"{PART}cfg_scale", elem_id="txt2img_hr_cfg", min_width=150)
        pen.rest_of("task.hires", min_width=150)


def describe(width: Any, height: Any, enabled: bool, scale: Any, wide: Any, high: Any) -> str:
    """`from 512x512 to 1024x1024`; nothing where the second pass is off or a number is not usable."""
    try:
        options = Hires(scale=scale, resize_width=wide, resize_height=high)
        to = options.target(int(width), int(height)).size
    except (TypeError, ValueError):  # the user is still typing; errors are shown when the request is made
        return ""
    return f"from {int(width)}x{int(height)} to {to[0]}x{to[1]}" if enabled else ""
