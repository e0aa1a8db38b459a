"""Extensions as A1111's API knows them: `alwayson_scripts`, and the lists of scripts and extensions."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter

from webui.api.body import InvalidBodyError
from webui.api.parts import Parts
from webui.domain.extensions import ExtensionInfo

OWN_SCRIPTS = ("sampler", "seed", "refiner")  # A1111's core scripts, which its API skips too
UNITS = "units"  # the field that takes a list of dicts


def routes(parts: Parts) -> APIRouter:
    """Lists, read anew on each request: a worker may have found more failures."""
    router = APIRouter(prefix="/sdapi/v1")
    catalog = parts.engine.extensions

    @router.get("/scripts")
    def scripts() -> dict[str, list[str]]:
        names = [info.name for info in _taking(catalog.infos)]
        return {"txt2img": names, "img2img": names}

    @router.get("/script-info")
    def script_info() -> list[dict[str, Any]]:
        return [_script(info, img2img=img2img) for img2img in (False, True) for info in _taking(catalog.infos)]

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


def options_of(scripts: Mapping[str, Any], extensions: Sequence[ExtensionInfo]) -> dict[str, dict[str, Any]]:
    """What `alwayson_scripts` says, as options by extension.

    `args` may be one dict (the options), several dicts (units), or values in the order in which the options are
    declared; fewer are fine, further ones are ignored, null leaves the default.

    Raises:
        InvalidBodyError: there is no such extension, or `args` has another form.
    """
    options: dict[str, dict[str, Any]] = {}
    for title, script in scripts.items():
        if title.lower() in OWN_SCRIPTS:
            continue
        wanted = title.lower().replace(" ", "_").replace("-", "_")
        info = next((info for info in extensions if info.name == wanted), None)
        if info is None:
            raise InvalidBodyError.at(("alwayson_scripts", title), f"Script '{title[:100]}' not found", "not_found")
        if not isinstance(script, dict):
            raise InvalidBodyError.at(("alwayson_scripts", title), 'must be an object: {"args": [...]}')
        options[info.name] = _read(script.get("args", []), info, title)
    return options


def _read(args: Any, info: ExtensionInfo, title: str) -> dict[str, Any]:
    fields: Mapping[str, Any] = (info.options or {}).get("properties", {})
    if isinstance(args, dict):
        return args
    if not isinstance(args, list):
        raise InvalidBodyError.at(("alwayson_scripts", title, "args"), "must be a list")
    if args and UNITS in fields and all(isinstance(unit, dict) for unit in args):
        whole = len(args) == 1 and UNITS in args[0]
        return args[0] if whole else {UNITS: args}
    if len(args) == 1 and isinstance(args[0], dict):
        return args[0]
    return {name: value for name, value in zip(fields, args, strict=False) if value is not None}


def _taking(infos: Sequence[ExtensionInfo]) -> list[ExtensionInfo]:
    return [info for info in infos if info.state == "ok" and info.options is not None]


def _script(info: ExtensionInfo, *, img2img: bool) -> dict[str, Any]:
    fields: Mapping[str, Any] = (info.options or {}).get("properties", {})
    return {
        "name": info.name,
        "is_alwayson": True,
        "is_img2img": img2img,
        "args": [
            {
                "label": schema.get("title", name),
                "value": schema.get("default"),
                "minimum": schema.get("minimum"),
                "maximum": schema.get("maximum"),
                "step": schema.get("multipleOf"),
                "choices": schema.get("enum"),
            }
            for name, schema in fields.items()
        ],
    }
