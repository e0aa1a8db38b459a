"""Light actions: the routes of ADetailer's API, the lists of the form, and what a form lacks. They need no torch."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, JsonValue

from webui.extension_api import Action, ActionContext, ActionResult, Models, Options

from .detail_fields import VERSION
from .options import NONE, DetailPass
from .region_names import (
    BUILT_IN,
    FACES,
    FOLDER,
    KIND,
    KINDS,
    SHAPES,
    YUNET,
    YUNET_FILE,
    YUNET_FOLDER,
    names,
    of_kind,
    usual_file,
)


class NoOptions(Options):
    """No options. What clients may send is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FormOptions(Options):
    """A form as it stands. What is odd in it is no fault here: it is half filled."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    options: dict[str, Any] = Field({}, description="of the form")
    checkpoint: str = Field("", max_length=400, description="that pictures are made with")


def version(options: NoOptions, context: ActionContext) -> ActionResult:
    return ActionResult(VERSION, data={"version": VERSION})


def schema(options: NoOptions, context: ActionContext) -> ActionResult:
    """The keys of a pass, with the prefix that clients write."""
    described = DetailPass.model_json_schema()
    fields = {f"ad_{name}": value for name, value in described.get("properties", {}).items()}
    return ActionResult(", ".join(fields), data={**described, "title": "ADetailerArgs", "properties": fields})


def ad_model(options: NoOptions, context: ActionContext) -> ActionResult:
    """The detectors; `kinds`, an addition of this program, has those of each kind, for the form."""
    context.models.refresh()
    kinds: dict[str, Any] = {}
    for kind in KINDS:
        found = of_kind(kind, context.models)
        chosen = _first(kind, found, context.models)
        brought = context.tools.names("detector")
        found += [name for name in brought if any(word in name.lower() for word in KINDS[kind])]
        kinds[kind] = {"model_list": [NONE, *dict.fromkeys([*found, *([chosen] if chosen != NONE else [])])]}
        kinds[kind]["default_model"] = chosen
    found = [*names(context.models), *context.tools.names("detector")]
    data: dict[str, Any] = {"ad_model": found, "kinds": kinds}
    return ActionResult(", ".join(found), data=data)


def _first(kind: str, found: list[str], models: Models) -> str:
    """The detector that a kind is chosen with: a file, else one that is built in, else the usual file."""
    files = [name for name in found if name not in BUILT_IN]
    built_in = {"Faces": YUNET, "Drawn shapes": SHAPES}
    if kind == "All":
        return NONE
    return files[0] if files else built_in.get(kind, usual_file(kind))


def lacking(options: FormOptions, context: ActionContext) -> ActionResult:
    """What is missing, pass by pass, as sentences for the fields at which they are shown."""
    context.models.refresh()
    units = options.options.get("units")
    told: list[JsonValue] = []
    for number, unit in enumerate(units if isinstance(units, list) else ()):
        name = str(unit.get("model") or NONE) if isinstance(unit, Mapping) else NONE
        found = _lacks(name, context) if name != NONE else None
        if found is not None:
            told.append({"field": f"units.{number}.model", **found})
    return ActionResult(f"{len(told)} things are missing", data=told)


def _lacks(name: str, context: ActionContext) -> dict[str, JsonValue] | None:
    models = context.models
    if name == YUNET or name in FACES:
        if any("yunet" in one.lower() for one in models.names(KIND)):
            return None
        return {"title": "The face detector is not here.", "say": f"Put {YUNET_FILE} into", "folder": YUNET_FOLDER}
    known = (*names(models), *(one.rpartition(".")[0] for one in names(models)))
    if name in (*known, *context.tools.names("detector")):
        return None
    return {
        "title": "This detector is not here.",
        "say": f"Put {usual_file(name)} or another YOLOv8 file into",
        "folder": FOLDER,
    }


ACTIONS = (
    Action("version", "Version of the keys", NoOptions, version, ("GET /adetailer/v1/version",), light=True),
    Action("schema", "Keys of a pass", NoOptions, schema, ("GET /adetailer/v1/schema",), light=True),
    Action("ad_model", "Detectors", NoOptions, ad_model, ("GET /adetailer/v1/ad_model",), light=True),
    Action("lacking", "What is missing", FormOptions, lacking, light=True),
)
