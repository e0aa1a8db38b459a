"""The native API's list of extensions, and switching one on or off. Installing and actions are elsewhere."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from webui.api.body import InvalidBodyError, read_json
from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.domain.extensions import ExtensionInfo


def routes(parts: Parts, prefix: str = "/api/extensions") -> Router:
    """Look and switch; `prefix` is where they hang."""
    router = Router(prefix=prefix)
    catalog = parts.engine.extensions

    @router.get("")
    def every() -> list[dict[str, Any]]:
        return [described(info, catalog.cost_of(info.name)) for info in catalog.infos]

    @router.post("/{name}/enabled")
    async def switch(request: Request, name: str) -> JSONResponse:
        """Body `{"enabled": true}`; written to the settings. Counts for the jobs after the one in work, where the
        answer does not say that a restart is needed.
        """
        enabled = (await read_json(request)).get("enabled")
        if not isinstance(enabled, bool):
            raise InvalidBodyError.at(("enabled",), "must be true or false")
        live = parts.installing.live if parts.installing is not None else None
        await run_in_threadpool(catalog.switch if live is None else live.switch, name, on=enabled)
        return JSONResponse({"name": name, "enabled": enabled, "restart_needed": live is None})

    @router.get("/{name}/settings")
    def settings_of(name: str) -> dict[str, Any]:
        """The settings of an extension that last, with the schema of what may be set."""
        values = catalog.settings_of(name)
        info = catalog.get(name)
        return {"name": name, "values": values, "schema": info.settings if info else None}

    @router.post("/{name}/settings")
    async def keep(request: Request, name: str) -> JSONResponse:
        """Body `{"values": {...}}`: all that shall differ from the usual. Counts from the next job on."""
        values = (await read_json(request)).get("values")
        if not isinstance(values, dict):
            raise InvalidBodyError.at(("values",), "must be an object")
        await run_in_threadpool(catalog.keep_settings, name, values)
        return JSONResponse({"name": name, "values": values})

    return router


def described(info: ExtensionInfo, seconds: float | None = None) -> dict[str, Any]:
    """An extension as JSON; `seconds` is what its hooks took in the latest job that called them."""
    return {
        "name": info.name,
        "title": info.title,
        "folder": info.folder,
        "version": info.version,
        "description": info.description,
        "needs": list(info.needs),
        "permissions": list(info.permissions),
        "state": info.state,
        "error": info.error,
        "traceback": info.traceback,
        "notice": info.notice,
        "options": info.options,
        "seconds": seconds,
        "settings": info.settings,
        "frames": [{"name": frame.name, "title": frame.title} for frame in info.frames],
        "tools": [{"kind": kind, "name": name} for kind, name in info.tools],
        "actions": [
            {
                "name": action.name,
                "title": action.title,
                "options": action.schema,
                "route": f"POST /api/extensions/{info.name}/actions/{action.name}",
                "routes": list(action.routes),
                "light": action.light,
            }
            for action in info.actions
        ],
    }
