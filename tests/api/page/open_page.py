"""A page as its script keeps it: the state that came first, and every change applied to it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.api.fakes import encode
from webui.api.page.feed import Feed
from webui.api.page.history import History
from webui.api.page.messages import (
    Event,
    ForeverSet,
    JobGone,
    JobProgressed,
    JobRow,
    JobsOrder,
    QueuePaused,
    ShownPicture,
    WholeState,
)
from webui.api.page.page_routes import finder
from webui.api.page.picture_files import PictureFiles
from webui.api.page.viewer import Viewer
from webui.engine.engine import Engine
from webui.jobs.watched import Flag

PATIENCE = 20.0  # seconds; a loaded machine has not always a turn for everybody
ME = "page me"


@dataclass
class Kept:
    """What a page shows, by the rules in `messages.py`."""

    state: WholeState | None = None
    rows: dict[str, JobRow] = field(default_factory=dict)
    pictures: dict[str, ShownPicture] = field(default_factory=dict)
    progress: dict[str, JobProgressed] = field(default_factory=dict)
    paused: tuple[bool, str] = (False, "")
    forever: bool = False
    seen: list[Event] = field(default_factory=list)

    def apply(self, event: Event) -> None:
        self.seen.append(event)
        match event:
            case WholeState():
                self.state = event
                self.rows = {row.id: row for row in event.jobs}
                self.pictures = {picture.id: picture for picture in event.history}
                self.progress = {}
                self.paused, self.forever = (event.paused, event.reason), event.forever
            case JobRow():
                self.rows[event.id] = event
                if event.state != "running":
                    self.progress.pop(event.id, None)
            case JobsOrder():
                assert sorted(event.ids) == sorted(self.rows), "an order names every job that is listed and no other"
                self.rows = {job_id: self.rows[job_id] for job_id in event.ids}
            case JobGone():
                del self.rows[event.id]
                self.progress.pop(event.id, None)
            case QueuePaused():
                self.paused = event.paused, event.reason
            case ForeverSet():
                self.forever = event.on
            case JobProgressed():
                assert self.rows[event.id].state == "running"
                self.progress[event.id] = event
            case ShownPicture():
                self.pictures = {event.id: event, **self.pictures}

    def view(self) -> dict[str, Any]:
        """All of it, but for how many seconds are left, which is another at each moment."""
        return {
            "rows": list(self.rows.values()),
            "pictures": [*self.pictures.values()][:60],
            "progress": {one.id: one.model_copy(update={"seconds_left": None}) for one in self.progress.values()},
            "paused": self.paused,
            "forever": self.forever,
        }


class Opened:
    """An engine with its feed, and pages that are open on it; used inside one event loop."""

    def __init__(self, engine: Engine, folder: Path | None = None, *, progress_every: float = 0.0) -> None:
        self.engine = engine
        self.closing = Flag()
        self.files = PictureFiles(folder, finder(engine.overview), encode)
        self.history = History(engine.overview, self.files)
        self.feed = Feed(
            engine, self.history, self.closing, shows_preview=lambda job_id: True,
            look_every=0.0, progress_every=progress_every,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def page(self, viewer: Viewer = Viewer(ME)) -> AsyncIterator[Kept]:
        """A page that reads as fast as it can."""
        kept = Kept()

        async def read() -> None:
            async for event in self.feed.events(viewer, silence=60):
                if event is not None:
                    kept.apply(event)

        reading = asyncio.create_task(read())
        try:
            await self.until(lambda: kept.state is not None or reading.done())
            yield kept
            if reading.done():
                reading.result()  # raises what the page could not apply
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    async def fresh(self, viewer: Viewer = Viewer(ME)) -> Kept:
        """What a page gets that is opened now: the state, and how far the running jobs are."""
        kept, events = Kept(), self.feed.events(viewer, silence=0.05)
        async for event in events:
            if event is None:
                break
            kept.apply(event)
        await events.aclose()
        return kept

    async def agree(self, kept: Kept, viewer: Viewer = Viewer(ME)) -> None:
        """Fails where a page that applied the changes does not come to show what a fresh one shows."""
        end = time.monotonic() + PATIENCE
        while (before := kept.view()) != (now := (await self.fresh(viewer)).view()) or kept.view() != before:
            assert time.monotonic() < end, (before, now)
            await asyncio.sleep(0.01)

    async def until(self, is_met: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not is_met():
            assert time.monotonic() < end, "it did not happen"
            await asyncio.sleep(0.002)
