"""The kind of job that works through the pictures of a folder: each becomes a job of the queue, one after another."""

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from webui.domain.batch import BatchOptions
from webui.domain.errors import BadRequestError, Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.domain.saving import PATTERN_LENGTH, Saving
from webui.engine.folder_access import Caller, FolderAccess
from webui.engine.generating import SEEDS_END
from webui.engine.one_by_one import ExperimentProgress, OneByOne, Order, Report
from webui.experiments.picture_batch import (
    UNNAMED,
    BatchFile,
    BatchPicture,
    files_in,
    paired,
    request_of,
)
from webui.jobs.job import Job
from webui.jobs.kind import FrontKind

MOST_NAMED = 20  # pictures that a result names
SOURCE = "batch"  # of notices


@dataclass(frozen=True, slots=True)
class BatchWork:
    """A batch.

    Attributes:
        title: the folder's name.
        template: a request for one picture, as `request_of` takes it.
        saving: how files are written; with literal names where the pictures keep theirs.
        notices: what the user should know before it begins.
    """

    title: str
    pictures: tuple[BatchPicture, ...]
    template: GenerationRequest
    options: BatchOptions
    save: bool
    saving: Saving | None
    owner: str = ""
    notices: tuple[Notice, ...] = ()

    def saving_of(self, picture: BatchPicture) -> Saving | None:
        """How the results of one picture are written."""
        if self.saving is None or not self.options.keep_names:
            return self.saving
        return self.saving.model_copy(update={"filename_pattern": picture.name[:PATTERN_LENGTH]})


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch came to: how many results were made, how many pictures had theirs already, and which failed.

    Attributes:
        failed: the name of each picture and why.
        interrupted: whether the user stopped it before the last one.
    """

    made: int
    skipped: int
    failed: tuple[tuple[str, str], ...]
    interrupted: bool
    notices: tuple[Notice, ...] = ()


BatchJob = Job[BatchWork, ExperimentProgress, BatchResult]
IsThere = Callable[[GenerationRequest, Saving], bool]


class BatchKind(FrontKind[BatchWork, ExperimentProgress, BatchResult]):
    """A picture that fails is named at the end, and the others are done all the same."""

    name = "batch"
    kept = 20
    listed = True
    progress_type = ExperimentProgress
    result_type = BatchResult

    def __init__(self, one_by_one: OneByOne, is_there: IsThere) -> None:
        """
        Args:
            one_by_one: puts a request into the queue and follows it.
            is_there: whether a request's result is a file of that name already.
        """
        self._one_by_one = one_by_one
        self._is_there = is_there

    def title(self, work: BatchWork) -> str:
        return work.title

    def with_notices(self, result: BatchResult, notices: tuple[Notice, ...]) -> BatchResult:
        return replace(result, notices=notices)

    def do(self, work: BatchWork, report: Report) -> BatchResult:
        tally = _Tally(list(work.notices))
        for number, picture in enumerate(work.pictures):
            so_far = ExperimentProgress(number, len(work.pictures))
            try:
                report(so_far)
            except Cancelled:
                tally.stopped = True
            if tally.stopped:
                break
            self._do_one(work, picture, so_far, report, tally)
        return tally.result()

    def _do_one(
        self,
        work: BatchWork,
        picture: BatchPicture,
        so_far: ExperimentProgress,
        report: Report,
        tally: "_Tally",
    ) -> None:
        saving = work.saving_of(picture)
        if work.options.skip_existing and saving is not None and self._is_there(work.template, saving):
            tally.skipped += 1
            return
        try:
            request, told = request_of(picture, work.template, work.options)
        except WebuiError as error:
            tally.failed.append((picture.source.name, str(error)))
            return
        tally.notices += [Notice(SOURCE, f"{picture.source.name}: {text}") for text in told]
        order = Order(work.save, saving, work.owner, waits=work.save)
        made = self._one_by_one.made(order, request, uuid.uuid4().hex, so_far, report)
        tally.stopped = made.stopped
        tally.made += len(made.images)
        if not made.images and not made.stopped:
            tally.failed.append((picture.source.name, made.error))


@dataclass(slots=True)
class _Tally:
    notices: list[Notice]
    made: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False

    def result(self) -> BatchResult:
        told = [*self.notices[:MOST_NAMED]]
        if self.skipped:
            told.append(Notice(SOURCE, f"{self.skipped} were left out, as their results are there already"))
        told += [Notice(SOURCE, f"{name}: {why}") for name, why in self.failed[:MOST_NAMED]]
        if (more := len(self.failed) - MOST_NAMED) > 0:
            told.append(Notice(SOURCE, f"and {more} more failed"))
        return BatchResult(self.made, self.skipped, tuple(self.failed), self.stopped, tuple(told))


@dataclass(frozen=True, slots=True)
class SentFiles:
    """Pictures that were sent along, instead of or beside folders."""

    pictures: tuple[BatchFile, ...] = ()
    masks: tuple[BatchFile, ...] = ()
    infos: tuple[BatchFile, ...] = ()


def batch_work(
    template: GenerationRequest,
    options: BatchOptions,
    sent: SentFiles,
    folders: FolderAccess,
    caller: Caller,
    *,
    save: bool,
    saving: Saving,
    owner: str = "",
) -> BatchWork:
    """The work that an order means, with its seeds drawn.

    Args:
        saving: as files are written usually.

    Raises:
        BadRequestError: naming the option; there is nothing to do, or the first picture cannot be used.
        NotAllowedError: this caller may not name that folder.
    """
    left_out: list[Notice] = []

    def found(text: str, name: str, more: Sequence[BatchFile]) -> list[BatchFile]:
        if not text.strip():
            return [*more]
        files, links = files_in(folders.folder(text, name, caller))
        if links:
            left_out.append(Notice(SOURCE, f"left out, as links are not followed: {', '.join(links[:MOST_NAMED])}"))
        return [*files, *more]

    sources = found(options.folder, "folder", sent.pictures)
    if not sources:
        where = f"there is no picture in {options.folder}" if options.folder else "choose a folder or pictures first"
        raise BadRequestError("folder", where)
    masks = found(options.mask_folder, "mask_folder", sent.masks)
    if options.mask_folder and not masks:
        raise BadRequestError("mask_folder", f"there is no picture in {options.mask_folder}")
    has_infos = bool(options.info_folder.strip() or sent.infos)
    infos = found(options.info_folder, "info_folder", sent.infos) if has_infos else None
    pictures, maskless = paired(sources, masks, infos)
    if not pictures:
        raise BadRequestError("mask_folder", "no picture has a mask of its name there")
    left_out += [Notice(SOURCE, f"{name}: left out, as there is no mask of its name") for name in maskless]
    title = Path(options.folder).name if options.folder else ""
    folder = options.output.strip() or title or UNNAMED
    literal = {"literal": True, "folder_pattern": folder[:PATTERN_LENGTH]} if options.keep_names else {}
    if template.seed < 0 and template.task.kind != "upscale":
        template = template.with_(seed=random.randrange(SEEDS_END))
    request_of(pictures[0], template, options)  # what is wrong with all is told at once
    return BatchWork(
        title or UNNAMED, pictures, template, options, save, saving.model_copy(update=literal), owner, tuple(left_out)
    )
