"""`/docs`: every route with its body and its answers, read from `/openapi.json`. Nothing comes from another host."""

from pathlib import Path

from starlette.responses import HTMLResponse

from webui.api.late_routes import Router

PAGE = Path(__file__).with_name("docs.html")


def routes() -> Router:
    """The page, under both names that people try."""
    router = Router(include_in_schema=False)
    page = PAGE.read_text(encoding="utf-8")

    @router.get("/docs")
    @router.get("/redoc")
    def docs() -> HTMLResponse:
        return HTMLResponse(page)

    return router
