"""The options of the detailer in a request: passes as in ADetailer's API, whose names are read too.

It needs no torch.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from webui.extension_api import Chooser, Options, form_hint, hint

from .region_names import KINDS, SHAPES, YUNET

MAX_PASSES = 6
NONE = "None"
SAME_CHECKPOINT, SAME_VAE = "Use same checkpoint", "Use same VAE"
SAME_SAMPLER, SAME_SCHEDULER = "Use same sampler", "Use same scheduler"
PASSTHROUGH = "Passthrough"
_ALIASES: Mapping[str, str] = MappingProxyType({"mask_k_largest": "mask_k"})
_IGNORED = frozenset({"is_api", "tab_enable"})


def _more(**hints: Any) -> dict[str, Any]:
    return hint(level="more", **hints)


def _when(switch: str, **hints: Any) -> dict[str, Any]:
    return hint(level="more", when={switch: [True]}, **hints)


class DetailPass(BaseModel):
    """One pass over each picture: what is looked for, and how each of the regions is repainted.

    Names may begin with `ad_`, as in ADetailer's API.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra=form_hint(
            chooser=Chooser(
                label="Look for", action="ad_model", at="kinds", first=len(KINDS), order=tuple(KINDS),
                narrows={"model": "model_list"}, sets={"model": "default_model"},
            )
        ),
    )  # fmt: skip

    enabled: bool = Field(True, description="take part", json_schema_extra=hint(control="master"))
    model: str = Field(
        NONE,
        max_length=400,
        description="finds the regions: built in, or a file of models/adetailer or models/detectors; None: nothing",
        examples=[NONE, YUNET, SHAPES],
        json_schema_extra=hint(label="Detector", labels={YUNET: "Faces (YuNet)", SHAPES: "Drawn shapes"}),
    )
    model_classes: str = Field(
        "",
        max_length=1000,
        description="only these of what the detector knows, with commas; empty: all",
        json_schema_extra=hint(label="Only these", level="main"),
    )
    prompt: str = Field(
        "",
        max_length=32_000,
        description="for the regions; empty: the picture's own, [PROMPT]: that one inside, [SEP] parts those of "
        "several regions, [SKIP] leaves one out",
        json_schema_extra=hint(control="lines"),
    )
    negative_prompt: str = Field(
        "", max_length=32_000, description="the same for the negative prompt", json_schema_extra=hint(control="lines")
    )
    confidence: float = Field(0.3, ge=0, le=1, description="how sure the detector must be")
    denoising_strength: float = Field(
        0.4, ge=0, le=1, description="how much of a region may change", json_schema_extra=hint(axis=True)
    )
    mask_filter_method: Literal["Area", "Confidence"] = Field(
        "Area",
        description="whether the largest or the surest count",
        json_schema_extra=_more(label="Which regions count"),
    )
    mask_k: int = Field(
        0, ge=0, le=100, description="how many of them; 0: all", json_schema_extra=_more(label="How many regions")
    )
    mask_min_ratio: float = Field(
        0, ge=0, le=1, description="share of the picture's area that a region takes at least",
        json_schema_extra=_more(range="ratio", label="Share of the picture", unit="%"),
    )  # fmt: skip
    mask_max_ratio: float = Field(
        1, ge=0, le=1, description="and at most", json_schema_extra=_more(range="ratio", label="At most", unit="%")
    )
    dilate_erode: int = Field(
        4, ge=-256, le=256, description="pixels by which masks grow; below 0 they shrink",
        json_schema_extra=_more(label="Grow masks", unit="px", span=(-128, 128, 4)),
    )  # fmt: skip
    x_offset: int = Field(
        0, ge=-4096, le=4096, description="pixels by which masks move to the right",
        json_schema_extra=_more(label="Move masks right", unit="px", span=(-200, 200, 1), pair="offset"),
    )  # fmt: skip
    y_offset: int = Field(
        0, ge=-4096, le=4096, description="pixels by which masks move up",
        json_schema_extra=_more(label="Move masks up", unit="px", span=(-200, 200, 1), pair="offset"),
    )  # fmt: skip
    mask_merge_invert: Literal["None", "Merge", "Merge and Invert"] = Field(
        "None", description="repaint all regions at once, or all but them",
        json_schema_extra=_more(label="Regions together", labels={"None": "One by one", "Merge and Invert": "All but"}),
    )  # fmt: skip
    mask_blur: int = Field(
        4, ge=0, le=256, description="pixels over which new and old parts fade into each other",
        json_schema_extra=_more(unit="px", span=(0, 64, 1)),
    )  # fmt: skip
    inpaint_only_masked: bool = Field(
        True, description="work on the surroundings of a region alone, enlarged", json_schema_extra=_more()
    )
    inpaint_only_masked_padding: int = Field(
        32, ge=0, le=4096, description="pixels of surroundings on each side",
        json_schema_extra=_when("inpaint_only_masked", label="Surroundings", unit="px", span=(0, 256, 4)),
    )  # fmt: skip
    use_inpaint_width_height: bool = Field(False, json_schema_extra=_more(label="A size of their own"))
    inpaint_width: int = Field(
        512, ge=64, le=4096, multiple_of=8, description="width in which regions are repainted",
        json_schema_extra=_when("use_inpaint_width_height", pair="size", label="Width"),
    )  # fmt: skip
    inpaint_height: int = Field(
        512, ge=64, le=4096, multiple_of=8, description="height in which regions are repainted",
        json_schema_extra=_when("use_inpaint_width_height", pair="size", label="Height"),
    )  # fmt: skip
    use_steps: bool = Field(False, json_schema_extra=_more(label="Steps of their own"))
    steps: int = Field(28, ge=1, le=150, json_schema_extra=_when("use_steps"))
    use_cfg_scale: bool = Field(False, json_schema_extra=_more(label="CFG scale of their own"))
    cfg_scale: float = Field(
        7, ge=0, le=100, json_schema_extra=_when("use_cfg_scale", label="CFG scale", span=(0, 30, 0.5))
    )
    use_checkpoint: bool = Field(False, json_schema_extra=_more(label="Checkpoint of their own"))
    checkpoint: str = Field(
        "", max_length=400, json_schema_extra=_when("use_checkpoint", model="checkpoint", labels={"": SAME_CHECKPOINT})
    )
    use_vae: bool = Field(False, json_schema_extra=_more(label="VAE of their own"))
    vae: str = Field(
        "", max_length=400, json_schema_extra=_when("use_vae", model="vae", label="VAE", labels={"": SAME_VAE})
    )
    use_sampler: bool = Field(False, json_schema_extra=_more(label="Sampler of their own"))
    sampler: str = Field("DPM++ 2M Karras", max_length=100, json_schema_extra=_when("use_sampler", pair="sampler"))
    scheduler: str = Field(SAME_SCHEDULER, max_length=100, json_schema_extra=_when("use_sampler", pair="sampler"))
    use_noise_multiplier: bool = Field(False, json_schema_extra=_more(label="Noise multiplier of their own"))
    noise_multiplier: float = Field(1, ge=0.5, le=1.5, json_schema_extra=_when("use_noise_multiplier"))
    use_clip_skip: bool = Field(False, json_schema_extra=_more(label="Clip skip of their own"))
    clip_skip: int = Field(1, ge=1, le=12, json_schema_extra=_when("use_clip_skip"))
    restore_face: bool = Field(
        False,
        description="restore faces in what was repainted, as the section for faces does",
        json_schema_extra=_more(),
    )
    controlnet_model: str = Field(
        NONE, max_length=400, examples=[NONE, PASSTHROUGH],
        description="a control for the regions; Passthrough: those of the picture",
        json_schema_extra=_more(label="ControlNet model"),
    )  # fmt: skip
    controlnet_module: str = Field(
        NONE, max_length=100, description="its preprocessor", json_schema_extra=_more(label="ControlNet preprocessor")
    )
    controlnet_weight: float = Field(1, ge=0, le=2, json_schema_extra=_more(label="ControlNet weight"))
    controlnet_guidance_start: float = Field(
        0, ge=0, le=1, json_schema_extra=_more(range="guidance", label="ControlNet acts from, to", unit="%")
    )
    controlnet_guidance_end: float = Field(
        1, ge=0, le=1, json_schema_extra=_more(range="guidance", label="Until", unit="%")
    )

    @model_validator(mode="before")
    @classmethod
    def _as_adetailer(cls, values: Any) -> Any:
        """ADetailer's names; null leaves the default."""
        if not isinstance(values, Mapping):
            return values
        given: dict[str, Any] = {}
        for key, value in values.items():
            name = str(key).removeprefix("ad_")
            name = _ALIASES.get(name, name)
            if name == "tab_enable":
                given["enabled"] = value
            elif name not in _IGNORED and name not in cls.model_fields:
                raise ValueError(f"{str(key)[:100]}: there is no such key")
            elif name not in _IGNORED and value is not None:
                given[name] = value
        return given

    @model_validator(mode="after")
    def _in_order(self) -> "DetailPass":
        if self.mask_min_ratio > self.mask_max_ratio:
            raise ValueError(f"mask_min_ratio {self.mask_min_ratio} is above mask_max_ratio {self.mask_max_ratio}")
        if self.controlnet_guidance_start > self.controlnet_guidance_end:
            raise ValueError("controlnet_guidance_start comes after controlnet_guidance_end")
        return self

    @property
    def acts(self) -> bool:
        return self.enabled and self.model != NONE


class DetailOptions(Options):
    """Passes over each picture, one after another."""

    model_config = ConfigDict(json_schema_extra=form_hint(group="quality", summary="{units}", check="lacking"))

    enabled: bool = Field(True, json_schema_extra=hint(control="master"))
    skip_img2img: bool = Field(
        False,
        description="in img2img: leave the picture as it is and only repaint its regions",
        json_schema_extra=hint(level="more", label="Regions only in img2img"),
    )
    units: tuple[DetailPass, ...] = Field(
        (),
        max_length=MAX_PASSES,
        description="passes, in order",
        json_schema_extra=hint(chip="{model}", label="Passes"),
    )
    show_regions: bool = Field(
        False,
        description="show, after the pictures, what was found in them",
        json_schema_extra=hint(label="Show the regions"),
    )
    sort_by: Literal["None", "Position (left to right)", "Position (center to edge)", "Area (large to small)"] = Field(
        "None", description="order in which regions are repainted", json_schema_extra=hint(level="more", label="Order")
    )
    same_seed: bool = Field(
        False,
        description="give every region the seed of the picture, instead of counting up",
        json_schema_extra=hint(level="more", label="One seed for all regions"),
    )
    dynamic_denoise_power: float = Field(
        0,
        ge=-10,
        le=10,
        description="larger regions change less (above 0) or more (below 0); 0: all alike",
        json_schema_extra=hint(level="more", label="Strength by size"),
    )
    match_size: Literal["Off", "Free", "Strict (SDXL only)"] = Field(
        "Off",
        description="repaint each region in a size of its own aspect",
        json_schema_extra=hint(level="more", label="Size by region"),
    )

    @property
    def passes(self) -> tuple[DetailPass, ...]:
        """Those that do something."""
        return tuple(one for one in self.units if one.acts) if self.enabled else ()
