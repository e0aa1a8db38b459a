"""Plots: experiments that are stored. They are begun, opened, continued, extended, and taken up after a restart."""

import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from webui.domain.errors import BadRequestError, WebuiError, WrongStateError
from webui.domain.request import GenerationRequest
from webui.engine.cell_ledger import file_of
from webui.engine.experimenting import ExperimentJob, ExperimentWork
from webui.engine.plot_book import StoredPlots
from webui.engine.sheets import WaysOfSaving
from webui.experiments.course import Experiment, Layout, Scale
from webui.experiments.origin import Origin, origin_of
from webui.experiments.plans import extended, plan_of
from webui.experiments.script import Script
from webui.experiments.script_list import script_named
from webui.jobs.plot_store import PlotState, StoredCell, StoredPlot, StoredSheet

MOST_NEW = 1000  # values that an axis is extended by at once
LONGEST_TITLE = 200
KEPT_COPIES = 50  # plots of which pictures are kept that are no results in themselves, such as tiles

log = logging.getLogger(__name__)

Start = Callable[[ExperimentWork], ExperimentJob]


@dataclass(frozen=True, slots=True)
class Plot:
    """A stored plot as it stands.

    Attributes:
        is_laid_out: whether its pictures belong in a layout with labels; else they simply come one after another.
        job: the one that makes cells of it now; None: nobody does.
    """

    row: StoredPlot
    layout: Layout
    is_laid_out: bool
    state: PlotState
    job: ExperimentJob | None = None

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def owner(self) -> str:
        return self.row.owner

    def keeps(self, cell: StoredCell) -> bool:
        """Whether a cell's picture is a file of the plot's own, and not a result that was saved like any other."""
        return bool(cell.path) and self.id in Path(cell.path).parts


class Plots:
    """The door to them. Thread-safe; every method raises WebuiError where the database fails."""

    def __init__(self, book: StoredPlots, scripts: Callable[[], Sequence[Script]], start: Start) -> None:
        """
        Args:
            scripts: those that there are now.
            start: puts an experiment into the queue.
        """
        self._book = book
        self._scripts = scripts
        self._start = start
        self._lock = threading.RLock()
        self._jobs: dict[str, ExperimentJob] = {}  # by plot, of this run of the program

    def scripts(self) -> Sequence[Script]:
        """Those that there are now, in the order in which they are listed."""
        return self._scripts()

    def begin(self, work: ExperimentWork) -> ExperimentJob:
        """Store an experiment and begin it. Raises BusyError."""
        experiment, origin = work.experiment, work.experiment.origin
        if origin is None:
            raise WebuiError(f"{experiment.title} cannot be stored: nothing tells what it is made of")
        plot_id = uuid.uuid4().hex
        row = StoredPlot(
            plot_id, work.owner, work.task, 0.0, _title(experiment.title, origin.request), self._kind(origin),
            origin.text(), _layout_text(experiment), experiment.count, work.ways.model_dump_json(), "running",
        )  # fmt: skip
        with self._lock:
            self._book.plots.add(row)
            try:
                job = self._jobs[plot_id] = self._start(replace(work, plot=plot_id, save=True))
            except WebuiError as error:
                self._book.plots.note_state(plot_id, "failed", str(error))
                raise
            return job

    def all(self, owner: str | None = None) -> tuple[Plot, ...]:
        """The newest first; `owner`: only this one's."""
        return tuple(map(self._plot, self._book.plots.plots(owner=owner)))

    def find(self, plot_id: str) -> Plot | None:
        row = self._book.plots.plot(plot_id)
        return self._plot(row) if row is not None else None

    def cells(self, plot: Plot) -> tuple[StoredCell, ...]:
        """Those that are there, x fastest, then y, then z; one that nobody has begun is empty."""
        known = {cell.at: cell for cell in self._book.plots.cells(plot.id)}
        x, y, z = map(range, plot.layout.sizes)
        places = ((ix, iy, iz) for iz in z for iy in y for ix in x)
        return tuple(self._as_it_is(plot, known.get(at, StoredCell(at, "empty", ""))) for at in places)

    def _as_it_is(self, plot: Plot, cell: StoredCell) -> StoredCell:
        """A cell whose file is gone, or that nobody makes any more, is empty and can be made again."""
        is_left = cell.state == "running" and plot.state != "running"
        if is_left or (cell.state == "there" and self.file(cell) is None):
            return StoredCell(cell.at, "empty", cell.job, cell.attempt)
        return cell

    def file(self, cell: StoredCell) -> Path | None:
        """Where the picture of a cell lies; None where it lies nowhere any more."""
        return file_of(cell, self._book.jobs)

    def sheets(self, plot: Plot) -> tuple[StoredSheet, ...]:
        """The files of what was put together at the end, as far as they are there."""
        return tuple(sheet for sheet in self._book.plots.sheets(plot.id) if Path(sheet.path).is_file())

    def plan(self, plot: Plot) -> dict[str, Any]:
        """What it is made by, in the words of a page."""
        origin = origin_of(plot.row.origin)
        return plan_of(origin, self._scripts()) if origin is not None else {"kind": plot.row.kind}

    def go_on(self, plot: Plot) -> ExperimentJob:
        """Make the cells that are not there.

        Raises:
            WrongStateError: it is going on.
            WebuiError: this version of the program cannot make it any more.
        """
        with self._lock:
            self._refuse_running(plot)
            return self._again(plot.row, self._experiment(plot.row), anew=True)

    def extend(self, plot: Plot, axis: int, values: Sequence[str]) -> ExperimentJob:
        """Put further values at the end of an axis and make the cells that come with them.

        Raises:
            WrongStateError: it is going on.
            BadRequestError: the axis cannot have these values.
        """
        if not 0 < len(values) <= MOST_NEW:
            raise BadRequestError("values", f"should be 1 to {MOST_NEW} values")
        with self._lock:
            self._refuse_running(plot)
            origin = extended(self._origin(plot.row), axis, values, plot.layout.sizes)
            experiment = self._made_of(origin)
            row = replace(plot.row, origin=origin.text(), layout=_layout_text(experiment), count=experiment.count)
            self._book.plots.note_grown(row.id, row.origin, row.layout, row.count)
            return self._again(row, experiment, anew=True)

    def delete(self, plot: Plot) -> None:
        """Forget a plot; its pictures stay in their files. Raises WrongStateError where it is going on."""
        with self._lock:
            self._refuse_running(plot)
            self._book.plots.drop(plot.id)
            self._book.files.forget(plot.id)

    def parts(self) -> Mapping[str, str]:
        """The plots by the jobs of their cells that an earlier run of the program left unfinished."""
        rows = self._book.plots.unfinished()
        return {cell.job: row.id for row in rows for cell in self._book.plots.cells(row.id) if cell.state == "running"}

    def resume(self) -> None:
        """Go on with what an earlier run of the program left, and remove copies of pictures that are old."""
        for row in self._book.plots.plots()[KEPT_COPIES:]:
            if row.state != "running":
                self._book.files.forget(row.id)
        for row in self._book.plots.unfinished():
            with self._lock:
                try:
                    self._again(row, self._experiment(row), anew=False)
                except WebuiError as error:
                    log.warning("plot %s does not go on: %s", row.id, error)
                    self._book.plots.note_state(row.id, "failed", str(error))

    def close(self) -> None:
        """Leave all plots as they are, for the next run of the program."""
        self._book.closing.set()

    def _again(self, row: StoredPlot, experiment: Experiment, *, anew: bool) -> ExperimentJob:
        if anew:
            self._book.plots.drop_sheets(row.id)
        self._book.plots.note_state(row.id, "running")
        work = ExperimentWork(experiment, True, _ways(row), row.owner, row.task, row.id)
        job = self._jobs[row.id] = self._start(work)
        return job

    def _refuse_running(self, plot: Plot) -> None:
        if (job := self._jobs.get(plot.id)) is not None and not job.ended:
            raise WrongStateError("cells of this plot are being made; stop it, or wait for its end")

    def _experiment(self, row: StoredPlot) -> Experiment:
        return self._made_of(self._origin(row))

    def _origin(self, row: StoredPlot) -> Origin:
        if (origin := origin_of(row.origin)) is None:
            raise WebuiError("this version of the program cannot read what the plot is made of")
        return origin

    def _made_of(self, origin: Origin) -> Experiment:
        script = script_named(origin.script, self._scripts())
        if script is None:
            raise WebuiError(f"there is no script {origin.script!r} any more; install its extension again")
        return script.start(origin.request, origin.arguments, origin.around)

    def _kind(self, origin: Origin) -> str:
        script = script_named(origin.script, self._scripts())
        return script.kind if script is not None else "other"

    def _plot(self, row: StoredPlot) -> Plot:
        with self._lock:
            job = self._jobs.get(row.id)
        runs = job is not None and not job.ended
        layout, is_laid_out = _layout_of(row.layout)
        state: PlotState = row.state if row.state != "running" or runs else "stopped"
        return Plot(row, layout, is_laid_out, "running" if runs else state, job if runs else None)


def _title(script: str, request: GenerationRequest) -> str:
    prompt = " ".join(request.prompt.split())
    return f"{script}: {prompt}"[:LONGEST_TITLE] if prompt else script


def _ways(row: StoredPlot) -> WaysOfSaving:
    """How its pictures become files; as is usual where this version of the program cannot read it."""
    try:
        return WaysOfSaving.model_validate_json(row.saving)
    except ValidationError:
        return WaysOfSaving()


def _layout_text(experiment: Experiment) -> str:
    layout = experiment.layout
    told: dict[str, Any] = {
        "scales": [[scale.label, list(scale.values)] for scale in experiment.scales],
        "is_laid_out": layout is not None,
    }
    if layout is not None:
        told |= {
            "headings": [list(labels) for labels in layout.headings], "legend": layout.legend,
            "margin": layout.margin, "background": layout.background,
        }  # fmt: skip
    return json.dumps(told, ensure_ascii=False)


def _layout_of(text: str) -> tuple[Layout, bool]:
    told = json.loads(text)
    x, y, z = (Scale(label, tuple(values)) for label, values in told["scales"])
    own = told.get("headings")
    above, beside, deep = map(tuple, own) if own else (x.values, y.values, z.values)
    layout = Layout(
        (x, y, z), (above, beside, deep), told.get("legend", False), told.get("margin", 0),
        told.get("background", "#ffffff"),
    )  # fmt: skip
    return layout, bool(told["is_laid_out"])
