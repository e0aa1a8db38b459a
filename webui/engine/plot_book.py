"""The stored plots as those see them who do the experiments: the cells of each, and how it ends."""

import logging
from dataclasses import dataclass, field

from webui.domain.errors import Cancelled, WebuiError
from webui.engine.cell_files import CellFiles
from webui.engine.cell_ledger import CellLedger
from webui.engine.experimenting import ExperimentWork
from webui.engine.sheets import SheetKeeper
from webui.experiments.course import Shown
from webui.jobs.plot_store import PlotState, PlotStore
from webui.jobs.store import JobStore
from webui.jobs.watched import Flag

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredPlots:
    """Implements `PlotBook`. Thread-safe.

    Attributes:
        closing: set when the program ends; from then on a plot is left as it is, for the next run.
    """

    plots: PlotStore
    jobs: JobStore
    files: CellFiles
    sheets: SheetKeeper
    closing: Flag = field(default_factory=Flag)

    def ledger(self, work: ExperimentWork) -> CellLedger | None:
        if not work.plot:
            return None
        copies = work.experiment.plan is None
        return CellLedger(work.plot, self.plots, self.jobs, self.files, keeps_copies=copies)

    def finished(self, work: ExperimentWork, shown: Shown) -> tuple[Shown, str]:
        listed = ""
        if work.save:
            shown = self.sheets.keep(shown, work.plot, work.ways)
            listed = self.sheets.list_files(shown, work.plot or work.id, work.owner)
        self._note(work, "stopped" if shown.interrupted else "done")
        return shown, listed

    def failed(self, work: ExperimentWork, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self._note(work, "stopped")
        else:
            text = str(error) if isinstance(error, WebuiError) else f"{type(error).__name__}: {error}"
            self._note(work, "failed", text)

    def _note(self, work: ExperimentWork, state: PlotState, error: str = "") -> None:
        if not work.plot or self.closing.is_set():
            return
        try:
            self.plots.note_state(work.plot, state, error)
        except WebuiError as problem:
            log.warning("plot %s: %s", work.plot, problem)
