"""The options of a request. It needs no torch."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from webui.extension_api import Options, form_hint, hint

from .levers import DeepShrink, FreeU, HyperTile, Perturbed, Projected, SelfAttention, Share, Thresholding

_BEFORE: Mapping[str, str] = MappingProxyType(
    {"threshold": "enabled", "percentile": "percentile", "mimic_scale": "mimic_scale"}
)


class GuidanceOptions(Options):
    """Every part is off by default; they act in this order: thresholding or projection, perturbed attention,
    self-attention, rescale, interval.
    """

    model_config = ConfigDict(
        json_schema_extra=form_hint(group="quality", summary="rescale {rescale}, {start} to {end}")
    )

    rescale: Share = Field(
        0.0,
        description="CFG rescale (arXiv:2305.08891): 0 off, the paper suggests 0.7",
        json_schema_extra=hint(axis={"values": "0-0.7 [3]"}),
    )
    start: Share = Field(
        0.0,
        description="guidance acts from this share of the steps on (arXiv:2404.07724)",
        json_schema_extra=hint(range="interval", label="Acts from, to", unit="%"),
    )
    end: Share = Field(
        1.0,
        description="and up to this one; outside only the prompt counts",
        json_schema_extra=hint(range="interval", unit="%"),
    )
    thresholding: Thresholding = Field(
        Thresholding(),
        description="keeps high guidance scales within the range of a modest one",
        json_schema_extra=hint(label="Dynamic thresholding"),
    )
    apg: Projected = Field(
        Projected(),
        description="high guidance scales without over-saturation (arXiv:2410.02416)",
        json_schema_extra=hint(label="Adaptive projected guidance"),
    )
    freeu: FreeU = Field(
        FreeU(),
        description="weighs what the network knows against what it passes on (arXiv:2309.11497)",
        json_schema_extra=hint(label="FreeU"),
    )
    pag: Perturbed = Field(
        Perturbed(),
        description="away from what the network makes without self-attention (arXiv:2403.17377)",
        json_schema_extra=hint(label="Perturbed-attention guidance"),
    )
    sag: SelfAttention = Field(
        SelfAttention(),
        description="away from what it makes where it looks most, blurred (arXiv:2210.00939)",
        json_schema_extra=hint(level="more", label="Self-attention guidance"),
    )
    deep_shrink: DeepShrink = Field(
        DeepShrink(),
        description="large pictures without doubled subjects",
        json_schema_extra=hint(level="more", label="Deep shrink"),
    )
    hypertile: HyperTile = Field(
        HyperTile(), description="quicker large pictures", json_schema_extra=hint(level="more", label="HyperTile")
    )

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, values: Any) -> Any:
        """Version 1 had three options of thresholding beside the others."""
        if not isinstance(values, dict) or not _BEFORE.keys() & values.keys():
            return values
        moved = {_BEFORE[name]: value for name, value in values.items() if name in _BEFORE}
        kept = {name: value for name, value in values.items() if name not in _BEFORE}
        return {"thresholding": moved, **kept}

    @model_validator(mode="after")
    def _in_order(self) -> "GuidanceOptions":
        if self.start > self.end:
            raise ValueError(f"start: {self.start:g} lies after end, {self.end:g}")
        return self
