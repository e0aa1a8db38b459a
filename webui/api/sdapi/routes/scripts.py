"""`/sdapi/v1/scripts`, `script-info` and `extensions`: the extensions as A1111's API lists them."""

from collections.abc import Mapping, Sequence
from typing import Any

from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.api.sdapi.dialect.alwayson import listed_names
from webui.api.sdapi.dialect.picture import SOFT_ARGS, SOFT_INPAINTING
from webui.domain.extensions import ExtensionInfo
from webui.domain.inpainting import SoftInpainting
from webui.experiments.script import BOTH, Script

CORE = ("refiner", "sampler", "seed")  # scripts of A1111 whose work the fields of a body do


def routes(parts: Parts) -> Router:
    """Lists, read anew on each request: a worker may have found more failures."""
    router = Router(prefix="/sdapi/v1")
    catalog = parts.engine.extensions

    @router.get("/scripts")
    def scripts() -> dict[str, list[str]]:
        names = [*CORE, *(name for info in _taking(catalog.infos) for name in listed_names(info))]
        chosen = {
            task: [script.name for script in parts.engine.plots.scripts() if task in script.tasks] for task in BOTH
        }
        return {"txt2img": [*names, *chosen["txt2img"]], "img2img": [*names, SOFT_INPAINTING, *chosen["img2img"]]}

    @router.get("/script-info")
    def script_info() -> list[dict[str, Any]]:
        infos = _taking(catalog.infos)
        soft = {"name": SOFT_INPAINTING, "is_alwayson": True, "is_img2img": True, "args": soft_arguments()}
        own = [
            _selectable(script, task)
            for task in BOTH
            for script in parts.engine.plots.scripts()
            if task in script.tasks
        ]
        return [*(_script(info, img2img=img2img) for img2img in (False, True) for info in infos), soft, *own]

    @router.get("/extensions")
    def extensions() -> list[dict[str, Any]]:
        return [
            {
                "name": info.name, "remote": "", "branch": "", "commit_hash": "", "version": info.version,
                "commit_date": "", "enabled": info.state != "disabled",
            }
            for info in catalog.infos
        ]  # fmt: skip

    return router


def _taking(infos: Sequence[ExtensionInfo]) -> list[ExtensionInfo]:
    return [info for info in infos if info.state == "ok" and info.options is not None]


def _script(info: ExtensionInfo, *, img2img: bool) -> dict[str, Any]:
    fields: Mapping[str, Any] = (info.options or {}).get("properties", {})
    return {
        "name": listed_names(info)[0],
        "is_alwayson": True,
        "is_img2img": img2img,
        "args": [_argument(schema.get("title", name), schema) for name, schema in fields.items()],
    }


def _selectable(script: Script, task: str) -> dict[str, Any]:
    arguments = [
        {
            "label": one.label, "value": list(one.value) if isinstance(one.value, tuple) else one.value,
            "minimum": one.low, "maximum": one.high, "step": one.step, "choices": list(one.choices) or None,
        }
        for one in script.arguments_of(task)
    ]  # fmt: skip
    return {"name": script.name, "is_alwayson": False, "is_img2img": task == "img2img", "args": arguments}


def soft_arguments() -> list[dict[str, Any]]:
    """The arguments of A1111's script Soft Inpainting, in its order."""
    switch = _argument("Soft inpainting", {"default": False})
    properties = SoftInpainting.model_json_schema()["properties"]
    return [switch, *(_argument(name.replace("_", " ").capitalize(), properties[name]) for name in SOFT_ARGS)]


def _argument(label: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "label": label,
        "value": schema.get("default"),
        "minimum": schema.get("minimum"),
        "maximum": schema.get("maximum"),
        "step": schema.get("multipleOf"),
        "choices": schema.get("enum"),
    }
