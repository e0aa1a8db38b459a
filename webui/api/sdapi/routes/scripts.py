"""`/sdapi/v1/scripts`, `script-info` and `extensions`: the extensions as A1111's API lists them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter

from webui.api.parts import Parts
from webui.domain.extensions import ExtensionInfo


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
