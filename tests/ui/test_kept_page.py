"""The page is written once for each address, and anew where it may differ."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from webui.ui.kept_page import MOST, KeptPage

HOME = "http://here.test/"


def answers(*asked: tuple[str, dict[str, str]], **more: Any) -> list[str]:
    """The answers to addresses with headers; the application counts how often it is asked."""
    written = 0

    async def page(request: Request) -> Response:
        nonlocal written
        written += 1
        return HTMLResponse(f"{request.url.netloc} {written}", **more)

    app = Starlette(routes=[Route("/", page), Route("/other", page)], middleware=[Middleware(KeptPage, "/")])

    async def go() -> list[str]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), follow_redirects=True) as client:
            return [(await client.get(address, headers=headers)).text for address, headers in asked]

    return asyncio.run(go())


def test_a_page_is_written_once_for_each_address_whatever_the_query() -> None:
    found = answers((HOME, {}), (f"{HOME}?tab=learn", {"Cookie": "a=1"}), ("http://there.test/", {}), (HOME, {}))
    assert found == ["here.test 1", "here.test 1", "there.test 2", "here.test 1"]


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "x-forwarded-proto", "X-Gradio-Server"])
def test_what_gradio_reads_of_the_address_makes_another_page(name: str) -> None:
    found = answers((HOME, {}), (HOME, {name: "https"}), (HOME, {name: "https"}), (HOME, {}))
    assert [text[-1] for text in found] == ["1", "2", "2", "1"]


@pytest.mark.parametrize(
    ("address", "more"),
    [
        (f"{HOME}?deep_link=x", {}),
        (f"{HOME}other", {}),
        (HOME, {"status_code": 503}),
        (HOME, {"headers": {"Set-Cookie": "a=1"}}),
        (HOME, {"headers": {"Content-Encoding": "identity"}}),
    ],
)
def test_other_answers_are_never_kept(address: str, more: dict[str, Any]) -> None:
    assert [text[-1] for text in answers((address, {}), (address, {}), **more)] == ["1", "2"]


def test_few_pages_are_kept_and_the_one_not_asked_for_longest_goes() -> None:
    many: list[tuple[str, dict[str, str]]] = [(f"http://{number}.test/", {}) for number in range(MOST + 1)]
    assert answers(*many, many[-1], many[0])[-2:] == [f"{MOST}.test {MOST + 1}", f"0.test {MOST + 2}"]
