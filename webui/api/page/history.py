"""The pictures of all jobs, also of earlier runs of the program, as the page shows them: the newest first."""

import logging
from collections.abc import Iterable

from webui.api.page.job_rows import kind_of
from webui.api.page.messages import HistoryPage, ShownPicture, picture_id, picture_urls, split_picture_id
from webui.api.page.picture_files import PictureFiles
from webui.domain.errors import BadRequestError, WebuiError
from webui.engine.overview import Overview
from webui.jobs.rows import StoredImage

FIRST = 60  # pictures that a page is told of at once
MOST_LOOKS = 50  # pages of the database that are read for pictures whose files are still there
SIGNS_OF_HIRES = ("Hires upscale", "Hires upscaler", "Hires resize")

log = logging.getLogger(__name__)


class History:
    """Reads the database and the headers of files, so it is called in threads. Thread-safe."""

    def __init__(self, overview: Overview, files: PictureFiles) -> None:
        self._overview = overview
        self._files = files

    def newest(self, owner: str | None, *, before: str = "", limit: int = FIRST) -> HistoryPage:
        """Pictures whose files are there, the newest first.

        Args:
            owner: only those of this owner's jobs; None: all.
            before: the id of the last picture of the page before this one; "": from the newest on.

        Raises:
            BadRequestError: there is no picture `before`.
            WebuiError: the database failed.
        """
        seq = self._seq(before) if before else None
        found: list[ShownPicture] = []
        for _ in range(MOST_LOOKS):
            rows = self._overview.pictures(limit=limit + 1, before=seq, owner=owner)
            found += [picture for row in rows if (picture := self.shown(row)) is not None]
            if len(rows) <= limit or len(found) > limit:
                break
            seq = rows[-1].seq
        return HistoryPage(pictures=tuple(found[:limit]), more=len(found) > limit)

    def shown(self, row: StoredImage) -> ShownPicture | None:
        """A picture as the page shows it; None where it is nowhere any more."""
        size = self._files.size(row.job_id, row.position, row)
        if size is None:
            return None
        job = self._overview.find(row.job_id)
        kind = kind_of(job.work) if job is not None else kind_of_text(row.path, row.infotext)
        return ShownPicture(
            id=picture_id(row.job_id, row.position), job=row.job_id, index=row.position,
            **picture_urls(row.job_id, row.position), width=size[0], height=size[1],
            seed=None if kind == "extras" else row.seed, text=row.infotext, kind=kind, created=row.created,
        )  # fmt: skip

    def made(self, places: Iterable[tuple[str, int]]) -> list[ShownPicture]:
        """Pictures that have just been made, given by job and index, in the order of the history, the oldest first."""
        rows = []
        for job_id, index in places:
            try:
                rows.append(self._overview.picture(job_id, index))
            except WebuiError as error:
                log.warning("no page is told of picture %d of job %s: %s", index, job_id, error)
        known = sorted((row for row in rows if row is not None), key=lambda row: row.seq)
        for row in known:  # while it is in memory: pages that are told of it will show it for long
            self._files.keep(row.job_id, row.position, row)
        return [picture for row in known if (picture := self.shown(row)) is not None]

    def _seq(self, picture: str) -> int:
        place = split_picture_id(picture)
        row = self._overview.picture(*place) if place is not None else None
        if row is None:
            raise BadRequestError("before", "there is no picture of that id")
        return row.seq


def kind_of_text(path: str, infotext: str) -> str:
    """The kind of a job of which nothing is left but a picture, as far as its folder and its text tell."""
    parts = path.replace("\\", "/").split("/")
    if "extras-images" in parts or "\nPostprocess upscale by" in infotext:
        return "extras"
    if any(sign in infotext for sign in ("Mask blur", "Masked content", "Outpaint")):
        return "inpaint"
    is_second = any(sign in infotext for sign in SIGNS_OF_HIRES)
    if "img2img-images" in parts or ("Denoising strength" in infotext and not is_second):
        return "img2img"
    return "txt2img"
