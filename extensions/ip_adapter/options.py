"""The options of a request: pictures that act as prompts, each with its adapter. It needs no torch."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from webui.extension_api import ImageField, Options, form_hint, hint

from .weight_types import ALIASES, TWO_WEIGHTS, WeightType, pairs_of

MAX_UNITS = 10
MAX_PICTURES = 16
FACE_NUMBERS = 512  # of a face's embedding
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Weight = Annotated[FiniteFloat, Field(ge=-1, le=3)]
Fit = Literal["squeeze", "crop", "pad"]
Combine = Literal["average", "concat", "add", "subtract", "norm average"]
Scaling = Literal["V only", "K+V", "K+V w/ C penalty", "K+mean(V) w/ C penalty"]
Passes = Literal["Both", "Low res only", "High res only"]


class AdapterUnit(BaseModel):
    """Pictures, and the adapter by which they act."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=form_hint(summary="[{model} {weight}]"))

    enabled: bool = Field(True, json_schema_extra=hint(control="master"))
    image: ImageField | None = Field(
        None, description="what acts as a prompt", json_schema_extra=hint(control="picture", label="Picture")
    )
    images: tuple[ImageField, ...] = Field(
        (), max_length=MAX_PICTURES, description="further pictures", json_schema_extra=hint(control="hidden")
    )
    model: str = Field(
        "",
        max_length=400,
        description="adapter in models/ControlNet or models/ipadapter",
        json_schema_extra=hint(model="controlnet", label="Adapter"),
    )
    weight: Weight = Field(
        1.0,
        description="factor on what the pictures add; 0 is nothing",
        json_schema_extra=hint(span=(0, 2, 0.05), axis={"values": "0.4-1 [4]"}),
    )
    weight_type: WeightType = Field(
        "linear", description="in which layers it acts, and how much", json_schema_extra=hint(label="Acts on")
    )
    composition_weight: Weight = Field(
        1.0,
        description="factor on the composition, where style and composition have weights of their own",
        json_schema_extra=hint(span=(0, 2, 0.05), when={"weight_type": list(TWO_WEIGHTS)}),
    )
    start: Share = Field(
        0.0,
        description="share of the steps after which it begins",
        json_schema_extra=hint(range="steps", label="Acts from, to", unit="%"),
    )
    end: Share = Field(
        1.0, description="share of the steps after which it ends", json_schema_extra=hint(range="steps", unit="%")
    )
    region: ImageField | None = Field(
        None,
        description="white: where in the result it acts",
        json_schema_extra=hint(level="more", label="Where it acts"),
    )
    mask: ImageField | None = Field(
        None, description="white: what of the picture is not looked at", json_schema_extra=hint(level="more")
    )
    fit: Fit = Field(
        "crop",
        description="how the picture becomes the square that is looked at: squeezed, its middle, or with a border",
        json_schema_extra=hint(level="more", control="segments", label="Made square by"),
    )
    combine: Combine = Field(
        "average", description="how several pictures become one prompt", json_schema_extra=hint(level="more")
    )
    encoder: str = Field(
        "",
        max_length=400,
        description="image encoder in models/clip_vision; empty: the one that fits",
        json_schema_extra=hint(level="more", label="Image encoder"),
    )
    layer_weights: str = Field(
        "",
        max_length=1000,
        description="weights by transformer instead: 1, 0.5, ... or 3:0.5, 6:1",
        json_schema_extra=hint(level="more", label="Weights by layer"),
    )
    embeds_scaling: Scaling = Field(
        "V only", description="what the weight is a factor of", json_schema_extra=hint(level="more", label="Scales")
    )
    passes: Passes = Field(
        "Both",
        description="passes of hires fix in which it acts",
        json_schema_extra=hint(
            level="more",
            control="segments",
            label="Acts in passes",
            labels={"Low res only": "First", "High res only": "Second"},
        ),
    )
    face_structure: Weight = Field(
        1.0,
        description="FaceID plus v2: factor on what the encoder sees of the face",
        json_schema_extra=hint(level="more", span=(0, 3, 0.05)),
    )
    face_lora: Weight = Field(
        0.6,
        description="FaceID: strength of the LoRA that comes inside the adapter's file",
        json_schema_extra=hint(level="more", label="FaceID LoRA", span=(0, 2, 0.05)),
    )
    face_embedding: tuple[FiniteFloat, ...] | None = Field(
        None,
        description=f"FaceID, InstantID: {FACE_NUMBERS} numbers of ArcFace instead of those found in the picture",
        json_schema_extra=hint(control="hidden"),
    )
    told_by: str = Field(
        "",
        max_length=200,
        description="the place in the request that it was said at, where that is elsewhere",
        json_schema_extra=hint(control="hidden"),
    )

    @field_validator("layer_weights", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else value

    @field_validator("layer_weights")
    @classmethod
    def _readable(cls, text: str) -> str:
        pairs_of(text)
        return text

    @field_validator("weight_type", mode="before")
    @classmethod
    def _as_elsewhere(cls, name: Any) -> Any:
        return ALIASES.get(name, name) if isinstance(name, str) else name

    @field_validator("face_embedding")
    @classmethod
    def _of_arcface(cls, numbers: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if numbers is not None and len(numbers) != FACE_NUMBERS:
            raise ValueError(f"has {len(numbers)} numbers, ArcFace gives {FACE_NUMBERS}")
        return numbers

    @model_validator(mode="after")
    def _in_order(self) -> "AdapterUnit":
        if self.start > self.end:
            raise ValueError(f"start {self.start} comes after end {self.end}")
        return self


class AdapterOptions(Options):
    """Pictures as prompts, whose effects are added."""

    model_config = ConfigDict(json_schema_extra=form_hint(group="composition", summary="{units}"))

    units: tuple[AdapterUnit, ...] = Field(
        (), max_length=MAX_UNITS, description="pictures, in order", json_schema_extra=hint(chip="{model} {weight}")
    )

    @property
    def enabled(self) -> tuple[AdapterUnit, ...]:
        """Those that take part."""
        return tuple(unit for unit in self.units if unit.enabled)
