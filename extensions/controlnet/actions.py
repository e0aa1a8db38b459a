"""Actions of the extension: drawing the map of a preprocessor, and the lists of A1111's `/controlnet` routes.

This module needs no torch. OpenCV is imported only when a map is drawn.
"""

import base64
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import ConfigDict, Field, JsonValue, model_validator

from webui.extension_api import Action, ActionContext, ActionResult, BadRequestError, ImageField, Models, Options

from .annotator_files import PLACE, told_files
from .lacking import LackingOptions, fits, lacking
from .modules import (
    BUILT_IN,
    CONTROL_TYPES,
    MODULES,
    WITH_NETWORK,
    Module,
    brought,
    is_named_for,
    is_named_for_any,
    modules_of,
)
from .options import NO_MODEL
from .replacements import DRAWN_OTHERWISE, REPLACEMENTS
from .weights import CONFIG, WEIGHTS, is_there

API_VERSION = 3
UNITS = 3
_HASH_FROM, _HASH_BYTES, _HASH_DIGITS = 1 << 20, 1 << 16, 8
_PREFIX = "controlnet_"


class NoOptions(Options):
    """No options. What A1111's clients may send is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ModelListOptions(NoOptions):
    update: bool = Field(True, description="look at the folder again")


class ModuleListOptions(NoOptions):
    alias_names: bool = Field(False, description="names as A1111's page shows them")


class ControlTypesOptions(NoOptions):
    checkpoint: str = Field(
        "", description="that pictures are made with: models that do not fit it come last", max_length=400
    )


class DetectOptions(Options):
    """The pictures whose maps are drawn, and the preprocessor. A1111's names (`controlnet_module`,
    `controlnet_input_images`) are accepted too."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    image: ImageField | None = Field(None, description="picture to draw the map of")
    module: str = Field("canny", description="preprocessor", max_length=100, examples=[*BUILT_IN, *WITH_NETWORK])
    processor_res: float = Field(-1, description="short side in pixels at which it works; -1: 512")
    threshold_a: float = Field(-1, description="its first number; -1: its default")
    threshold_b: float = Field(-1, description="its second number; -1: its default")
    mask: ImageField | None = Field(None, description="white: repaint (inpaint modules)")
    images: tuple[ImageField, ...] = Field((), max_length=64, description="further pictures")
    masks: tuple[ImageField, ...] = Field((), max_length=64, description="one for each picture, or none")
    low_vram: bool = Field(False, description="of A1111; changes nothing here")

    @model_validator(mode="before")
    @classmethod
    def _as_a1111(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        given = {key.removeprefix(_PREFIX): value for key, value in values.items() if value is not None}
        if "input_images" in given:
            given["images"] = given.pop("input_images")
        if any(key.startswith(_PREFIX) for key in values):
            given.setdefault("module", "none")  # A1111's default
        return given


def version(options: NoOptions, context: ActionContext) -> ActionResult:
    return ActionResult(f"version {API_VERSION} of A1111's ControlNet routes", data={"version": API_VERSION})


def settings(options: NoOptions, context: ActionContext) -> ActionResult:
    return ActionResult(f"{UNITS} units", data={"control_net_unit_count": UNITS})


def model_list(options: ModelListOptions, context: ActionContext) -> ActionResult:
    if options.update:
        context.models.refresh()
    names = titles(context.models)
    return ActionResult(", ".join(names) or "there is no file in models/ControlNet", data={"model_list": list(names)})


def module_list(options: ModuleListOptions, context: ActionContext) -> ActionResult:
    context.models.refresh()
    shown = {
        (one.labels[-1] if options.alias_names and one.labels else one.name): one
        for one in (*MODULES.values(), *brought(context.tools))
    }
    details: dict[str, Any] = {name: _described(one, context.models) for name, one in shown.items()}
    return ActionResult(", ".join(shown), data={"module_list": list(shown), "module_detail": details})


def control_types(options: ControlTypesOptions, context: ActionContext) -> ActionResult:
    if options.checkpoint:
        context.models.refresh()
    made_for = {title: fits(title, options.checkpoint, context.models) for title in titles(context.models)}
    names = sorted(made_for, key=lambda title: not made_for[title])
    # the page also offers what bears no name by which it could be told apart
    unnamed = [name for name in names if options.checkpoint and made_for[name] and not is_named_for_any(name)]
    types: dict[str, Any] = {}
    for kind, (preferred, words) in CONTROL_TYPES.items():
        fitting = [name for name in names if not words or is_named_for(kind, name)]
        modules = [one.name for one in (*modules_of(kind), *(brought(context.tools) if kind == "All" else ()))]
        types[kind] = {
            "module_list": modules,
            "model_list": [NO_MODEL, *fitting, *(name for name in unnamed if words)],
            "default_option": preferred if preferred in modules else modules[0],
            "default_model": fitting[0] if fitting and kind != "All" and made_for[fitting[0]] else NO_MODEL,
        }
    return ActionResult(", ".join(types), data={"control_types": types})


def detect(options: DetectOptions, context: ActionContext) -> ActionResult:
    """The maps of the given pictures.

    Raises:
        BadRequestError: no picture, or a preprocessor that is not built in and whose network is not there.
        UnusableFileError, NotFiniteError: its network cannot be used.
    """
    from .pose_maps import PoseMap, drawn_pose
    from .unit_pictures import pixels_of
    from .units import drawn_map, preprocessor_of, settings_of, usable_module

    module = usable_module(options.module, "module", context.tools)
    if module.needs:
        context.models.refresh()  # the user may just have copied its network there
    draw = preprocessor_of(module, "module", context.models, context.device, context.tools)
    pictures = [*([options.image] if options.image else []), *options.images]
    masks = [*([options.mask] if options.mask else []), *options.masks]
    if not pictures:
        raise BadRequestError("images", "No image selected")
    if masks and len(masks) != len(pictures):
        raise BadRequestError("masks", f"there are {len(masks)} masks for {len(pictures)} pictures; send one for each")
    made: list[Image.Image] = []
    poses: list[JsonValue] = []
    for number, picture in enumerate(pictures):
        context.progress(number, len(pictures), module.name)
        thresholds = (options.threshold_a, options.threshold_b)
        if isinstance(draw, PoseMap):
            pose = draw.pose(pixels_of(picture), settings_of(module, options.processor_res, thresholds))
            poses.append(pose)
            made.append(Image.fromarray(drawn_pose(pose)))
            continue
        mask = masks[number] if masks else None
        made.append(drawn_map(module, draw, picture, mask, options.processor_res, thresholds))
    data: dict[str, Any] = {"info": "Success", "images": [_as_base64(image) for image in made]}
    if poses:
        data["poses"] = poses
    return ActionResult(f"{module.name}: {len(made)} maps", images=tuple(made), data=data)


def titles(models: Models) -> tuple[str, ...]:
    """Names of control networks as A1111 writes them: the file's stem and the hash of its AutoV1."""
    paths = [models.find("controlnet", name) for name in models.names("controlnet")]
    return tuple(f"{path.stem} [{_auto_v1(path)}]" for path in paths)


def _auto_v1(path: Path) -> str:
    """The first 8 hex digits of SHA-256 over 64 KiB at offset 1 MiB."""
    with path.open("rb") as file:
        file.seek(_HASH_FROM)
        return hashlib.sha256(file.read(_HASH_BYTES)).hexdigest()[:_HASH_DIGITS]


def _described(module: Module, models: Models) -> dict[str, Any]:
    """The sliders of a module as A1111 describes them. `available`, `needs`, `instead`, `note` and `slider_fields`
    (the options that the sliders are) are additions of this program.
    """
    sliders: list[dict[str, Any]] = []
    if module.resolution:
        sliders.append({"name": "Resolution", "value": module.usual_resolution, "min": 64, "max": 2048, "step": 8})
    sliders += [
        {"name": one.name, "value": one.default, "min": one.low, "max": one.high, "step": one.step}
        for one in module.sliders
    ]
    available = not module.needs or (module.can_be_drawn and is_there(module.name, models))
    fields = [*(["processor_res"] if module.resolution else []), *("threshold_a", "threshold_b")[: len(module.sliders)]]
    told: dict[str, Any] = {
        "model_free": module.model_free, "sliders": sliders, "slider_fields": fields, "available": available
    }  # fmt: skip
    if module.reads_files:
        told["needs"] = told_files(module.name)
    elif module.example:
        told["needs"] = f"{WEIGHTS} and {CONFIG} of a model such as {module.example} in {PLACE}/{module.folder}"
    elif module.needs:
        instead = REPLACEMENTS[module.name]
        told |= {"needs": f"code that is not built in. {instead.why}", "instead": [*instead.names]}
    if module.name in DRAWN_OTHERWISE:
        told["note"] = DRAWN_OTHERWISE[module.name]
    return told


def _as_base64(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode("ascii")


ACTIONS = (
    Action("detect", "Preprocessor preview", DetectOptions, detect, ("POST /controlnet/detect",), light=True),
    Action("model_list", "Control networks", ModelListOptions, model_list, ("GET /controlnet/model_list",), light=True),
    Action(
        "module_list", "Preprocessors", ModuleListOptions, module_list, ("GET /controlnet/module_list",), light=True
    ),
    Action(
        "control_types",
        "Control types",
        ControlTypesOptions,
        control_types,
        ("GET /controlnet/control_types",),
        light=True,
    ),
    Action("lacking", "What is missing", LackingOptions, lacking, light=True),
    Action("version", "Version of the routes", NoOptions, version, ("GET /controlnet/version",), light=True),
    Action("settings", "Settings of the routes", NoOptions, settings, ("GET /controlnet/settings",), light=True),
)
