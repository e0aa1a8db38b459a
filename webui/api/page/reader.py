"""An open page as the feed sees it: what it has not been given yet, bounded, however slowly it reads."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from webui.api.page.messages import Event, JobProgressed, ShownPicture
from webui.api.page.viewer import Viewer

MOST_UNREAD = 256  # events; a reader for whom more would wait gets the whole state again


@dataclass(eq=False, slots=True)
class Reader:
    """One stream. Belongs to one event loop.

    Attributes:
        forever: what it was told last of whether its viewer generates forever.
        unread: events that it has not been given yet.
        told: ids of the pictures in the state that it was given last.
        lost: whether it missed something.
        closed: whether nothing more will come.
    """

    viewer: Viewer
    forever: bool = False
    unread: deque[Event] = field(default_factory=deque)
    told: frozenset[str] = frozenset()
    lost: bool = False
    closed: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: Event) -> None:
        """Have it be given this event. A job's progress takes the place of what is unread of it."""
        if isinstance(event, ShownPicture) and event.id in self.told:
            return
        if isinstance(event, JobProgressed):
            self._drop_progress(event.id)
        if len(self.unread) >= MOST_UNREAD:
            self.unread.clear()
            self.lost = True
        if not self.lost:
            self.unread.append(event)
        self._wake.set()

    def begin(self, told: frozenset[str]) -> list[ShownPicture]:
        """It is given the whole state, with these pictures; gives back those that were told since and are not in it."""
        later = [one for one in self.unread if isinstance(one, ShownPicture) and one.id not in told]
        self.unread.clear()
        self.told = told
        return later

    async def wait(self, seconds: float) -> bool:
        """Until there is something to do; False where nothing was for so long."""
        self._wake.clear()
        if self.unread or self.lost or self.closed:
            return True
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """End its stream."""
        self.closed = True
        self._wake.set()

    def _drop_progress(self, job_id: str) -> None:
        stale = [one for one in self.unread if isinstance(one, JobProgressed) and one.id == job_id]
        for one in stale:
            self.unread.remove(one)
