"""The section of hires fix: a second pass over the enlarged picture."""

from typing import Any

import gradio as gr

from webui.domain.catalog import SCHEDULES
from webui.domain.hires import LATENT_UPSCALERS
from webui.domain.parameters.table import HIRES
from webui.domain.upscale import PLAIN_UPSCALERS
from webui.ui.layout import Pen
from webui.ui.model_choices import hires_sampler_choices

PART = f"{HIRES}."
# The same sizes as `Hires.target`: what is given is kept, the other side follows, and whole cells of 8 are made.
_LINE = (
    "${v[0] ?? ''} · ${(([w, h, scale, wide, high]) => ["
    "wide || (high ? high * w / h : w * scale), high || (wide ? wide * h / w : h * scale)"
    "].map((side) => 8 * Math.floor(Math.trunc(side) / 8)).join(' × '))(v.slice(1, 6))} · "
    "${webui.t('denoise {n}', {n: v[6]})}"
)
_TOLD = (
    f"{PART}upscaler", "width", "height", f"{PART}scale", f"{PART}resize_width", f"{PART}resize_height",
    f"{PART}denoising_strength",
)  # fmt: skip


def draw(pen: Pen) -> None:
    """Draw the section inside the caller's Blocks. The size controls must exist already."""
    upscalers = [(name, name) for name in (*LATENT_UPSCALERS, *PLAIN_UPSCALERS)]
    plain: dict[str, Any] = {"info": None}
    with pen.section("Hires. fix", "hr", enabled=f"{PART}enabled", summary=_LINE, told=_TOLD, modes=("txt2img",)):
        pen.choice(f"{PART}upscaler", upscalers, elem_id=pen.id("hr_upscaler"))
        pen.draw(f"{PART}scale", elem_id=pen.id("hr_scale"), **plain)
        with gr.Row(elem_classes="pair"):
            pen.number(f"{PART}resize_width", elem_id=pen.id("hr_resize_x"))
            pen.number(f"{PART}resize_height", elem_id=pen.id("hr_resize_y"))
        pen.draw(f"{PART}denoising_strength", elem_id=pen.id("denoising_strength"), **plain)
        pen.draw(f"{PART}steps", elem_id=pen.id("hires_steps"), **plain)
        _others(pen)


def _others(pen: Pen) -> None:
    """Draw the controls of what is as in the first pass unless it is set here."""
    schedules = [("Use same scheduler", ""), *((label, label) for label in SCHEDULES)]
    with gr.Accordion("Other settings in the second pass", open=False, elem_id=pen.id("hires_more")):
        pen.choice(f"{PART}checkpoint", [("Use same checkpoint", "")], elem_id="hr_checkpoint", label="Checkpoint")
        with gr.Row(elem_classes="pair"):
            pen.choice(f"{PART}sampler", hires_sampler_choices(), elem_id="hr_sampler", label="Sampler")
            pen.choice(f"{PART}scheduler", schedules, elem_id="hr_scheduler", label="Schedule")
        pen.draw(f"{PART}prompt", elem_id="hires_prompt", lines=2)
        pen.draw(f"{PART}negative_prompt", elem_id="hires_neg_prompt", lines=2)
        pen.draw(f"{PART}cfg_scale", elem_id=pen.id("hr_cfg"))
        pen.rest_of(HIRES)
