"""Gives each browser the cookie by which its jobs are told from those of others; see `webui.domain.visitor`."""

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webui.domain.visitor import BROWSER, COOKIE, browser_of, new_browser

YEAR = 365 * 24 * 60 * 60  # seconds
ENDS = ("/", "/internal/page/events")  # paths whose answers bring it: the page itself, and the stream of its events


def install(app: FastAPI) -> None:
    """Put it around an application, and so around the page that is mounted there."""
    app.add_middleware(BrowserCookie)


class BrowserCookie:
    """A browser without the cookie, or with something else in its place, gets one with the page, and so a year more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("root_path", "")
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].removeprefix(root) not in ENDS:
            await self._app(scope, receive, send)
            return
        browser = browser_of(scope) or new_browser()
        line = f"{COOKIE}={browser}; Path={root or '/'}; Max-Age={YEAR}; HttpOnly; SameSite=Lax"

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", f"{line}; Secure" if _is_https(scope) else line)
            await send(message)

        await self._app({**scope, BROWSER: browser}, receive, with_cookie)


def _is_https(scope: Scope) -> bool:
    """Whether the browser speaks https, be it to this server or to a proxy in front of it that says so."""
    told = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return scope.get("scheme") == "https" or told == [b"https"]
