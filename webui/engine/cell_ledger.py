"""What becomes of the cells of a stored plot: which are there already, and what is noted of each."""

import logging
from dataclasses import dataclass
from pathlib import Path

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult
from webui.engine.cell_files import CellFiles, facts_of
from webui.engine.intake import picture_of
from webui.experiments.course import Made, Place
from webui.jobs.plot_store import CellState, PlotStore, StoredCell
from webui.jobs.store import JobStore

LASTING: tuple[str, ...] = ("queued", "running", "held")  # states of jobs that go on

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CellChange:
    """What has just become of a cell.

    Attributes:
        job: the one that makes it, or made it.
        position: index of its picture in that job.
    """

    at: Place
    state: CellState
    job: str = ""
    position: int = 0
    error: str = ""
    infotext: str = ""


class CellLedger:
    """The cells of one plot. Belongs to the thread that does its experiment.

    A cell's job has an id that follows from its place. The id is noted before the job is sent, and the job is stored
    before it is begun, so after a kill at any moment it is known whether a cell was made.
    """

    def __init__(self, plot_id: str, plots: PlotStore, jobs: JobStore, files: CellFiles, *, keeps_copies: bool) -> None:
        """`keeps_copies`: later requests are made of earlier pictures, so these are kept pixel for pixel."""
        self.plot_id = plot_id
        self._plots = plots
        self._jobs = jobs
        self._files = files
        self._keeps_copies = keeps_copies

    def known(self, at: Place, request: GenerationRequest) -> GenerationResult | None:
        """What a cell has come to in an earlier run, or when the plot was made before; None where it is to be made."""
        cell = self._plots.cell(self.plot_id, at)
        if cell is None or cell.state not in ("there", "running"):
            return None
        if self._keeps_copies and (kept := self._files.read(self.plot_id, at, request)) is not None:
            return kept
        result = self._of_job(cell.job, request)
        if result is not None and cell.state == "running":  # the end came between the picture and the note of it
            self.note_there(at, cell.job, result)
        return result

    def begin(self, at: Place) -> str:
        """A cell is about to be made; gives back the id of its job, that of an earlier run where that goes on."""
        cell = self._plots.cell(self.plot_id, at)
        if cell is not None and cell.state == "running":
            row = self._jobs.job(cell.job)
            if row is None or (row.state in LASTING and row.save):
                return cell.job
        attempt = cell.attempt + 1 if cell is not None else 0
        job_id = f"{self.plot_id}-{'-'.join(map(str, at))}-{attempt}"
        self._plots.put_cell(self.plot_id, StoredCell(at, "running", job_id, attempt))
        return job_id

    def end(self, at: Place, job_id: str, made: Made) -> CellChange:
        """A cell was tried. One that the user stopped before its end is as if nobody had begun it."""
        result = made.result
        if result is not None and result.images and not result.interrupted:
            return self.note_there(at, job_id, result)
        cell = self._plots.cell(self.plot_id, at)
        attempt = cell.attempt if cell is not None else 0
        if made.stopped:
            self._plots.put_cell(self.plot_id, StoredCell(at, "empty", job_id, attempt))
            return CellChange(at, "empty", job_id)
        error = made.error or ("stopped by the user" if result is not None else "no picture was made")
        self._plots.put_cell(self.plot_id, StoredCell(at, "failed", job_id, attempt, error))
        return CellChange(at, "failed", job_id, error=error)

    def note_there(self, at: Place, job_id: str, result: GenerationResult) -> CellChange:
        """A cell is there."""
        first = result.images[0]
        path = first.path
        if self._keeps_copies and not all(image.path.endswith(".png") for image in result.images):
            try:
                self._files.keep(self.plot_id, at, result)
            except OSError as error:
                log.warning("the pictures of cell %s of plot %s were not kept: %s", at, self.plot_id, error)
            else:
                path = path or str(self._files.path(self.plot_id, at, first.index))
        cell = self._plots.cell(self.plot_id, at)
        attempt = cell.attempt if cell is not None else 0
        there = StoredCell(at, "there", job_id, attempt, "", path, first.index, first.infotext)
        self._plots.put_cell(self.plot_id, there)
        return CellChange(at, "there", job_id, first.index, infotext=first.infotext)

    def _of_job(self, job_id: str, request: GenerationRequest) -> GenerationResult | None:
        """What a job that has ended well came to, as far as its files are there."""
        row = self._jobs.job(job_id)
        if row is None or row.state != "done" or row.interrupted:
            return None
        rows = [one for one in self._jobs.images_of(job_id) if one.state in ("saved", "spooled")]
        images: list[GeneratedImage] = []
        for one in rows:
            if (image := picture_of(one, request)) is None:
                return None
            images.append(image)
        if not images:
            return None
        done = request.with_(seed=images[0].request.seed) if request.task.kind != "upscale" else request
        return GenerationResult(done, tuple(images), facts_of(images[0].infotext), row.notices)


def file_of(cell: StoredCell, jobs: JobStore) -> Path | None:
    """Where the picture of a cell lies; None where it lies nowhere any more."""
    if cell.state != "there":
        return None
    path = Path(cell.path) if cell.path else None
    if path is not None and path.is_file():
        return path
    try:
        moved = next((one.path for one in jobs.images_of(cell.job) if one.position == cell.position), "")
    except WebuiError:
        return None
    return Path(moved) if moved and Path(moved).is_file() else None
