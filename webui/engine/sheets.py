"""Files of what an experiment puts together of several pictures: grids, and pictures joined of parts."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from pydantic import ConfigDict

from webui.domain.errors import WebuiError
from webui.domain.fields import Frozen
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Notice
from webui.domain.saving import Saving
from webui.engine.indexing import OnKept
from webui.engine.keeping import ImageSaver
from webui.experiments.course import Shown, ShownPicture
from webui.jobs.plot_store import PlotStore, StoredSheet
from webui.jobs.store import JobStore
from webui.output.store import Folder

KIND = "sheets"  # of the rows that stand for experiments in the database of jobs
FOLDERS: Mapping[str, tuple[Folder, Folder]] = MappingProxyType(  # grids, and joined pictures
    {"txt2img": ("txt2img-grids", "txt2img-images"), "img2img": ("img2img-grids", "img2img-images")}
)


class WaysOfSaving(Frozen):
    """How the pictures of an experiment become files.

    Attributes:
        grids: whether grids do, too.
        cells: of single and joined pictures; None: as the program's settings say.
        sheets: of grids.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    grids: bool = True
    cells: Saving | None = None
    sheets: Saving | None = None


@dataclass(frozen=True, slots=True)
class SheetJob:
    """Stands for the experiment as the job of what it put together."""

    id: str
    work: GenerationRequest
    owner: str
    saving: Saving | None = None
    save: bool = True
    images: tuple[GeneratedImage, ...] = ()

    def note_notice(self, notice: Notice) -> None:
        """Nothing: it has ended."""


@dataclass(frozen=True, slots=True)
class SheetKeeper:
    """Writes each of them once, also where the program ends at any moment in between.

    Attributes:
        on_kept: is told of each that is in its file; it must not raise.
    """

    saver: ImageSaver
    plots: PlotStore
    jobs: JobStore
    on_kept: OnKept = lambda job, image: None

    def keep(self, shown: Shown, plot_id: str, ways: WaysOfSaving) -> Shown:
        """What is shown, with the paths of the files, and a notice for each that could not be written.

        Args:
            plot_id: of the stored plot; "" where the experiment is not stored.
        """
        known = {sheet.number: sheet for sheet in self.plots.sheets(plot_id)} if plot_id else {}
        pictures: list[ShownPicture] = []
        notices: list[Notice] = []
        for number, picture in enumerate(shown.pictures):
            if picture.role == "cell" or (picture.role == "grid" and not ways.grids):
                pictures.append(picture)
                continue
            path = str(known[number].path) if number in known and is_whole(known[number]) else ""
            try:
                path = path or self._write(shown, picture, number, plot_id, ways)
            except WebuiError as error:
                what = "grid" if picture.role == "grid" else "picture"
                notices.append(Notice("output", f"the {what} was not saved: {error}"))
            pictures.append(replace(picture, image=replace(picture.image, path=path)))
        return replace(shown, pictures=tuple(pictures), notices=(*shown.notices, *notices))

    def list_files(self, shown: Shown, plot_id: str, owner: str) -> str:
        """Put the files into the history of pictures, under the id that is given back; "" where there are none.

        What is there already, because the program ended just behind this, is not put there again.
        """
        made = [(number, one.image) for number, one in enumerate(shown.pictures) if one.role != "cell"]
        made = [(number, replace(image, index=number)) for number, image in made if image.path]
        if not made:
            return ""
        digest = hashlib.sha256("\n".join(image.path for _, image in made).encode()).hexdigest()
        job_id = f"{plot_id}-sheets-{digest[:16]}"
        if self.jobs.job(job_id) is None:
            self.jobs.add(job_id, KIND, json.dumps({"plot": plot_id}), save=True, created=time.time(), owner=owner)
        self.jobs.note_ended(job_id, "done")
        there = {row.position for row in self.jobs.images_of(job_id)}
        for number, image in made:
            if number not in there:
                self.jobs.add_image(
                    job_id, image.path, image.infotext, image.request.seed, position=number, subseed=image.subseed
                )
                self.on_kept(SheetJob(job_id, shown.result.request, owner), image)
        return job_id

    def _write(self, shown: Shown, picture: ShownPicture, number: int, plot_id: str, ways: WaysOfSaving) -> str:
        """Raises WebuiError."""
        request = shown.result.request
        grids, joined = FOLDERS["txt2img" if request.task.kind == "txt2img" else "img2img"]
        image: GeneratedImage = picture.image

        def claim(path: Path, digest: str) -> None:
            if plot_id:
                self.plots.put_sheet(plot_id, StoredSheet(number, str(path), digest))

        is_grid = picture.role == "grid"
        saving = ways.sheets if is_grid else ways.cells
        return str(self.saver.save(image, folder=grids if is_grid else joined, job=request, saving=saving, claim=claim))


def is_whole(sheet: StoredSheet) -> bool:
    """Whether its file is what it was to be."""
    try:
        return hashlib.sha256(Path(sheet.path).read_bytes()).hexdigest() == sheet.digest
    except OSError:
        return False
