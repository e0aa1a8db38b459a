"""Puts the page's styles and its first script into the real `<head>`, so that nothing is drawn without them.

Gradio's own `head=` is put in by its scripts, late: the page would be seen in the wrong colours first, and components
could start before the script that they need.
"""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

END = b"</head>"
VIEWPORT = "width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"


def tags(
    styles: Sequence[str],
    scripts: Sequence[str],
    data: Mapping[str, Any],
    meta: Mapping[str, str],
    early: Sequence[str] = (),
) -> str:
    """The elements that are put in.

    Args:
        styles: addresses of style sheets, relative to the page.
        scripts: addresses of scripts that run before anything is drawn.
        data: what the last of them finds in its own `data-` attributes, as JSON where it is no text.
        meta: further `<meta>` elements by name.
        early: addresses of modules and style sheets that are fetched early, because scripts will ask for them.
    """
    lines = [f'<meta name="{_safe(name)}" content="{_safe(content)}">' for name, content in meta.items()]
    lines += [f'<link rel="stylesheet" href="{_safe(address)}">' for address in styles]
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in data.items()}
    attributes = "".join(f' data-{_safe(name)}="{_safe(value)}"' for name, value in values.items())
    *others, last = (f'<script src="{_safe(address)}"' for address in scripts)
    lines += [*(f"{script}></script>" for script in others), f"{last}{attributes}></script>"]
    return "".join([*lines, *(_early(address) for address in early)])


def _early(address: str) -> str:
    if address.endswith(".css"):
        return f'<link rel="preload" as="style" crossorigin href="{_safe(address)}">'
    return f'<link rel="modulepreload" href="{_safe(address)}">'


def _safe(text: str) -> str:
    return html.escape(text, quote=True)


class Head:
    """An ASGI layer that adds elements to the head of one page and leaves every other answer alone.

    Args:
        added: makes the elements, each time that the page is asked for.
        path: where the page is, without the path at which the application hangs.
    """

    def __init__(self, app: ASGIApp, added: Callable[[], str], path: str = "/") -> None:
        self._app = app
        self._added = added
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_page(scope, self._path):
            await self._app(scope, receive, send)
            return
        # packed bytes could not be read here; layers further out still pack the whole answer
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
        await self._app({**scope, "headers": headers}, receive, _Adding(send, self._added().encode()))


def is_page(scope: Scope, path: str) -> bool:
    """Whether the page is asked for, which is at this path below the one at which the application hangs."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    asked, root = scope["path"], scope.get("root_path", "")
    below = asked[len(root) :] if root and asked.startswith(root) else asked
    return bool(below.rstrip("/") == path.rstrip("/"))


class _Adding:
    """A `send` that holds an HTML answer back until it is whole, then adds to its head."""

    def __init__(self, send: Send, added: bytes) -> None:
        self._send = send
        self._added = added
        self._start: Message | None = None
        self._parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_html(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body = b"".join(self._parts).replace(END, self._added + END, 1)
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        await self._send({**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await self._send({"type": "http.response.body", "body": body})


def _is_html(message: Message) -> bool:
    headers = {name.lower(): value for name, value in message.get("headers", ())}
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
