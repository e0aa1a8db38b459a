"""Changes the guided estimate after each call: options and hooks. The arithmetic is in `formulas.py`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from webui.extension_api import Dialect, JobContext, Options, Word, form_hint, hint, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from webui.extension_api.tensors import Step

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "Guidance rescale": "rescale",
        "Guidance start": "start",
        "Guidance end": "end",
        "Dynamic thresholding enabled": "threshold",
        "Threshold percentile": "percentile",
        "Mimic scale": "mimic_scale",
    }
)
OF_THRESHOLD = ("percentile", "mimic_scale")
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]


class GuidanceOptions(Options):
    """Every part is off by default; they act in this order: threshold, rescale, interval."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="rescale {rescale}, {start} to {end}"))

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
    threshold: bool = Field(
        False,
        description="dynamic thresholding (arXiv:2205.11487, section 2.3)",
        json_schema_extra=hint(label="Dynamic thresholding"),
    )
    percentile: Annotated[FiniteFloat, Field(gt=0.5, le=1)] = Field(
        0.995,
        description="share of the values that thresholding leaves inside its bounds",
        json_schema_extra=hint(span=(0.9, 1, 0.005), when={"threshold": [True]}),
    )
    mimic_scale: Annotated[FiniteFloat, Field(ge=1, le=100)] = Field(
        7.0,
        description="guidance scale whose range of values thresholding keeps to",
        json_schema_extra=hint(span=(1, 30, 0.5), when={"threshold": [True]}),
    )

    @model_validator(mode="after")
    def _in_order(self) -> "GuidanceOptions":
        if self.start > self.end:
            raise ValueError(f"start: {self.start:g} lies after end, {self.end:g}")
        return self


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return GuidanceOptions


@hookimpl
def dialect() -> Dialect:
    """The keys of infotexts; the last three are those of the extension Dynamic Thresholding."""
    return Dialect(
        infotext=tuple(
            Word(
                name=key,
                asks=option not in OF_THRESHOLD,
                option=option,
                codec="boolean" if option == "threshold" else "number",
            )
            for key, option in KEYS.items()
        )
    )


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where something is switched on."""
    options = job.options
    if not isinstance(options, GuidanceOptions) or options == GuidanceOptions():
        return None
    return ChangedGuidance(options, job.request.cfg_scale)


class ChangedGuidance:
    """Changes the guided estimate of every call."""

    def __init__(self, options: GuidanceOptions, cfg_scale: float) -> None:
        self._options = options
        self._cfg_scale = cfg_scale

    @hookimpl
    def edit_denoised(self, step: "Step", denoised: "Tensor", cond: "Tensor", uncond: "Tensor") -> "Tensor | None":
        """(B, C, h, w) each: clean estimates."""
        from .formulas import rescaled, thresholded  # loads torch

        options = self._options
        if not options.start <= step.progress <= options.end:
            return cond
        if options.threshold and self._cfg_scale > options.mimic_scale:
            denoised = thresholded(denoised, cond, uncond, options.mimic_scale, options.percentile)
        return rescaled(denoised, cond, options.rescale) if options.rescale else denoised

    @hookimpl
    def image_fields(self) -> Mapping[str, str]:
        """What was switched on, and the numbers of thresholding where that was."""
        return fields_of(self._options)


def fields_of(options: GuidanceOptions) -> dict[str, str]:
    """The keys of what is not as usual."""
    usual = GuidanceOptions()
    return {
        key: str(getattr(options, option))
        for key, option in KEYS.items()
        if (options.threshold if option in OF_THRESHOLD else getattr(options, option) != getattr(usual, option))
    }
