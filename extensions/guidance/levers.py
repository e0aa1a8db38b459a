"""The parts of the options, one model for each method. Each is off by default. It needs no torch."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator

from webui.extension_api import form_hint, hint

Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Moment = Annotated[FiniteFloat, Field(ge=0, le=1000)]
Factor = Annotated[FiniteFloat, Field(ge=-10, le=10)]
Mode = Literal[
    "Constant", "Linear Down", "Cosine Down", "Half Cosine Down", "Linear Up", "Cosine Up", "Half Cosine Up",
    "Power Up", "Power Down", "Linear Repeating", "Cosine Repeating", "Sawtooth",
]  # fmt: skip
Resizing = Literal["bicubic", "bilinear", "nearest-exact", "area", "bislerp"]
MAX_STAGES = 3
_SHAPED = ("Power Up", "Power Down", "Linear Repeating", "Cosine Repeating", "Sawtooth")


class Lever(BaseModel):
    """Base of the parts: a switch, and fields that are shown while it is on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(False, json_schema_extra=hint(label="On"))


def on(**hints: Any) -> dict[str, Any]:
    """Hints of a field that is shown while its part is on."""
    return hint(when={"enabled": [True], **hints.pop("when", {})}, **hints)


class FreeUStage(BaseModel):
    """How FreeU changes the features of one width: those that come from below (backbone), and the skip connection."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra=form_hint(summary="backbone {backbone_factor}, skip {skip_factor}"),
    )

    backbone_factor: Factor = Field(
        1.0, description="factor on the backbone", json_schema_extra=hint(span=(-1, 3, 0.05), label="Backbone")
    )
    skip_factor: Factor = Field(
        1.0,
        description="factor on low frequencies of the skip",
        json_schema_extra=hint(span=(-1, 3, 0.05), label="Skip"),
    )
    backbone_offset: FiniteFloat = Field(
        0.0, ge=-100, le=100, description="share of the channels at which those that change begin",
        json_schema_extra=hint(span=(0, 1, 0.01), level="more"),
    )  # fmt: skip
    backbone_width: FiniteFloat = Field(
        0.5, ge=-100, le=100, description="share of the channels that change",
        json_schema_extra=hint(span=(0, 1, 0.01), level="more"),
    )  # fmt: skip
    skip_cutoff: Share = Field(
        0.0, description="share of the frequencies that are low; 0: the very lowest alone",
        json_schema_extra=hint(span=(0, 1, 0.01), level="more"),
    )  # fmt: skip
    skip_high_end_factor: Factor = Field(
        1.0, description="factor on the high frequencies of the skip",
        json_schema_extra=hint(span=(-1, 3, 0.05), level="more"),
    )  # fmt: skip

    @property
    def told(self) -> dict[str, float]:
        """What is not as usual."""
        usual = FreeUStage()
        return {name: value for name, value in self if value != getattr(usual, name)}


class FreeU(Lever):
    """FreeU (arXiv:2309.11497), with stages and schedule as ljleb's extension for A1111 has them."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="version {version}"))

    version: Literal["1", "2"] = Field(
        "2",
        description="2 weighs each place of the picture by its mean feature",
        json_schema_extra=on(labels={"1": "Version 1", "2": "Version 2"}),
    )
    start: Moment = Field(
        0.0,
        description="acts from this share of the steps on; above 1: from that step on",
        json_schema_extra=on(range="freeu", label="Acts from, to", span=(0, 1, 0.01), unit="%"),
    )
    stop: Moment = Field(
        1.0,
        description="and up to this one",
        json_schema_extra=on(range="freeu", span=(0, 1, 0.01), unit="%"),
    )
    smoothness: Share = Field(
        0.0, description="0 begins and ends at once, 1 by degrees", json_schema_extra=on(label="By degrees")
    )
    stages: tuple[FreeUStage, ...] = Field(
        (FreeUStage(backbone_factor=1.5, skip_factor=0.9), FreeUStage(backbone_factor=1.6, skip_factor=0.2)),
        max_length=MAX_STAGES,
        description="widths of features, the deepest first",
        json_schema_extra=on(),
    )

    @field_validator("version", mode="before")
    @classmethod
    def _as_clients_say(cls, version: object) -> object:
        return str(version).lower().removeprefix("version").strip()

    @property
    def acting(self) -> tuple[FreeUStage, ...]:
        """The stages up to the last one that changes anything."""
        stages = list(self.stages)
        while stages and not stages[-1].told:
            stages.pop()
        return tuple(stages)


class Thresholding(Lever):
    """Dynamic thresholding of guidance (arXiv:2205.11487, section 2.3, carried over to latents by mcmonkey)."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="mimic {mimic_scale}"))

    mimic_scale: Annotated[FiniteFloat, Field(ge=0, le=100)] = Field(
        7.0,
        description="guidance scale whose range of values is kept to",
        json_schema_extra=on(span=(1, 30, 0.5), axis={"values": "5-11 [3]"}),
    )
    percentile: Annotated[FiniteFloat, Field(gt=0, le=100)] = Field(
        100.0,
        description="per cent of the values that stay inside the bounds",
        json_schema_extra=on(span=(90, 100, 0.05), label="Percentile"),
    )
    mimic_mode: Mode = Field(
        "Constant", description="how the mimic scale runs over the steps", json_schema_extra=on(level="more")
    )
    mimic_scale_min: Annotated[FiniteFloat, Field(ge=0, le=100)] = Field(
        0.0, description="its lowest value", json_schema_extra=on(level="more", span=(0, 30, 0.5))
    )
    cfg_mode: Mode = Field(
        "Constant",
        description="how the guidance scale runs over the steps",
        json_schema_extra=on(level="more", label="CFG mode"),
    )
    cfg_scale_min: Annotated[FiniteFloat, Field(ge=0, le=100)] = Field(
        0.0,
        description="its lowest value",
        json_schema_extra=on(level="more", span=(0, 30, 0.5), label="CFG scale min"),
    )
    sched_val: Annotated[FiniteFloat, Field(ge=0, le=100)] = Field(
        4.0,
        description="exponent of Power, number of runs of Repeating and Sawtooth",
        json_schema_extra=on(level="more", span=(0, 15, 0.5), label="Value of the mode"),
    )
    separate: bool = Field(
        True, description="measure each channel of the latents for itself", json_schema_extra=on(level="more")
    )
    startpoint: Literal["MEAN", "ZERO"] = Field(
        "MEAN", description="from where values are measured", json_schema_extra=on(level="more")
    )
    measure: Literal["AD", "STD"] = Field(
        "AD",
        description="what a range is: the largest value, or the standard deviation",
        json_schema_extra=on(level="more", labels={"AD": "Largest", "STD": "Deviation"}),
    )
    phi: Share = Field(1.0, description="share of the result that is taken", json_schema_extra=on(level="more"))

    @field_validator("percentile", mode="before")
    @classmethod
    def _of_shares(cls, value: object) -> object:
        """Forge, and this extension before, wrote a share of 1."""
        return value * 100 if isinstance(value, int | float) and 0 < value <= 1 else value

    @field_validator("separate", mode="before")
    @classmethod
    def _of_words(cls, value: object) -> object:
        return {"enable": True, "disable": False}.get(value, value) if isinstance(value, str) else value

    @property
    def is_shaped(self) -> bool:
        """Whether a mode takes `sched_val`."""
        return self.mimic_mode in _SHAPED or self.cfg_mode in _SHAPED


class Projected(Lever):
    """Adaptive projected guidance (arXiv:2410.02416)."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="eta {eta}"))

    eta: Annotated[FiniteFloat, Field(ge=-10, le=10)] = Field(
        0.0,
        description="share of the guidance that points along the prompt's own estimate; 1: as usual",
        json_schema_extra=on(span=(0, 1, 0.05)),
    )
    norm: Annotated[FiniteFloat, Field(ge=0, le=1000)] = Field(
        15.0, description="longest guidance; 0: no limit", json_schema_extra=on(span=(0, 50, 0.5), label="Longest")
    )
    momentum: Annotated[FiniteFloat, Field(gt=-1, lt=1)] = Field(
        -0.5,
        description="share of the guidance before that is added; below 0 it is taken away",
        json_schema_extra=on(span=(-0.95, 0.95, 0.05)),
    )


class Perturbed(Lever):
    """Perturbed-attention guidance (arXiv:2403.17377)."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="{scale}"))

    scale: Annotated[FiniteFloat, Field(ge=0, le=100)] = Field(
        3.0, description="0 changes nothing", json_schema_extra=on(span=(0, 10, 0.1), axis={"values": "0-4 [3]"})
    )
    attenuation: Annotated[FiniteFloat, Field(ge=0, le=100)] = Field(
        0.0,
        description="per cent of the scale by which it falls with each step",
        json_schema_extra=on(level="more", span=(0, 100, 1)),
    )
    start: Share = Field(0.0, json_schema_extra=on(range="perturbed", label="Acts from, to", unit="%"))
    end: Share = Field(1.0, json_schema_extra=on(range="perturbed", unit="%"))


class SelfAttention(Lever):
    """Self-attention guidance (arXiv:2210.00939)."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="{scale}"))

    scale: Annotated[FiniteFloat, Field(ge=-10, le=100)] = Field(
        0.5, description="0 changes nothing", json_schema_extra=on(span=(0, 3, 0.05), axis={"values": "0-1 [3]"})
    )
    blur_sigma: Annotated[FiniteFloat, Field(gt=0, le=100)] = Field(
        2.0, description="how far the picture is blurred, in latent cells", json_schema_extra=on(span=(0.1, 10, 0.1))
    )
    threshold: Annotated[FiniteFloat, Field(ge=0, le=100)] = Field(
        1.0,
        description="attention above which a place is blurred; 1 is the mean",
        json_schema_extra=on(level="more", span=(0, 4, 0.05)),
    )


class DeepShrink(Lever):
    """Deep shrink (Kohya's hires fix): the deep layers see large pictures smaller in the first steps."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="block {block}, {factor}"))

    block: int = Field(
        3, ge=0, le=32, description="input block behind which it shrinks", json_schema_extra=on(span=(1, 11, 1))
    )
    factor: Annotated[FiniteFloat, Field(ge=0.1, le=9)] = Field(
        2.0, description="by how much", json_schema_extra=on(span=(1, 4, 0.25))
    )
    start: Share = Field(0.0, json_schema_extra=on(range="shrink", label="Acts from, to", unit="%"))
    end: Share = Field(0.35, description="share of the noise levels", json_schema_extra=on(range="shrink", unit="%"))
    after_skip: bool = Field(
        True, description="the skip connection of that block stays large", json_schema_extra=on(level="more")
    )
    downscaling: Resizing = Field("bicubic", json_schema_extra=on(level="more", label="Shrink by"))
    upscaling: Resizing = Field("bicubic", json_schema_extra=on(level="more", label="Enlarge by"))


class Tiled(BaseModel):
    """The numbers of HyperTile for one network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_depth: int = Field(
        3, ge=0, le=3, description="how deep layers are tiled, in halvings", json_schema_extra=hint(span=(0, 3, 1))
    )
    max_tile: int = Field(
        256,
        ge=0,
        le=8192,
        description="largest tile in pixels",
        json_schema_extra=hint(span=(128, 512, 16), label="Tile"),
    )
    swap_size: int = Field(
        3,
        ge=0,
        le=64,
        description="sizes among which one is drawn for each layer",
        json_schema_extra=hint(span=(1, 6, 1)),
    )


class TiledVae(Tiled):
    """The numbers of HyperTile for the VAE."""

    max_tile: int = Field(
        128,
        ge=0,
        le=8192,
        description="largest tile in pixels",
        json_schema_extra=hint(span=(128, 512, 16), label="Tile"),
    )


class HyperTile(BaseModel):
    """HyperTile (tfernd): self-attention within tiles, which is quicker for large pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unet: bool = Field(False, description="in the network that denoises", json_schema_extra=hint(label="U-Net"))
    second_pass: bool = Field(
        False,
        description="in the second pass of hires fix, also where it is off in the first",
        json_schema_extra=hint(label="U-Net in hires fix"),
    )
    vae: bool = Field(False, description="in the VAE", json_schema_extra=hint(label="VAE"))
    of_unet: Tiled = Field(Tiled(), json_schema_extra=hint(label="Tiles of the U-Net", level="more"))
    of_vae: TiledVae = Field(TiledVae(), json_schema_extra=hint(label="Tiles of the VAE", level="more"))
