"""A pen that draws request fields where the caller stands, and remembers the controls by field name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import gradio as gr
from gradio.components import Component

from webui.domain.request import GenerationRequest
from webui.ui import forms

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "checkpoint": "Checkpoint",
        "vae": "VAE",
        "clip_skip": "Clip skip",
        "sampler": "Sampling method",
        "scheduler": "Schedule type",
        "steps": "Sampling steps",
        "cfg_scale": "CFG scale",
        "n_iter": "Batch count",
        "batch_size": "Batch size",
        "subseed": "Variation seed",
        "subseed_strength": "Variation strength",
        "seed_resize_from_w": "Resize seed from width",
        "seed_resize_from_h": "Resize seed from height",
        "refiner.checkpoint": "Refiner checkpoint",
        "disable_extra_networks": "No extra networks",
        "noise.source": "Random numbers",
        "noise.eta": "Eta",
        "noise.eta_ancestral": "Eta, ancestral samplers",
        "noise.eta_ddim": "Eta, DDIM",
        "noise.ensd": "ENSD",
        "noise.s_churn": "Sigma churn",
        "noise.s_tmin": "Sigma tmin",
        "noise.s_tmax": "Sigma tmax",
        "noise.s_noise": "Sigma noise",
        "schedule.zero_terminal_snr": "Zero terminal SNR",
        "guidance.s_min_uncond": "Negative guidance minimum sigma",
        "guidance.s_min_uncond_all": "NGMS on all steps",
        "guidance.rescale": "CFG rescale",
        "guidance.pad_conds": "Pad conditionings",
        "guidance.pad_conds_v0": "Pad conditionings (v0)",
        "sdxl.clip_l_skip": "Clip skip on CLIP L",
        "noise.sgm_multiplier": "SGM noise multiplier",
        "noise.batch_sde": "One SDE tree for the batch",
        "extensions": "Extension options",
        "task.hires.enabled": "Hires. fix",
        "task.hires.scale": "Upscale by",
        "task.hires.resize_width": "Resize width to",
        "task.hires.resize_height": "Resize height to",
        "task.hires.steps": "Hires steps",
        "task.hires.checkpoint": "Hires checkpoint",
        "task.hires.sampler": "Hires sampling method",
        "task.hires.scheduler": "Hires schedule type",
        "task.hires.cfg_scale": "Hires CFG scale",
        "task.hires.refiner_pass": "Refiner in",
        "inpainting_mask_weight": "Inpainting conditioning mask strength",
    }
)
# what is handy to drag; the request allows more, and a larger value that is pasted widens the slider
SPANS: Mapping[str, forms.Span] = MappingProxyType(
    {
        "width": (64, 2048, 8),
        "height": (64, 2048, 8),
        "cfg_scale": (1, 30, 0.5),
        "n_iter": (1, 100, 1),
        "batch_size": (1, 8, 1),
        "seed_resize_from_w": (0, 2048, 8),
        "seed_resize_from_h": (0, 2048, 8),
        "refiner.switch_at": (0.01, 1, 0.01),
        "task.hires.scale": (1, 4, 0.05),
        "task.hires.resize_width": (0, 2048, 8),
        "task.hires.resize_height": (0, 2048, 8),
        "sdxl.crop_top": (0, 2048, 8),
        "sdxl.crop_left": (0, 2048, 8),
    }
)


class Pen:
    """Draws each field once, with its starting value.

    Attributes:
        tab: the tab that is drawn; its name leads every element id.
        controls: what was drawn, by dotted field name. Those given are shared with another tab.
    """

    def __init__(
        self, starting: GenerationRequest, tab: str = "txt2img", shared: Mapping[str, Component] | None = None
    ) -> None:
        self.tab = tab
        self._schemas = forms.request_leaves()
        self._values = forms.flatten(starting)
        self.controls: dict[str, Component] = dict(shared or {})
        self.extensions: forms.ExtensionControls | None = None

    def id(self, name: str) -> str:
        """The element id of something on this tab."""
        return f"{self.tab}_{name}"

    def draw(self, name: str, **more: Any) -> Component:
        """Draw a field as its schema says."""
        schema = self._schemas[name]
        label = more.pop("label", LABELS.get(name, ""))
        value = self._values.get(name, schema.get("default", ""))
        more = {"elem_id": self.id(name.replace(".", "_")), **more}
        return self._keep(name, forms.draw(name, schema, value=value, label=label, span=SPANS.get(name), **more))

    def choice(self, name: str, choices: list[tuple[str, str]], **more: Any) -> Component:
        """Draw a text field whose values are known by now as a dropdown."""
        value = self._values.get(name, "")
        settings: dict[str, Any] = {
            "label": LABELS.get(name, name.capitalize()),
            "elem_id": self.id(name.replace(".", "_")),
            "value": value if value in [choice for _, choice in choices] else None,
            **more,
        }
        return self._keep(name, gr.Dropdown(choices, **settings))

    def rest_of(self, part: str, **more: Any) -> None:
        """Draw the fields of a part (`noise`) that were not drawn yet."""
        for name in self._schemas:
            if name.startswith(f"{part}.") and name not in self.controls:
                self.draw(name, **more)

    def _keep(self, name: str, control: Component) -> Component:
        self.controls[name] = control
        return control

    def form(self) -> forms.Form:
        """What was drawn, as a form that can be read."""
        return forms.Form(MappingProxyType(dict(self.controls)), self.extensions)
