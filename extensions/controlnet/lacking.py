"""Looks what the units of a form lack before a picture is made: a model, one for this family, a preprocessor's network.

It reads names and headers only, and needs neither torch nor numpy.
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, JsonValue

from webui.extension_api import ActionContext, ActionResult, Models, Options, WebuiError, json_object, listed

from .annotator_files import PLACE, missing_files
from .modules import CONTROL_TYPES, NO_MODULE, Module, find_module, is_named_for, is_named_for_any
from .options import NO_MODEL
from .replacements import REPLACEMENTS
from .weights import CONFIG, WEIGHTS, is_there

FOLDER = "models/ControlNet"
MAX_HEADER = 64 << 20  # bytes
_READS_TEXT = ("attn2.to_k.weight", ".1.to_k_ip.weight")  # whose inputs are the channels of the text conditioning

_FACES_ALONE = ("ip-adapter_face_id", "instant_id_face_embedding")  # see nothing but faces


class LackingOptions(Options):
    """A form as it stands, without its pictures. What is odd in it is no fault here: the form is half filled."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    options: dict[str, Any] = Field({}, description="of the form, without pictures")
    checkpoint: str = Field("", max_length=400, description="that pictures are made with")


def lacking(options: LackingOptions, context: ActionContext) -> ActionResult:
    """What is missing, unit by unit, as sentences for the fields at which they are shown."""
    context.models.refresh()
    units = options.options.get("units")
    told: list[JsonValue] = []
    for number, unit in enumerate(units if isinstance(units, list) else ()):
        if isinstance(unit, Mapping) and unit.get("enabled", True):
            found = _lacks(unit, options.checkpoint, context.models)
            told += [{**one, "field": f"units.{number}.{one['field']}"} for one in found]
    return ActionResult(f"{len(told)} things are missing", data=told)


def _lacks(unit: Mapping[str, Any], checkpoint: str, models: Models) -> list[dict[str, JsonValue]]:
    module = find_module(str(unit.get("module") or NO_MODULE))
    name = str(unit.get("model") or NO_MODEL)
    if module is not None and module.name == NO_MODULE and name == NO_MODEL and not unit.get("~choice"):
        return []  # nothing was chosen yet
    kind = str(unit.get("~choice") or (module.types[0] if module and module.types else ""))
    told = [_network(module, models), _encoder(module, models)] if module is not None else []
    if name != NO_MODEL:
        told.append(_other_family(name, checkpoint, models))
    elif module is None or not module.acts_alone:
        told.append(_no_model(kind if kind in CONTROL_TYPES else "", checkpoint, models))
    return [one for one in told if one is not None]


def _network(module: Module, models: Models) -> dict[str, JsonValue] | None:
    if not module.needs or (module.can_be_drawn and is_there(module.name, models)):
        return None
    if module.reads_files:
        first, *more = missing_files(module.name, models)
        names = " and ".join(one.name for one in (first, *more))
        return {
            "field": "module", "title": f"{module.name} lacks its network.",
            "say": f"Put {names} in", "folder": f"{PLACE}/{first.folder}",
            "instead": "Or use a finished map: preprocessor none.",
        }  # fmt: skip
    if not module.example:
        return {
            "field": "module", "title": f"{module.name} is not built in.",
            "say": REPLACEMENTS[module.name].why, "instead": REPLACEMENTS[module.name].advice,
        }  # fmt: skip
    return {
        "field": "module", "title": f"{module.name} lacks its network.",
        "say": f"Put {CONFIG} and {WEIGHTS} of {module.example} in", "folder": f"{PLACE}/{module.folder}",
        "instead": "Or use a finished map: preprocessor none.",
    }  # fmt: skip


def _encoder(module: Module, models: Models) -> dict[str, JsonValue] | None:
    """What the pictures of a unit are seen by, where none of it is here."""
    if not module.handed_to:
        return None
    if "face" in module.name and not models.names("insightface"):
        return {
            "field": "module", "title": "No face recogniser is here.",
            "say": "Put w600k_r50.onnx or glintr100.onnx in", "folder": "models/insightface",
        }  # fmt: skip
    if module.name in _FACES_ALONE or models.names("clip_vision"):
        return None
    return {
        "field": "module", "title": "No image encoder is here.",
        "say": "Put CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors, or clip_h.pth, in", "folder": "models/clip_vision",
    }  # fmt: skip


def _no_model(kind: str, checkpoint: str, models: Models) -> dict[str, JsonValue]:
    words = CONTROL_TYPES[kind][1] if kind else ()
    label = _label(checkpoint, models)
    names = models.names("controlnet")
    there = [name for name in names if kind and is_named_for(kind, name)]
    fitting = [name for name in there if fits(name, checkpoint, models)]
    unnamed = [name for name in names if not is_named_for_any(name) and fits(name, checkpoint, models)]
    what = f"{kind} control" if words else "control network"
    holds = f" whose name holds “{words[0]}”" if words else ""
    made_for = f", made for {label}," if label else ""
    if fitting or unnamed:
        say = f"{listed(fitting)} would fit." if fitting else f"{listed(unnamed)} may be one."
        return {"field": "model", "title": "No model is chosen.", "say": say}
    others = f"There is for other checkpoints: {listed(there)}." if there else ""
    return {
        "field": "model", "title": f"No {what} for {label or 'this checkpoint'} here.",
        "say": f"Put a file{holds}{made_for} in", "folder": FOLDER, "instead": others,
    }  # fmt: skip


def _other_family(name: str, checkpoint: str, models: Models) -> dict[str, JsonValue] | None:
    try:
        models.find("controlnet", name)
    except WebuiError as error:
        return {"field": "model", "title": "This model is not here.", "say": str(error), "folder": FOLDER}
    if fits(name, checkpoint, models):
        return None
    return {
        "field": "model", "title": f"{name} is not made for {_label(checkpoint, models)}.",
        "say": "Its layers read a text of another width. Choose a model for this checkpoint, or another checkpoint.",
    }  # fmt: skip


def fits(name: str, checkpoint: str, models: Models) -> bool:
    """Whether a control network reads text as wide as the checkpoint's; True where either cannot be told."""
    try:
        width = text_width(models.find("controlnet", name))
        return width is None or not checkpoint or width == models.spec(checkpoint).unet.context_width
    except WebuiError:
        return True  # the job says it, with all that it knows


def text_width(path: Path) -> int | None:
    """Channels of the text conditioning that a network reads; None where its file does not tell.

    Of a safetensors file only the header is read. Pickles are not opened.
    """
    if path.suffix.lower() != ".safetensors":
        return None
    try:
        with path.open("rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            header = json_object(path.name, file.read(size)) if size <= MAX_HEADER else {}
    except (OSError, struct.error, WebuiError):
        return None
    for key, one in header.items():
        if key.endswith(_READS_TEXT) and isinstance(one, Mapping) and len(one.get("shape", ())) == 2:
            return int(one["shape"][1])
    return None


def _label(checkpoint: str, models: Models) -> str:
    """How the family of a checkpoint is called; "" where it is not known."""
    try:
        return models.spec(checkpoint).family.label if checkpoint else ""
    except WebuiError:
        return ""
