"""Page and API below a path of a site: behind a proxy that keeps the path, and behind one that takes it off."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.api.fakes import FakeEngine as ApiEngine
from tests.api.fakes import parts_of
from tests.narrowing import untyped
from tests.ui.fakes import FakeEngine
from webui.api.application import create
from webui.server.guard import Application, Guard, Policy, Receive, Scope, Send
from webui.server.subpath import below, without
from webui.ui.mount import mount

POLICY = Policy(port=7860, users=(("me", "secret"),))
ME = ("me", "secret")


def _served(app: Application, subpath: str = "/sd") -> Application:
    """As `app.make` puts it together."""
    return without(subpath, Guard(below(subpath, app), POLICY))


def _ask(app: Application, path: str, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
            return await client.get(path, **{"auth": ME, **options})

    return asyncio.run(go())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """One for the file, whose tests only ask for it."""
    folder = tmp_path_factory.mktemp("subpath")
    engine = FakeEngine(folder / "outputs")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
            patch.setenv(name, "")
        yield _served(mount(FastAPI(), engine, root_path="/sd", temp_dir=folder / "temp", outputs_dir=engine.outputs))
    engine.close()


@pytest.fixture
def api() -> Application:
    return _served(create(parts_of(ApiEngine())))


@pytest.mark.parametrize("beginning", ["/sd", ""])
def test_the_api_answers_with_and_without_the_path(api: Application, beginning: str) -> None:
    assert _ask(api, f"{beginning}/sdapi/v1/samplers").json()
    assert _ask(api, f"{beginning}/health", auth=None).json() == {"status": "ok"}
    assert _ask(api, f"{beginning}/openapi.json").json()["servers"] == [{"url": "/sd"}]
    assert _ask(api, f"{beginning}/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/sd/sdapi/v1/samplers", "/sd/", "/sdapi/v1/samplers", "/sd/sd/health", "//health"])
def test_the_guard_holds_below_the_path_too(api: Application, path: str) -> None:
    assert _ask(api, path, auth=None).status_code == 401
    assert _ask(api, path, headers={"host": "evil.example"}).status_code == 403
    assert _ask(api, "/sd/gradio_api/proxy=http://evil.example").status_code == 404


@pytest.mark.parametrize("path", ["/sdx/health", "/sd2", "/other/sd/health"])
def test_only_the_whole_path_counts(api: Application, path: str) -> None:
    assert _ask(api, path).status_code == 404


def test_the_page_without_its_last_slash_is_sent_there(api: Application) -> None:
    answer = _ask(api, "/sd?__theme=dark", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/sd/?__theme=dark")


@pytest.mark.parametrize("beginning", ["/sd", ""])
def test_the_page_knows_where_it_hangs(page: Application, beginning: str) -> None:
    text = _ask(page, f"{beginning}/").text
    config = _ask(page, f"{beginning}/config").json()
    assert config["root"] == "http://127.0.0.1:7860/sd"
    assert re.search(r'"root":\s*"http://127\.0\.0\.1:7860/sd"', text)
    scripts = re.findall(r'src="(\./assets/[^"]+)"', text)
    assert scripts
    for script in scripts[:2]:
        assert _ask(page, f"{beginning}/{script[2:]}").status_code == 200


def test_without_a_path_nothing_is_put_between(page: Application) -> None:
    assert without("", page) is page
    assert below("", page) is page


def test_a_websocket_is_told_the_same() -> None:
    seen: list[Scope] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def connect() -> None:
        app = untyped(without("/sd", below("/sd", inner)))
        for path, raw in (("/sd/a b", b"/sd/a%20b"), ("/a b", b"/a%20b"), ("/sd", b"/sd")):
            await app({"type": "websocket", "path": path, "raw_path": raw}, None, None)
        await app({"type": "lifespan"}, None, None)

    asyncio.run(connect())
    assert [(one.get("root_path"), one.get("path"), one.get("raw_path")) for one in seen] == [
        ("/sd", "/sd/a b", b"/sd/a%20b"),
        ("/sd", "/sd/a b", b"/sd/a%20b"),
        ("/sd", "/sd/sd", b"/sd/sd"),
        (None, None, None),
    ]
