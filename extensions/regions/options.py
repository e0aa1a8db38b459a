"""The options of regions in a request, by the names of this program. It needs no torch."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from webui.extension_api import ImageField, Options, form_hint, hint

from .couple_lines import MOST_WEIGHT, mapped_tiles
from .region_colours import colours, hexadecimal

Mode = Literal["Matrix", "Mask", "Prompt", "Lines"]
LinesMode = Literal["Basic", "Advanced", "Mask"]
Background = Literal["None", "First Line", "Last Line"]
Brackets = Literal["{ }", "< >", "off"]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
MAX_MASKS = 32
MAX_TEXT = 2000  # characters of numbers
KEEPS_AND = "disable convert 'AND' to 'BREAK'"
OTHER_LORA = "Use LoHa or other"
KEEPS_BREAK = "Use BREAK to change chunks"
REVERSES = "Flip prompts"
COMMENTS = "Comment Out `#`"
ONLY_HIRES, NOT_HIRES = "Enabled only in Hires Fix", "Disabled in Hires Fix"
CHOICES = (KEEPS_AND, OTHER_LORA, KEEPS_BREAK, REVERSES, COMMENTS, ONLY_HIRES, NOT_HIRES)
_DIRECTIONS: Mapping[str, str] = MappingProxyType({"Horizontal": "Columns", "Vertical": "Rows"})


def _in(*modes: Mode, **more: Any) -> dict[str, Any]:
    return hint(when={"mode": list(modes)}, **more)


def _in_lines(*modes: LinesMode, **more: Any) -> dict[str, Any]:
    return hint(when={"mode": ["Lines"], "lines_mode": list(modes)}, **more)


class PaintedMask(BaseModel):
    """Where a line of the prompt acts."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=form_hint(summary="{weight}"))

    mask: ImageField | None = Field(None, description="white: where the line of this number acts")
    weight: Annotated[FiniteFloat, Field(ge=0, le=MOST_WEIGHT)] = Field(
        1.0, description="how much it counts where several act"
    )


class RegionsOptions(Options):
    """Parts of the prompt act in parts of the picture."""

    model_config = ConfigDict(
        json_schema_extra=form_hint(group="composition", summary="{mode}", places="region_places")
    )

    enabled: bool = Field(True, json_schema_extra=hint(control="master"))
    mode: Mode = Field(
        "Matrix",
        description="what says where a part of the prompt acts",
        json_schema_extra=hint(
            label="Regions by",
            control="segments",
            labels={"Matrix": "Ratios", "Mask": "Colours", "Prompt": "Words", "Lines": "Lines"},
        ),
    )
    lines_mode: LinesMode = Field(
        "Basic",
        description="each line of the prompt is a region: equal tiles, rectangles, or a mask for each",
        json_schema_extra=_in(
            "Lines", label="Lines in", labels={"Basic": "Tiles", "Advanced": "Rectangles", "Mask": "Masks"}
        ),
    )
    direction: Literal["Columns", "Rows"] = Field(
        "Columns",
        description="ADDCOL or BREAK begins the next column, ADDROW the next row; with Rows the cuts change places",
        json_schema_extra=_in("Matrix", "Lines", label="Divide into"),
    )
    ratios: str = Field(
        "1,1",
        max_length=MAX_TEXT,
        description="sizes: 1,2,1; or rows, each with its own size first: 1,2,1,1;2,4,6",
        json_schema_extra=_in("Matrix"),
    )
    flip: bool = Field(
        False,
        description="commas and semicolons of the sizes change places",
        json_schema_extra=_in("Matrix", label="Swap , and ;"),
    )
    mask: ImageField | None = Field(
        None,
        description="regions in colours of half brightness and saturation, their hues 0, 180, 90, 270 degrees, then "
        "between these; white is none",
        json_schema_extra=_in("Mask", label="Coloured mask", colours=[*map(hexadecimal, colours(8)), "#ffffff"]),
    )
    prompt_mode: Literal["Prompt", "Prompt-Ex"] = Field(
        "Prompt",
        description="a region is where its last word shows; where two do, both act, or the later one alone",
        json_schema_extra=_in("Prompt", label="Where two meet", labels={"Prompt": "Both", "Prompt-Ex": "The later"}),
    )
    threshold: str = Field(
        "0.4",
        max_length=MAX_TEXT,
        description="how strongly a word must show, 0 to 1; one number, or one for each word",
        json_schema_extra=_in("Prompt", label="Threshold"),
    )
    use_base: bool = Field(
        False,
        description="the first part is mixed into every region; ADDBASE in the prompt says so too",
        json_schema_extra=_in("Matrix", "Mask", "Prompt", label="Base prompt"),
    )
    base_ratios: str = Field(
        "0.2",
        max_length=MAX_TEXT,
        description="share of the base, 0 to 1: one number, or one for each region",
        json_schema_extra=hint(
            when={"mode": ["Matrix", "Mask", "Prompt"], "use_base": [True]}, label="Share of the base"
        ),
    )
    use_common: bool = Field(
        False,
        description="the first part stands in front of every region; ADDCOMM in the prompt says so too",
        json_schema_extra=_in("Matrix", "Mask", "Prompt", label="Common prompt"),
    )
    use_common_negative: bool = Field(
        False,
        description="the same for the negative prompt",
        json_schema_extra=_in("Matrix", "Mask", "Prompt", label="Common negative prompt", level="more"),
    )
    calculation: Literal["Attention", "Latent"] = Field(
        "Attention",
        description="Attention: in one run; Latent: a run for each region, with borders that are clear",
        json_schema_extra=_in("Matrix", "Mask", level="more"),
    )
    options: tuple[str, ...] = Field(
        (), description="further switches of Regional Prompter", json_schema_extra=hint(control="hidden")
    )
    background: Background = Field(
        "None",
        description="a line that acts everywhere",
        json_schema_extra=_in_lines("Basic", "Mask", labels={"First Line": "First line", "Last Line": "Last line"}),
    )
    background_weight: Share = Field(
        0.5, description="how much it counts", json_schema_extra=_in_lines("Basic", "Mask")
    )
    mapping: str = Field(
        "",
        max_length=20_000,
        description="a row for each line, as shares of the sides: [[x1, x2, y1, y2, weight], ...]",
        json_schema_extra=_in_lines("Advanced", label="Rectangles", control="lines"),
    )
    masks: tuple[PaintedMask, ...] = Field((), max_length=MAX_MASKS, json_schema_extra=_in_lines("Mask"))
    separator: str = Field(
        "",
        max_length=100,
        description="what stands between regions; empty: the end of a line",
        json_schema_extra=_in("Lines", level="more"),
    )
    brackets: Brackets = Field(
        "{ }",
        description="{name:text} defines what {name} repeats",
        json_schema_extra=_in("Lines", level="more", label="Repeated texts"),
    )
    keeps_definitions: bool = Field(
        True,
        description="a definition is also read where it stands",
        json_schema_extra=_in("Lines", level="more", label="Definitions act"),
    )
    first_pass_only: bool = Field(
        True,
        description="the second pass of hires fix is made without regions",
        json_schema_extra=_in("Lines", level="more", label="Not in hires fix"),
    )
    lora_negative_te: str = Field("0", max_length=MAX_TEXT, json_schema_extra=hint(control="hidden"))
    lora_negative_unet: str = Field("0", max_length=MAX_TEXT, json_schema_extra=hint(control="hidden"))
    lora_stop: int = Field(0, ge=0, le=10_000, json_schema_extra=hint(control="hidden"))
    lora_hires_stop: int = Field(0, ge=0, le=10_000, json_schema_extra=hint(control="hidden"))

    @model_validator(mode="before")
    @classmethod
    def _as_told(cls, values: Any) -> Any:
        """A1111's clients send texts for lists, nothing for a picture, and masks in the place of a mapping."""
        if not isinstance(values, dict):
            return values
        read = dict(values)
        if read.get("mask") == "":
            read["mask"] = None
        if "direction" in read:
            read["direction"] = _DIRECTIONS.get(read["direction"], read["direction"])
        if read.get("separator") in ("\\n", "\n"):
            read["separator"] = ""
        options = read.get("options")
        if isinstance(options, bool):
            read["options"] = (KEEPS_AND,) if options else ()
        elif isinstance(options, str):
            read["options"] = tuple(one.strip() for one in options.split(",") if one.strip())
        mapping = read.get("mapping")
        if isinstance(mapping, list):
            is_masks = any(isinstance(one, dict) for one in mapping)
            read |= {"masks": mapping, "mapping": ""} if is_masks else {"mapping": json.dumps(mapping)}
        if isinstance(mapping, str):
            read["mapping"] = mapping.strip()
        for name in ("ratios", "base_ratios", "threshold", "lora_negative_te", "lora_negative_unet"):
            if isinstance(read.get(name), int | float) and not isinstance(read[name], bool):
                read[name] = str(read[name])
        return read

    @field_validator("options")
    @classmethod
    def _known(cls, options: tuple[str, ...]) -> tuple[str, ...]:
        known = {_plain(one): one for one in CHOICES}
        said = [one for one in options if _plain(one) not in ("", "nooptions")]
        if odd := next((one for one in said if _plain(one) not in known), None):
            raise ValueError(f"{odd[:60]!r} is none of {'; '.join(CHOICES)}")
        return tuple(known[_plain(one)] for one in said)

    @field_validator("mapping")
    @classmethod
    def _is_mapping(cls, mapping: str) -> str:
        mapped_tiles(mapping)
        return mapping

    @property
    def weighs_negative_loras(self) -> bool:
        """Whether a number for networks in the negative prompt is something else than 0."""
        numbers = f"{self.lora_negative_te},{self.lora_negative_unet}".split(",")
        return any(one.strip().strip("0.") for one in numbers)

    @property
    def has_background(self) -> bool:
        return self.background != "None"


def _plain(text: str) -> str:
    return "".join(one for one in text.lower() if one.isalnum())
