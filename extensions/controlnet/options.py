"""The options of ControlNet in a request: units as in A1111's API, with its aliases. It needs no torch."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from webui.extension_api import Chooser, ImageField, Options, PoseEditing, Sliders, form_hint, hint

from .control_kinds import UNION_TYPES, UnionType
from .modules import BUILT_IN, OF_PICTURES, WITH_NETWORK, find_module

MAX_UNITS = 10
NO_MODEL = "None"

Fit = Literal["Just Resize", "Crop and Resize", "Resize and Fill"]
Mode = Literal["Balanced", "My prompt is more important", "ControlNet is more important"]
HiresUse = Literal["Both", "Low res only", "High res only"]

_FITS = ("Just Resize", "Crop and Resize", "Resize and Fill")
_MODES = ("Balanced", "My prompt is more important", "ControlNet is more important")
_HIRES = ("Both", "Low res only", "High res only")
_OLD_FITS: Mapping[str, str] = MappingProxyType(
    {
        "Scale to Fit (Inner Fit)": "Crop and Resize",
        "Inner Fit (Scale to Fit)": "Crop and Resize",
        "Envelope (Outer Fit)": "Resize and Fill",
        "Outer Fit (Shrink to Fit)": "Resize and Fill",
    }
)
_ALIASES: Mapping[str, str] = MappingProxyType(
    {"input_image": "image", "mask_image": "mask", "lowvram": "low_vram", "guidance": "guidance_end"}
)
Share = Annotated[float, Field(ge=0, le=1)]
_TYPES_FIRST = (
    "Canny", "Depth", "OpenPose", "Lineart", "SoftEdge", "Scribble", "Tile", "Reference", "IP-Adapter",
)  # fmt: skip


def _poses() -> PoseEditing:
    """A drawn pose is a map already."""
    return PoseEditing(choice="OpenPose", of="module", word="pose", sets={"module": "none"})


def _form_of_unit() -> dict[str, Any]:
    """The control type chooses preprocessor and model; a preprocessor names its own numbers."""
    chooser = Chooser(
        label="Control type", action="control_types", at="control_types", first=len(_TYPES_FIRST), order=_TYPES_FIRST,
        narrows={"module": "module_list", "model": "model_list"},
        sets={"module": "default_option", "model": "default_model"},
    )  # fmt: skip
    numbers = ("processor_res", "threshold_a", "threshold_b")
    sliders = Sliders(action="module_list", at="module_detail", of="module", fields=numbers)
    return form_hint(chooser=chooser, sliders=sliders)


class Unit(BaseModel):
    """One unit. Unknown keys are ignored, as in A1111, whose clients send more than it reads."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=_form_of_unit())

    enabled: bool = Field(
        False,
        description="take part; where it is not said, a unit with a picture, a model or reference does",
        json_schema_extra=hint(control="master"),
    )
    image: ImageField | None = Field(
        None,
        description="what it reads; img2img without one takes the init image",
        json_schema_extra=hint(control="picture", label="Picture", preview="detect", pose=_poses()),
    )
    module: str = Field(
        "none",
        description="makes the map from the picture; none: the picture is a map already",
        max_length=100,
        examples=[*BUILT_IN, *WITH_NETWORK, *OF_PICTURES],
        json_schema_extra=hint(label="Preprocessor", pair="network"),
    )
    model: str = Field(
        NO_MODEL,
        description="file in models/ControlNet",
        max_length=400,
        json_schema_extra=hint(model="controlnet", label="Model", pair="network"),
    )
    weight: float = Field(
        1.0,
        ge=0,
        le=2,
        description="factor on what the network adds; 0 is nothing",
        json_schema_extra=hint(span=(0, 2, 0.05), axis={"values": "0.4-1 [4]"}),
    )
    guidance_start: Share = Field(
        0.0,
        description="share of the steps after which it begins",
        json_schema_extra=hint(range="guidance", label="Acts from, to", unit="%"),
    )
    guidance_end: Share = Field(
        1.0, description="share of the steps after which it ends", json_schema_extra=hint(range="guidance", unit="%")
    )
    control_mode: Mode = Field(
        "Balanced",
        description="whether the prompt or the control wins",
        json_schema_extra=hint(
            control="segments",
            label="Which wins",
            labels={"My prompt is more important": "Prompt", "ControlNet is more important": "Control"},
        ),
    )
    resize_mode: Fit = Field(
        "Crop and Resize",
        description="how the map is brought to the size of the picture",
        json_schema_extra=hint(
            level="more",
            control="segments",
            label="Map to picture size",
            labels={"Just Resize": "Stretch", "Crop and Resize": "Crop", "Resize and Fill": "Fill"},
        ),
    )
    pixel_perfect: bool = Field(
        False,
        description="choose the resolution so that map and picture have equal pixels",
        json_schema_extra=hint(level="more"),
    )
    processor_res: float = Field(
        -1,
        description="short side in pixels at which the preprocessor works; -1: 512",
        json_schema_extra=hint(level="more", label="Resolution", when={"pixel_perfect": [False]}),
    )
    threshold_a: float = Field(
        -1, description="first number of the preprocessor; -1: its default", json_schema_extra=hint(level="more")
    )
    threshold_b: float = Field(
        -1, description="second number of the preprocessor; -1: its default", json_schema_extra=hint(level="more")
    )
    union_control_type: UnionType = Field(
        "Unknown",
        description="kind of map that a ControlNet Union is handed; Unknown: as the preprocessor says",
        json_schema_extra=hint(level="more", label="Kind of map (union)"),
    )
    hr_option: HiresUse = Field(
        "Both",
        description="passes of hires fix in which it acts",
        json_schema_extra=hint(
            level="more",
            control="segments",
            label="Acts in passes",
            labels={"Low res only": "First", "High res only": "Second"},
        ),
    )
    inpaint_crop_input_image: bool = Field(
        True,
        description="crop as the masked area of inpainting is cropped",
        json_schema_extra=hint(level="more", label="Crop as the inpaint area"),
    )
    save_detected_map: bool = Field(
        True,
        description="show the preprocessor's map after the pictures",
        json_schema_extra=hint(level="more", label="Show the map"),
    )
    low_vram: bool = Field(
        False,
        description="keep the network in main memory between calls; slower",
        json_schema_extra=hint(level="more", label="Low VRAM"),
    )
    more_images: tuple[ImageField, ...] = Field(
        (), max_length=16, description="further pictures of IP-Adapter", json_schema_extra=hint(control="hidden")
    )
    mask: ImageField | None = Field(
        None,
        description="white: repaint (inpaint modules); what is not looked at (IP-Adapter)",
        json_schema_extra=hint(level="more", label="Mask of inpainting", pair="masks"),
    )
    effective_region_mask: ImageField | None = Field(
        None,
        description="white: where it acts",
        json_schema_extra=hint(level="more", label="Where it acts", pair="masks"),
    )
    advanced_weighting: tuple[float, ...] | None = Field(
        None,
        max_length=32,
        description="one weight a layer",
        json_schema_extra=hint(level="more", label="Weights by layer"),
    )

    @model_validator(mode="before")
    @classmethod
    def _as_a1111(cls, values: Any) -> Any:
        """Old names, old spellings, numbers instead of labels, and pictures with their masks."""
        if not isinstance(values, Mapping):
            return values
        given = dict(values)
        for old, new in _ALIASES.items():
            if given.get(old) is not None:
                if given.get(new) is not None and new == "mask":
                    raise ValueError("mask and mask_image are the same field; send one of them")
                given.setdefault(new, given[old])
        for name, labels in (("resize_mode", _FITS), ("control_mode", _MODES), ("hr_option", _HIRES)):
            value = given.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(labels):
                given[name] = labels[value]
        if isinstance(given.get("resize_mode"), str):
            given["resize_mode"] = _OLD_FITS.get(given["resize_mode"], given["resize_mode"])
        if given.get("model") in (None, ""):
            given.pop("model", None)
        if given.get("union_control_type") not in UNION_TYPES:
            given.pop("union_control_type", None)  # clients send null, too
        _take_pictures(given)
        if "enabled" not in given:
            given["enabled"] = _says_what_to_do(given)
        return given

    @field_validator("module", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        if value is None:
            return "none"
        return value  # one that is not known here may be another extension's; `usable_module` finds that out

    @model_validator(mode="after")
    def _in_order(self) -> "Unit":
        if self.guidance_start > self.guidance_end:
            raise ValueError(f"guidance_start {self.guidance_start} comes after guidance_end {self.guidance_end}")
        module = find_module(self.module)
        if self.more_images and not (module and module.handed_to):
            raise ValueError("image: one picture a unit, but for IP-Adapter; send a unit for each")
        return self


class ControlOptions(Options):
    """Options of a request: several controls, whose effects are added."""

    model_config = ConfigDict(json_schema_extra=form_hint(group="composition", summary="{units}", check="lacking"))

    units: tuple[Unit, ...] = Field(
        (), max_length=MAX_UNITS, description="controls, in order", json_schema_extra=hint(chip="{choice} {weight}")
    )

    @property
    def enabled(self) -> tuple[Unit, ...]:
        return tuple(unit for unit in self.units if unit.enabled)


def _says_what_to_do(given: Mapping[str, Any]) -> bool:
    """Whether a unit without `enabled` takes part. Clients from before May 2024 left the key out, because it was true
    by default.
    """
    module = find_module(str(given.get("module")))
    return bool(given["image"] or given.get("model", NO_MODEL) != NO_MODEL or (module and module.model_free))


def _take_pictures(given: dict[str, Any]) -> None:
    """`image` may be a picture, `{"image", "mask"}`, `[image, mask]` or a list of one such dict."""
    image = given.get("image")
    if isinstance(image, list | tuple) and image and isinstance(image[0], Mapping):
        given["more_images"] = [one.get("image") for one in image[1:] if isinstance(one, Mapping) and one.get("image")]
        image = image[0]
    if isinstance(image, list | tuple):
        image = {"image": image[0] if image else None, "mask": image[1] if len(image) > 1 else None}
    if isinstance(image, Mapping):
        if given.get("mask") is None:
            given["mask"] = image.get("mask")
        image = image.get("image")
    given["image"] = image or None
    for name in ("mask", "effective_region_mask"):
        given[name] = given.get(name) or None
