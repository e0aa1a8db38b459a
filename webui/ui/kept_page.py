"""Keeps the page that Gradio writes: it copies all of its configuration for each visitor, a fifth of a second.

The page depends on the address under which the visitor reached the program, and on nothing else that changes while it
runs: what users choose comes by the page's own requests. A link with a state of its own (`deep_link`) is never kept.
"""

from collections import OrderedDict
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.ui.head import is_page

MOST = 8  # addresses; each has a page of half a megabyte
ADDRESS_HEADERS = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server")  # that Gradio reads
READ_QUERIES = (b"deep_link", b"all_endpoints")  # by Gradio

Key = tuple[str, ...]


class KeptPage:
    """An ASGI layer that answers with what the application answered before, where nothing that it reads is different.

    Args:
        path: where the page is, without the path at which the application hangs.
    """

    def __init__(self, app: ASGIApp, path: str = "/") -> None:
        self._app = app
        self._path = path
        self._kept: OrderedDict[Key, list[Message]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_page(scope, self._path) or not {*parse_qs(scope["query_string"])}.isdisjoint(READ_QUERIES):
            await self._app(scope, receive, send)
            return
        key = _key(scope)
        if key not in self._kept:
            said: list[Message] = []

            async def remember(message: Message) -> None:
                said.append(message)
                await send(message)

            await self._app(scope, receive, remember)
            if _may_be_kept(said):
                self._kept[key] = said
                if len(self._kept) > MOST:
                    self._kept.popitem(last=False)
            return
        self._kept.move_to_end(key)
        for message in self._kept[key]:
            await send(dict(message))


def _key(scope: Scope) -> Key:
    """All that Gradio makes the page from."""
    headers = [
        f"{name.decode('latin-1')}: {value.decode('latin-1')}"
        for name, value in scope["headers"]
        if name.decode("latin-1").lower() in ADDRESS_HEADERS
    ]
    return scope.get("scheme", ""), str(scope.get("server")), scope.get("root_path", ""), scope["path"], *headers


def _may_be_kept(said: list[Message]) -> bool:
    """Whether it is a whole page for everybody."""
    if not said or said[0].get("status") != 200 or said[-1].get("more_body", False):
        return False
    return all(name.lower() not in (b"set-cookie", b"content-encoding") for name, _ in said[0].get("headers", ()))
