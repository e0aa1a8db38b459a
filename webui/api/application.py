"""The FastAPI application: every route of the API put together. The page is mounted beside them by `app.py`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.responses import JSONResponse

from webui.api import actions, around, errors, extensions, installing, internal, jobs, queue, thumbs
from webui.api.parts import Parts
from webui.api.sdapi.routes import extras, generation, lists, networks, pnginfo, progress, scripts, settings


def create(parts: Parts, *, with_api: bool = True) -> FastAPI:
    """The application.

    Args:
        with_api: False leaves only the few routes that tell whether the server lives.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        parts.closing.set()  # streams end by themselves

    # /docs would load its scripts from another site; the description itself is at /openapi.json
    description = "/openapi.json" if with_api else None
    app = FastAPI(title="webui", docs_url=None, redoc_url=None, openapi_url=description, lifespan=lifespan)
    errors.install(app)
    around.install(app)
    _add_health(app, parts)
    app.include_router(thumbs.routes(parts))
    if with_api:
        if parts.installing is not None:
            app.include_router(installing.routes(parts.engine, parts.installing))
        for router in (
            generation.routes(parts),
            extras.routes(parts),
            progress.routes(parts),
            settings.routes(parts),
            lists.routes(parts),
            networks.routes(parts),
            pnginfo.routes(),
            queue.routes(parts),
            jobs.routes(parts),
            scripts.routes(parts),
            internal.routes(parts),
            extensions.routes(parts),
            actions.routes(parts),  # last: what extensions declare never hides a route of the program
        ):
            app.include_router(router)
    return app


def _add_health(app: FastAPI, parts: Parts) -> None:
    @app.get("/health")
    def health() -> dict[str, str]:
        """Answers as long as the process lives."""
        return {"status": "ok"}

    @app.get("/ready")
    def ready() -> JSONResponse:
        """503 once the server is to stop."""
        closing = parts.closing.is_set()
        return JSONResponse({"status": "stopping" if closing else "ready"}, 503 if closing else 200)

    @app.get("/internal/ping")
    def ping() -> dict[str, str]:
        return {}
