"""The options of a request, in the units of A1111's Tiled Diffusion: tiles in latent cells. It needs no torch."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from webui.extension_api import Options, form_hint, hint

MAX_REGIONS = 8
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
TileSide = Annotated[
    int,
    Field(
        ge=8,
        le=512,
        multiple_of=8,
        description="of a tile, in latent cells of 8 pixels",
        json_schema_extra=hint(span=(16, 256, 16), pair="tile"),
    ),
]
Method = Literal["MultiDiffusion", "Mixture of Diffusers"]
Layer = Literal["Background", "Foreground"]
_PART = re.compile(r"\bAND\b")


class Region(BaseModel):
    """A rectangle with text of its own; its place and size are shares of the picture's."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra=form_hint(summary="{blend_mode}, {w} by {h} at {x}, {y}")
    )

    enabled: bool = Field(True, json_schema_extra=hint(control="master"))
    x: Share = Field(0.4, description="its left edge, as a share of the width", json_schema_extra=hint(pair="place"))
    y: Share = Field(0.4, description="its upper edge, as a share of the height", json_schema_extra=hint(pair="place"))
    w: Share = Field(
        0.2, description="share of the width", json_schema_extra=hint(label="Width", pair="size", unit="%")
    )
    h: Share = Field(
        0.2, description="share of the height", json_schema_extra=hint(label="Height", pair="size", unit="%")
    )
    prompt: str = Field(
        "", max_length=10_000, description="follows the prompt, behind a comma", json_schema_extra=hint(control="lines")
    )
    neg_prompt: str = Field(
        "",
        max_length=10_000,
        description="follows the negative prompt, behind a comma",
        json_schema_extra=hint(control="lines", label="Negative prompt"),
    )
    blend_mode: Layer = Field(
        "Background",
        description="Background: averaged with what else is there; Foreground: laid over it",
        json_schema_extra=hint(label="Layer"),
    )
    feather_ratio: Share = Field(
        0.2,
        description="how far from its edge a foreground fades, as a share of half its shorter side",
        json_schema_extra=hint(label="Feather", when={"blend_mode": ["Foreground"]}),
    )
    seed: int = Field(-1, ge=-1, le=2**64 - 1, description="its own noise to begin with; -1: that of the picture")

    @model_validator(mode="before")
    @classmethod
    def _as_told(cls, values: Any) -> Any:
        """Infotexts say `enable`."""
        if isinstance(values, dict) and "enable" in values:
            values = {("enabled" if name == "enable" else name): value for name, value in values.items()}
        return values

    @field_validator("prompt")
    @classmethod
    def _one_part(cls, text: str) -> str:
        if _PART.search(text):
            raise ValueError("AND cannot stand in the prompt of a region; it would have more parts than the picture's")
        return text


class TilesOptions(Options):
    """How the network sees a large picture: as overlapping tiles, and as regions with text of their own."""

    model_config = ConfigDict(
        json_schema_extra=form_hint(group="composition", summary="{method}, {tile_width} x {tile_height}")
    )

    enabled: bool = Field(True, json_schema_extra=hint(control="master"))
    method: Method = Field(
        "MultiDiffusion", description="tiles count alike where they overlap, or most in their middle"
    )
    tile_width: TileSide = 96
    tile_height: TileSide = 96
    overlap: int = Field(
        48,
        ge=0,
        le=512,
        description="of neighbouring tiles, in latent cells",
        json_schema_extra=hint(span=(0, 256, 4), label="Overlap"),
    )
    tile_batch_size: int = Field(
        4,
        ge=1,
        le=64,
        description="tiles that the network sees at once: quicker on a GPU, and needs more memory",
        json_schema_extra=hint(span=(1, 8, 1), label="Tiles at once"),
    )
    upscaler: str = Field(
        "None",
        max_length=200,
        description="img2img: what enlarges the picture first",
        examples=["None", "Lanczos", "Nearest"],
        json_schema_extra=hint(model="upscaler"),
    )
    scale_factor: Annotated[FiniteFloat, Field(ge=1, le=16)] = Field(
        2.0, description="img2img: by how much", json_schema_extra=hint(span=(1, 8, 0.05))
    )
    keep_input_size: bool = Field(
        True, description="img2img: make the size of the picture, enlarged, and not that of the form"
    )
    overwrite_size: bool = Field(
        False, description="txt2img: make the size below", json_schema_extra=hint(level="more")
    )
    image_width: int = Field(
        1024, ge=8, le=8192, multiple_of=8, json_schema_extra=hint(level="more", when={"overwrite_size": [True]})
    )
    image_height: int = Field(
        1024, ge=8, le=8192, multiple_of=8, json_schema_extra=hint(level="more", when={"overwrite_size": [True]})
    )
    hires: bool = Field(
        False,
        description="see the second pass of hires fix in tiles too; A1111's extension does not",
        json_schema_extra=hint(level="more", label="Also in hires fix"),
    )
    noise_inversion: bool = Field(
        False, description="A1111's noise inversion, which is not built in", json_schema_extra=hint(control="hidden")
    )
    region_control: bool | None = Field(
        None, description="whether regions count; empty: where there are some", json_schema_extra=hint(control="hidden")
    )
    draw_background: bool = Field(
        False, description="with regions: draw the picture's own prompt too, all over", json_schema_extra=hint()
    )
    regions: tuple[Region, ...] = Field((), max_length=MAX_REGIONS)

    @property
    def acting(self) -> tuple[Region, ...]:
        """The regions that count."""
        counts = self.region_control if self.region_control is not None else bool(self.regions)
        return tuple(one for one in self.regions if one.enabled and one.w > 0 and one.h > 0) if counts else ()

    @property
    def draws_grid(self) -> bool:
        """Whether the picture's own prompt is drawn, in tiles."""
        return self.draw_background or not self.acting
