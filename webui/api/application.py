"""The FastAPI application: every route of the API put together. The page is mounted beside them by `app.py`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.responses import JSONResponse

from webui import VERSION
from webui.api import (
    actions,
    around,
    batches,
    description,
    docs,
    errors,
    extensions,
    installing,
    internal,
    jobs,
    memory_question,
    openai_images,
    queue,
    thumbs,
)
from webui.api.late_routes import Router
from webui.api.page import (
    browser_cookie,
    extension_routes,
    frame_routes,
    learn,
    library,
    page_routes,
    prompt_routes,
    recordings,
)
from webui.api.page.picture_files import PictureFiles
from webui.api.parts import Parts
from webui.api.sdapi.routes import (
    control,
    extras,
    generation,
    lists,
    networks,
    openpose,
    pnginfo,
    progress,
    scripts,
    settings,
)
from webui.api.wrong_method import WrongMethod


def create(parts: Parts, *, with_api: bool = True, pictures: PictureFiles | None = None) -> FastAPI:
    """The application.

    Args:
        pictures: the files that the page shows; None: nobody else needs them.
        with_api: False leaves only the routes that the page needs, and those that tell whether the server lives.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        parts.closing.set()  # streams end by themselves

    # FastAPI's own /docs would load its scripts from another site; ours is in docs.py
    address = "/openapi.json" if with_api else None
    app = FastAPI(title="webui", version=VERSION, docs_url=None, redoc_url=None, openapi_url=address, lifespan=lifespan)
    errors.install(app)
    around.install(app)
    browser_cookie.install(app)
    routers = [
        _health(parts),
        thumbs.routes(parts),
        page_routes.routes(parts, pictures or page_routes.picture_files(parts)),
        prompt_routes.routes(parts),
        extension_routes.routes(parts),
        frame_routes.routes(parts),
        learn.routes(parts),
        recordings.routes(parts),
    ]
    if parts.library is not None:
        routers.append(library.routes(parts.library))
    if with_api:
        if parts.installing is not None:
            routers.append(installing.routes(parts.engine, parts.installing))
        if parts.batches is not None:
            routers.append(batches.routes(parts, parts.batches))
        routers += [
            generation.routes(parts),
            extras.routes(parts),
            progress.routes(parts),
            settings.routes(parts),
            control.routes(parts),
            lists.routes(parts),
            openpose.routes(),
            networks.routes(parts),
            pnginfo.routes(),
            queue.routes(parts),
            jobs.routes(parts),
            memory_question.routes(parts),
            scripts.routes(parts),
            internal.routes(parts),
            extensions.routes(parts),
            openai_images.routes(parts),
            docs.routes(),
            actions.routes(parts),  # last: what extensions declare never hides a route of the program
        ]
    for router in routers:
        app.router.routes += router.routes
    app.router.routes.append(WrongMethod([route for router in routers for route in router.routes]))
    description.install(app)
    return app


def _health(parts: Parts) -> Router:
    router = Router()

    @router.get("/health")
    def health() -> dict[str, str]:
        """Answers as long as the process lives."""
        return {"status": "ok"}

    @router.get("/ready")
    def ready() -> JSONResponse:
        """503 once the server is to stop."""
        closing = parts.closing.is_set()
        return JSONResponse({"status": "stopping" if closing else "ready"}, 503 if closing else 200)

    @router.get("/internal/ping")
    def ping() -> dict[str, str]:
        return {}

    return router
