"""What changes about jobs, followed once and told to every open page.

A page gets the whole state first, then each change. Who applies the changes to the state has the state that a page
gets which comes later.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from starlette.concurrency import run_in_threadpool

from webui.api.page.history import FIRST, History
from webui.api.page.job_rows import AnyStatus, cell_told, plain_reason, progress_of, row_of
from webui.api.page.messages import (
    Event,
    ForeverSet,
    HistoryPage,
    JobGone,
    JobProgressed,
    JobRow,
    JobsOrder,
    QueuePaused,
    WholeState,
)
from webui.api.page.reader import Reader
from webui.api.page.viewer import Viewer
from webui.domain.errors import WebuiError
from webui.domain.extensions import ActionCall
from webui.engine.engine import Engine
from webui.engine.experimenting import ExperimentWork
from webui.engine.one_by_one import ExperimentProgress
from webui.engine.overview import QueuePause
from webui.jobs.job import AnyJob
from webui.jobs.watched import Flag

ENDED = 20  # ended jobs that are listed
PROGRESS_EVERY = 0.2  # seconds
LOOK_EVERY = 0.05  # seconds
LOOK_AGAIN = 60.0  # seconds after which is looked although nothing was told, for what ends by time alone

NewPictures = dict[tuple[str, int], str]  # job and index -> owner

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """A job as it was at the latest look, and what its row was made of."""

    job: AnyJob
    status: AnyStatus
    work: object
    forever: bool
    row: JobRow


class Feed:
    """Belongs to one event loop. While nobody reads, nothing is followed."""

    def __init__(
        self,
        engine: Engine,
        history: History,
        closing: Flag,
        *,
        shows_preview: Callable[[str], bool],
        look_every: float = LOOK_EVERY,
        progress_every: float = PROGRESS_EVERY,
    ) -> None:
        """
        Args:
            closing: set when the server stops, which ends all streams.
            shows_preview: whether pictures on the way of a job may be shown.
            look_every, progress_every: seconds that lie at least between two looks, and between two messages of how
                far a job is.
        """
        self.server = uuid.uuid4().hex
        self._engine = engine
        self._history = history
        self._closing = closing
        self._shows_preview = shows_preview
        self._look_every = look_every
        self._progress_every = progress_every
        self._readers: set[Reader] = set()
        self._task: asyncio.Task[None] | None = None
        self._seen: dict[str, Seen] = {}
        self._pictures: dict[str, frozenset[int]] = {}  # indices of those that were told, by job
        self._cells_told: dict[str, tuple[int, int]] = {}  # how many changes and sheets were told, by experiment
        self._progress: dict[str, JobProgressed] = {}
        self._told_at: dict[str, float] = {}
        self._previews: dict[str, tuple[bytes, int]] = {}
        self._numbers = count(1)  # of previews
        self._pause = QueuePause(False, "")

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is followed now."""
        return self._task is None or self._task.done()

    async def events(self, viewer: Viewer, *, silence: float) -> AsyncGenerator[Event | None, None]:
        """The whole state, then what changes, until the server stops; None where nothing has for `silence` seconds."""
        reader = Reader(viewer)
        self._readers.add(reader)
        try:
            if self.is_quiet:
                self._look(tell=False)
                self._task = asyncio.create_task(self._follow(), name="page feed")
            while not reader.closed and not self._closing.is_set():
                for event in await self._whole(reader):
                    yield event
                while not reader.lost and not reader.closed:
                    if reader.unread:
                        yield reader.unread.popleft()
                    elif not await reader.wait(silence):
                        yield None
        finally:
            self._readers.discard(reader)
            if not self._readers and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _whole(self, reader: Reader) -> list[Event]:
        """The state as of the latest look, and how far the running jobs are; what is unread is part of it."""
        viewer, reader.lost = reader.viewer, True
        while reader.lost:  # if it becomes so meanwhile, pictures may be missing in what was read
            reader.lost = False
            try:
                history = await run_in_threadpool(self._history.newest, viewer.only, limit=FIRST)
            except WebuiError as error:
                log.warning("a page gets no older pictures: %s", error)
                history = HistoryPage(pictures=(), more=False)
        later = reader.begin(frozenset(picture.id for picture in history.pictures))
        reader.forever = self._engine.forever.is_on(viewer.owner)
        state = WholeState(
            server=self.server,
            paused=self._pause.is_paused,
            reason=self._pause.reason,
            jobs=tuple(_for(viewer, seen) for seen in self._visible(viewer)),
            history=history.pictures,
            more=history.more,
            forever=reader.forever,
        )
        progress = [self._progress[seen.job.id] for seen in self._visible(viewer) if seen.job.id in self._progress]
        return [state, *progress, *later]

    def _visible(self, viewer: Viewer) -> Iterator[Seen]:
        return (seen for seen in self._seen.values() if viewer.sees(seen.job.owner))

    async def _follow(self) -> None:
        """Look whenever something changes; the life of the task."""
        changes = self._engine.overview.changes
        stopping = asyncio.ensure_future(self._closing.wait())
        try:
            while not stopping.done():
                number = changes.value
                rest = await self._look_and_tell()
                changed = asyncio.ensure_future(changes.until(_other_than(number)))
                try:
                    await asyncio.wait({changed, stopping}, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                    with suppress(asyncio.CancelledError):
                        await changed
                await asyncio.wait({stopping}, timeout=self._look_every)  # several changes are told of at once
        except Exception:
            log.exception("the jobs are followed no longer; open pages begin anew")
        finally:
            stopping.cancel()
        for reader in self._readers:  # not where the task was cancelled, as then nobody reads
            reader.close()

    async def _look_and_tell(self) -> float:
        """Tell what is new; gives back the seconds until there is something to tell that is held back now."""
        new, rest = self._look(tell=True)
        if new:
            for picture in await run_in_threadpool(self._history.made, tuple(new)):
                self._tell(new[picture.job, picture.index], picture)
        return rest

    def _look(self, *, tell: bool) -> tuple[NewPictures, float]:
        """Note how everything stands and tell what has changed, but for pictures; gives back those that are new.

        Args:
            tell: False only notes, for a reader who gets the whole.

        Returns:
            The new pictures, and seconds until there is something to tell that is held back now.
        """
        overview = self._engine.overview
        now = {job.id: self._seen_now(job) for job in (*overview.beside(), *overview.line(), *overview.ended(ENDED))}
        before, self._seen = self._seen, now
        new = self._new_pictures(now.values())
        pause, self._pause = self._pause, overview.pause
        if tell:
            self._tell_rows(before)
            self._tell_settings(pause)
        new |= self._tell_cells(now.values(), tell=tell)
        rest = self._note_progress(now.values(), tell=tell)
        return new if tell else {}, rest

    def _tell_rows(self, before: Mapping[str, Seen]) -> None:
        """Tell of the jobs that have gone, that have changed, and of their order where it is not as one would think."""
        now = self._seen
        for job_id in before.keys() - now.keys():
            self._tell(before[job_id].job.owner, JobGone(id=job_id))
        for job_id, seen in now.items():
            if job_id not in before or before[job_id].row != seen.row:
                for reader in self._readers:
                    if reader.viewer.sees(seen.job.owner):
                        reader.put(_for(reader.viewer, seen))
        expected = [job_id for job_id in before if job_id in now]
        expected += [job_id for job_id in now if job_id not in before]
        if expected != list(now):
            for reader in self._readers:
                reader.put(JobsOrder(ids=tuple(seen.job.id for seen in self._visible(reader.viewer))))

    def _tell_settings(self, pause: QueuePause) -> None:
        """Tell whether the queue is paused, where it was not so before, and who generates forever."""
        if pause != self._pause:
            for reader in self._readers:
                reader.put(QueuePaused(paused=self._pause.is_paused, reason=self._pause.reason))
        for reader in self._readers:
            if reader.forever != (is_on := self._engine.forever.is_on(reader.viewer.owner)):
                reader.forever = is_on
                reader.put(ForeverSet(on=is_on))

    def _tell_cells(self, jobs: Iterable[Seen], *, tell: bool) -> NewPictures:
        """Tell what has become of cells of experiments since the look before; who opens a plot later asks for it.

        Returns:
            The pictures that are new by that.
        """
        new: NewPictures = {}
        before, self._cells_told = self._cells_told, {}
        for seen in jobs:
            progress, work = seen.status.progress, seen.work
            if not (isinstance(progress, ExperimentProgress) and isinstance(work, ExperimentWork)):
                continue
            told, told_sheets = before.get(seen.job.id, (0, 0))
            self._cells_told[seen.job.id] = len(progress.changes), len(progress.sheets)
            new |= dict.fromkeys(progress.sheets[told_sheets:], seen.job.owner)
            for change in progress.changes[told:]:
                if tell:
                    self._tell(seen.job.owner, cell_told(seen.job.id, work, change))
                if change.state == "there" and work.experiment.saves_cells:
                    part = self._engine.job(change.job)
                    indices = [image.index for image in part.images] if part is not None else [change.position]
                    new |= {(change.job, index): seen.job.owner for index in indices}
        return new

    def _seen_now(self, job: AnyJob) -> Seen:
        known, status, work, forever = self._seen.get(job.id), job.status, job.work, self._engine.forever.goes_on(job)
        if known is not None and (known.status is status and known.work is work and known.forever == forever):
            return known
        row = row_of(job, status, forever=forever, title=self._title(work))
        row = row.model_copy(update={"reason": plain_reason(row.reason, self._extension_title)})
        return Seen(job, status, work, forever, row)

    def _extension_title(self, name: str) -> str:
        info = self._engine.extensions.get(name)
        return info.title if info is not None else name

    def _title(self, work: object) -> str:
        """What an action is called; "" of other work."""
        if not isinstance(work, ActionCall):
            return ""
        info = self._engine.extensions.get(work.extension)
        actions = info.actions if info is not None else ()
        return next((one.title for one in actions if one.name == work.action), "") or work.action

    def _new_pictures(self, jobs: Iterable[Seen]) -> NewPictures:
        new: NewPictures = {}
        before, self._pictures = self._pictures, {}
        for seen in jobs:
            job_id, known = seen.job.id, before.get(seen.job.id, frozenset())
            indices = [image.index for image in seen.status.images]
            new |= {(job_id, index): seen.job.owner for index in indices if index not in known}
            self._pictures[job_id] = known.union(indices)
        return new

    def _note_progress(self, jobs: Iterable[Seen], *, tell: bool) -> float:
        """Tell how far the running jobs are, each five times in a second at most; gives back when more may be told."""
        before, self._progress = self._progress, {}
        rest, clock = LOOK_AGAIN, time.monotonic()
        for seen in jobs:
            job_id = seen.job.id
            if seen.status.state != "running":
                continue
            wait = self._told_at.get(job_id, float("-inf")) + self._progress_every - clock
            known = before.get(job_id)
            if known is not None and wait > 0:
                self._progress[job_id] = known
                rest = min(rest, wait)
                continue
            told = progress_of(seen.job, seen.status, self._preview(job_id, seen.status.preview))
            if known is not None and told.model_copy(update={"seconds_left": known.seconds_left}) == known:
                self._progress[job_id] = known  # what is left grows less by itself
                continue
            self._progress[job_id], self._told_at[job_id] = told, clock
            if tell:
                self._tell(seen.job.owner, told)
        self._told_at = {job_id: at for job_id, at in self._told_at.items() if job_id in self._progress}
        self._previews = {job_id: known for job_id, known in self._previews.items() if job_id in self._progress}
        return rest

    def _preview(self, job_id: str, preview: bytes | None) -> str | None:
        """The address of a job's latest preview; the number in it grows with each."""
        if preview is None or not self._shows_preview(job_id):
            return None
        known = self._previews.get(job_id)
        if known is None or known[0] is not preview:
            known = self._previews[job_id] = (preview, next(self._numbers))
        return f"internal/page/jobs/{job_id}/preview/{known[1]}"

    def _tell(self, owner: str, event: Event) -> None:
        for reader in self._readers:
            if reader.viewer.sees(owner):
                reader.put(event)


def _for(viewer: Viewer, seen: Seen) -> JobRow:
    """A job's row as one viewer sees it."""
    return seen.row.model_copy(update={"mine": True}) if viewer.owns(seen.job.owner) else seen.row


def _other_than(number: int) -> Callable[[int], bool]:
    return lambda now: now != number
