"""`internal/page/experiments` and `internal/page/plots`: which scripts and axes there are, and what they made."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from webui.api.body import InvalidBodyError, drain, read_json
from webui.api.late_routes import Router
from webui.api.page import plot_exports
from webui.api.page.job_rows import kept_cell_urls
from webui.api.page.messages import CellFacts, picture_urls
from webui.api.page.picture_files import BROKEN, small
from webui.api.page.plot_messages import ExtendCommand, PlotAxis, PlotJob, PlotListed, WholePlot
from webui.api.page.viewer import viewer_of
from webui.api.parts import Parts
from webui.domain.images import safe_open
from webui.engine.plots import Plot
from webui.experiments.axis_list import as_json, listed
from webui.experiments.plans import options_of
from webui.experiments.script import BOTH
from webui.jobs.plot_store import StoredCell

NO_PLOT = "there is no plot of that id"
NO_PICTURE = "there is no such picture any more"
KEPT = "private, no-cache"
_UNSAFE = re.compile(r"[^\w .-]+")


def routes(parts: Parts) -> Router:
    """Lists, the plots themselves, orders, and files to take along."""
    router = Router()
    _add_lists(router, parts)
    _add_plots(router, parts)
    _add_pictures(router, parts)
    _add_exports(router, parts)
    return router


def _add_lists(router: Router, parts: Parts) -> None:
    """What an experiment can be built of."""
    engine = parts.engine

    @router.get("/experiments")
    def experiments() -> dict[str, Any]:
        """Every script with its options, and every axis of a plot."""
        around = engine.surroundings(tuple(parts.styles()))
        scripts = [
            {
                "name": script.name, "title": script.title, "kind": script.kind, "modes": list(script.tasks),
                "options": options_of(script, script.tasks[0], around.choices) if script.kind != "xyz" else [],
            }
            for script in engine.plots.scripts()
        ]  # fmt: skip
        return {"scripts": scripts, "axes": [as_json(axis) for axis in listed(around)], "tasks": list(BOTH)}

    @router.get("/experiments/pace")
    def pace() -> dict[str, Any]:
        """Seconds that one step of one megapixel took of late, by checkpoint."""
        return {"seconds_per_step_megapixel": engine.pace()}


def _add_plots(router: Router, parts: Parts) -> None:
    """Opening plots, and having them go on."""
    plots = parts.engine.plots

    @router.get("/plots")
    def every(request: Request) -> list[PlotListed]:
        """The newest first."""
        return [PlotListed(**_listed(plot)) for plot in plots.all(viewer_of(parts, request).only)]

    @router.get("/plots/{plot_id}")
    def one(request: Request, plot_id: str) -> WholePlot:
        plot = _plot(parts, request, plot_id)
        scales = plot.layout.scales
        used = max((index for index, scale in enumerate(scales) if scale.label), default=0) + 1
        axes = tuple(PlotAxis(label=scale.label, values=scale.values) for scale in scales[:used])
        return WholePlot(
            **_listed(plot), plan=plots.plan(plot), axes=axes,
            cells=tuple(_cell(plot, cell) for cell in plots.cells(plot)),
            sheets=tuple(f"internal/page/plots/{plot.id}/sheets/{sheet.number}" for sheet in plots.sheets(plot)),
            job=plot.job.id if plot.job is not None else None, error=plot.row.error,
        )  # fmt: skip

    @router.post("/plots/{plot_id}/go_on")
    async def go_on(request: Request, plot_id: str) -> PlotJob:
        """Make the cells that are not there."""
        await drain(request)
        parts.refuse_when_closing()
        plot = await run_in_threadpool(_plot, parts, request, plot_id)
        return PlotJob(job=(await run_in_threadpool(plots.go_on, plot)).id)

    @router.post("/plots/{plot_id}/delete")
    async def delete(request: Request, plot_id: str) -> dict[str, Any]:
        """Forget it; its pictures stay in their files."""
        await drain(request)
        plot = await run_in_threadpool(_plot, parts, request, plot_id)
        await run_in_threadpool(plots.delete, plot)
        return {}

    @router.post("/plots/{plot_id}/extend")
    async def extend(request: Request, plot_id: str) -> PlotJob:
        """Put further values at the end of an axis; only the new cells are made."""
        try:
            wanted = ExtendCommand.model_validate(await read_json(request))
        except ValidationError as error:
            raise InvalidBodyError.of(error) from None
        parts.refuse_when_closing()
        plot = await run_in_threadpool(_plot, parts, request, plot_id)
        return PlotJob(job=(await run_in_threadpool(plots.extend, plot, wanted.axis, wanted.values)).id)


def _add_pictures(router: Router, parts: Parts) -> None:
    """Pictures that belong to a plot and to no job that is stored."""
    plots = parts.engine.plots

    @router.get("/plots/{plot_id}/sheets/{number}")
    def sheet(request: Request, plot_id: str, number: int) -> Response:
        plot = _plot(parts, request, plot_id)
        return _file(next((Path(one.path) for one in plots.sheets(plot) if one.number == number), None))

    @router.get("/plots/{plot_id}/cells/{x}/{y}/{z}")
    def cell(request: Request, plot_id: str, x: int, y: int, z: int) -> Response:
        return _file(_cell_file(parts, request, plot_id, (x, y, z)))

    @router.get("/plots/{plot_id}/cells/{x}/{y}/{z}/thumb")
    def thumb(request: Request, plot_id: str, x: int, y: int, z: int) -> Response:
        path = _cell_file(parts, request, plot_id, (x, y, z))
        if path is None:
            raise HTTPException(404, NO_PICTURE)
        try:
            data = small(safe_open(path))
        except BROKEN:
            raise HTTPException(404, NO_PICTURE) from None
        return Response(data, 200, {"Cache-Control": KEPT}, "image/jpeg")


def _add_exports(router: Router, parts: Parts) -> None:
    """Files to take along."""
    plots = parts.engine.plots

    @router.get("/plots/{plot_id}/export.png")
    def png(request: Request, plot_id: str) -> Response:
        """All cells in one picture, however large."""
        return _taken(parts, request, plot_id, "png", "image/png", lambda plot: plot_exports.sheet_file(plots, plot))

    @router.get("/plots/{plot_id}/export.html")
    def page(request: Request, plot_id: str) -> Response:
        """A zip of a page and its pictures, which works from a folder."""
        make: Callable[[Plot], Path] = lambda plot: plot_exports.page_file(plots, plot)  # noqa: E731
        return _taken(parts, request, plot_id, "zip", "application/zip", make)

    @router.get("/plots/{plot_id}/export.csv")
    def csv(request: Request, plot_id: str) -> Response:
        plot = _plot(parts, request, plot_id)
        headers = {"Content-Disposition": f'attachment; filename="{_name(plot)}.csv"'}
        return Response(plot_exports.table(plots, plot), 200, headers, "text/csv; charset=utf-8")


def _taken(
    parts: Parts, request: Request, plot_id: str, ending: str, media_type: str, make: Callable[[Plot], Path]
) -> Response:
    """A file that was made for this answer alone."""
    plot = _plot(parts, request, plot_id)
    path = make(plot)
    name = f"{_name(plot)}.{ending}"
    return FileResponse(path, 200, None, media_type, BackgroundTask(path.unlink, missing_ok=True), filename=name)


def _plot(parts: Parts, request: Request, plot_id: str) -> Plot:
    """A plot that the viewer sees. Raises HTTPException (404)."""
    plot = parts.engine.plots.find(plot_id)
    if plot is None or not viewer_of(parts, request).sees(plot.owner):
        raise HTTPException(404, NO_PLOT)
    return plot


def _cell_file(parts: Parts, request: Request, plot_id: str, at: tuple[int, int, int]) -> Path | None:
    plots = parts.engine.plots
    plot = _plot(parts, request, plot_id)
    found = next((one for one in plots.cells(plot) if one.at == at), None)
    return plots.file(found) if found is not None else None


def _file(path: Path | None) -> Response:
    if path is None or not path.is_file():
        raise HTTPException(404, NO_PICTURE)
    return FileResponse(path, 200, {"Cache-Control": KEPT}, filename=path.name, content_disposition_type="inline")


def _listed(plot: Plot) -> dict[str, Any]:
    made = datetime.fromtimestamp(plot.row.created, UTC).isoformat(timespec="seconds")
    return {
        "id": plot.id, "title": plot.row.title, "kind": plot.row.kind, "made": made, "sizes": plot.layout.sizes,
        "done": plot.row.done, "count": plot.row.count, "state": plot.state,
    }  # fmt: skip


def _cell(plot: Plot, cell: StoredCell) -> CellFacts:
    urls: dict[str, str | None] = {"picture": None, "thumb": None}
    if cell.state == "there" and plot.keeps(cell):
        urls = kept_cell_urls(plot.id, cell.at)
    elif cell.state == "there":
        own = picture_urls(cell.job, cell.position)
        urls = {"picture": own["url"], "thumb": own["thumb"]}
    return CellFacts(at=cell.at, state=cell.state, infotext=cell.infotext, error=cell.error, **urls)


def _name(plot: Plot) -> str:
    """A name for a file."""
    return _UNSAFE.sub("_", plot.row.title).strip(" .")[:60].encode("ascii", "replace").decode().replace("?", "_")
