"""The page's real head: styles and first script are in it, packed or not, below a path, and behind the guard."""

import asyncio
import gzip
import html
import re
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from tests.api.fakes import FakeEngine as ApiEngine
from tests.api.fakes import parts_of
from tests.ui.fakes import FakeEngine
from webui.api.application import create
from webui.server.guard import Application, Guard, Policy
from webui.server.subpath import below, without
from webui.ui.head import Head, tags
from webui.ui.mount import mount

ADDED = "<i></i>"
PAGE = "<html><head><title>é</title></head><body></head></body></html>"


def asked(app: Any, path: str, *, method: str = "GET", **more: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client:
            return await client.request(method, path, **more)

    return asyncio.run(go())


def application(answer: Response, seen: list[str | None] | None = None) -> FastAPI:
    app = FastAPI(middleware=[Middleware(Head, lambda: ADDED)])

    async def page(request: Request) -> Response:
        if seen is not None:
            seen.append(request.headers.get("accept-encoding"))
        return answer

    for path in ("/", "/other"):
        app.add_route(path, page, methods=["GET", "HEAD"])
    return app


def test_the_first_end_of_a_head_gets_what_is_added() -> None:
    answer = asked(application(HTMLResponse(PAGE)), "/")
    assert answer.text == PAGE.replace("</head>", ADDED + "</head>", 1)
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_an_answer_in_pieces_is_put_together() -> None:
    async def pieces() -> Any:
        for character in PAGE:
            yield character

    answer = asked(application(StreamingResponse(pieces(), media_type="text/html")), "/")
    assert answer.text == PAGE.replace("</head>", ADDED + "</head>", 1)


@pytest.mark.parametrize(
    ("path", "method", "answer"),
    [
        ("/other", "GET", HTMLResponse(PAGE)),
        ("/", "HEAD", HTMLResponse(PAGE)),
        ("/", "GET", JSONResponse({"</head>": 1})),
        ("/", "GET", Response(PAGE, media_type="text/html", headers={"Content-Encoding": "unknown"})),
    ],
)
def test_other_answers_are_left_alone(path: str, method: str, answer: Response) -> None:
    raw = asked(application(answer), path, method=method, headers={"accept-encoding": "identity"})
    assert ADDED.encode() not in raw.content
    assert raw.headers.get("content-length") == answer.headers.get("content-length")


def test_only_the_page_is_asked_for_unpacked() -> None:
    seen: list[str | None] = []
    app = application(HTMLResponse(PAGE), seen)
    for path in ("/", "/other"):
        asked(app, path, headers={"Accept-Encoding": "br"})
    assert seen == [None, "br"]


def test_data_cannot_leave_its_attribute() -> None:
    made = tags(["a.css"], ["first.js", "last.js"], {"words": {"x": "\"><script>'&"}}, {"m": '"'})
    assert "<script>'" not in made
    [value] = re.findall(r'data-words="([^"]*)"', made)
    assert html.unescape(value) == '{"x": "\\"><script>\'&"}'
    assert made.index("a.css") < made.index("first.js") < made.index("last.js") < made.index("data-words")


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The API and its layers around, and the page in it, which is only asked for here."""
    folder = tmp_path_factory.mktemp("head")
    engine, behind = FakeEngine(folder / "outputs"), ApiEngine()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
            patch.setenv(name, "")
        yield mount(
            create(parts_of(behind)), engine, root_path="/sd", colours="dark",
            temp_dir=folder / "temp", outputs_dir=engine.outputs,
        )  # fmt: skip
    engine.close()
    behind.close()


@pytest.fixture
def page(mounted: FastAPI) -> Application:
    """As the program puts it together: with a path, and behind the guard with a password."""
    return without("/sd", Guard(below("/sd", mounted), Policy(port=7860, users=(("me", "secret"),))))


def addresses(text: str) -> Sequence[str]:
    return re.findall(r'(?:src|href)="(internal/page/[^"]+)"', text[: text.index("</head>")])


@pytest.mark.parametrize("beginning", ["/sd", ""])
@pytest.mark.parametrize("encoding", ["gzip, br", "br", "identity"])
def test_the_whole_program_serves_the_page_with_its_styles(page: Application, beginning: str, encoding: str) -> None:
    answer = asked(page, f"{beginning}/", headers={"accept-encoding": encoding}, auth=("me", "secret"))
    found = addresses(answer.text)
    assert any(address.endswith("/boot.js") for address in found)
    assert any(address.endswith("/joined.css") for address in found)
    assert 'data-theme="dark"' in answer.text
    assert answer.headers.get("content-encoding") == ("gzip" if "gzip" in encoding else None)
    for address in found:  # relative to the page, so below its path
        file = asked(page, f"{beginning}/{address}", auth=("me", "secret"))
        assert file.status_code == 200
        assert "immutable" in file.headers["cache-control"]
        assert asked(page, f"{beginning}/{address}").status_code == 401


def test_a_long_page_is_still_packed_on_its_way(page: Application) -> None:
    packed = asked(page, "/", headers={"accept-encoding": "gzip"}, auth=("me", "secret"))
    assert int(packed.headers["content-length"]) < len(packed.content) // 3
    assert gzip.compress(packed.content)
