"""Browsers in front of the whole: guard, cookie, and the routes of the page, with an engine that the test drives."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.api.fakes import BASE, encode
from tests.engine_bench import Bench
from tests.executors.watching import wanted
from webui.api.application import create
from webui.api.parts import Parts
from webui.domain.visitor import COOKIE
from webui.engine.generating import GenerationJob
from webui.server.guard import Application, Guard, Policy
from webui.server.subpath import below, without

PAGE = "/internal/page"


class Server:
    """The program as `webui.server.app` puts it together, without the page itself."""

    def __init__(
        self, bench: Bench, *, users: tuple[tuple[str, str], ...] = (), subpath: str = "", **more: Any
    ) -> None:
        self.bench = bench
        self.engine = bench.engine()
        more = {"cache_dir": bench.folder / "cache", "is_shared": len(users) > 1, **more}
        self.parts = Parts(self.engine, encode, **more)
        inner = create(self.parts, with_api=False)
        inner.add_api_route("/", lambda: {"page": True}, methods=["GET"])
        self.app: Application = without(subpath, Guard(below(subpath, inner), Policy(port=7860, users=users)))

    def browser(self, user: str = "", subpath: str = "") -> "Browser":
        """One that has opened the page."""
        browser = Browser(self, (user, "secret") if user else None, subpath)
        assert browser.ask("GET", "/").status_code == 200
        return browser

    def submit(self, owner: str, prompt: str = "a cat", **fields: Any) -> GenerationJob:
        return self.engine.submit(wanted(prompt, **fields), save=True, owner=owner)


class Browser:
    """Keeps its cookies."""

    def __init__(self, server: Server, auth: tuple[str, str] | None = None, subpath: str = "") -> None:
        self.server = server
        self.auth = auth
        self.subpath = subpath
        self.cookies = httpx.Cookies()
        self.set_cookie = ""

    @property
    def owner(self) -> str:
        """Of the jobs that it sends."""
        return self.auth[0] if self.auth else f"page {self.cookies[COOKIE]}"

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        if body is not None:
            options["json"] = body

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.server.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=self.cookies) as client:
                answer = await client.request(method, self.subpath + path, auth=self.auth, **options)
                self.cookies = client.cookies
                return answer

        answer = asyncio.run(go())
        self.set_cookie = answer.headers.get("set-cookie", "")
        return answer

    def order(self, command: str, body: Any = None, status: int = 200) -> Any:
        """Send a command; gives back what is answered."""
        answer = self.ask("POST", f"{PAGE}/{command}", body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str, status: int = 200) -> httpx.Response:
        answer = self.ask("GET", f"{PAGE}/{path}")
        assert answer.status_code == status, answer.text
        return answer

    def state(self) -> dict[str, Any]:
        """What the page is told first."""
        _, events = self.stream(lambda events: bool(events))
        name, data = events[0]
        assert name == "state"
        state: dict[str, Any] = data
        return state

    def stream(self, enough: Callable[[list[tuple[str, Any]]], bool]) -> tuple[dict[str, str], list[tuple[str, Any]]]:
        """The headers and the events of a stream, which the browser leaves when it has enough."""
        return asyncio.run(asyncio.wait_for(self._stream(enough), 20))

    async def _stream(
        self, enough: Callable[[list[tuple[str, Any]]], bool]
    ) -> tuple[dict[str, str], list[tuple[str, Any]]]:
        head: dict[str, str] = {}
        text, leaving = "", asyncio.Event()
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await leaving.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal text
            if message["type"] == "http.response.start":
                head.update({name.decode().lower(): value.decode() for name, value in message["headers"]})
                head["status"] = str(message["status"])
            text += message.get("body", b"").decode()
            if enough(events_of(text)):
                leaving.set()

        request = httpx.Request(
            "GET", f"{BASE}{self.subpath}{PAGE}/events", cookies=self.cookies, headers={"accept-encoding": "gzip"}
        )
        if self.auth is not None:
            request = next(httpx.BasicAuth(*self.auth).auth_flow(request))
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": request.url.path, "raw_path": request.url.raw_path, "query_string": b"",
            "root_path": "", "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 7860),
        }  # fmt: skip
        await self.server.app(scope, receive, send)
        return head, events_of(text)


def events_of(text: str) -> list[tuple[str, Any]]:
    """Name and data of each whole event."""
    blocks = [block.split("\n") for block in text.split("\n\n")[:-1]]
    told = [dict(line.split(": ", 1) for line in block if not line.startswith(":")) for block in blocks]
    return [(block["event"], json.loads(block["data"])) for block in told if "event" in block]


def saved(folder: Path) -> list[Path]:
    """The picture files that were saved below a folder."""
    return sorted((folder / "outputs").rglob("*.png"))
