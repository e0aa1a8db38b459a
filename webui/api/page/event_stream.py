"""The stream of events of an open page."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import StreamingResponse

from webui.api.late_routes import Router
from webui.api.page.feed import Feed
from webui.api.page.messages import sse
from webui.api.page.viewer import Viewer, viewer_of
from webui.api.parts import Parts

SILENCE = 15.0  # seconds after which a comment keeps a quiet stream open
RETRY = 2000  # milliseconds after which a browser tries again
HEADERS = (("Cache-Control", "no-store, no-transform"), ("X-Accel-Buffering", "no"))  # proxies pass it on at once


def routes(parts: Parts, feed: Feed) -> Router:
    """`GET events`."""
    router = Router()

    @router.get("/events")
    async def events(request: Request) -> StreamingResponse:
        """Ends at once where the server is stopping; the browser then comes back to the next one by itself."""
        viewer = viewer_of(parts, request)
        return StreamingResponse(_lines(feed, viewer), 200, dict(HEADERS), "text/event-stream")

    return router


async def _lines(feed: Feed, viewer: Viewer) -> AsyncIterator[str]:
    yield f"retry: {RETRY}\n\n"
    events = feed.events(viewer, silence=SILENCE)
    try:
        async for event in events:
            yield ": still here\n\n" if event is None else sse(event)
    finally:
        await events.aclose()  # now, and not when it is collected: others read on meanwhile
