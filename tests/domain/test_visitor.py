"""Whose a request is, whether Starlette or Gradio brings it."""

from collections.abc import Sequence

import gradio as gr
import pytest
from starlette.requests import Request

from webui.domain.visitor import BROWSER, USER, browser_of, new_browser, owner_of, user_in

MINE = "a" * 32


def request(*cookies: str, user: str = "", given: str = "") -> Request:
    scope = {"type": "http", "headers": [(b"cookie", line.encode("latin-1")) for line in cookies]}
    return Request(scope | ({USER: user} if user else {}) | ({BROWSER: given} if given else {}))


def test_both_kinds_of_request_tell_the_same() -> None:
    plain = request(f"theme=dark; webui_browser={MINE}")
    assert owner_of(plain) == owner_of(gr.Request(plain)) == f"page {MINE}"
    named = request(f"webui_browser={MINE}", user="ann")
    assert owner_of(named) == owner_of(gr.Request(named)) == user_in(named.scope) == "ann"
    for nobody in (None, request(), gr.Request(request()), gr.Request(), object()):
        assert owner_of(nobody) == ""


@pytest.mark.parametrize(
    ("cookies", "browser"),
    [
        ([f"webui_browser={MINE}", "other=1"], MINE),
        ([f"webui_browser=nonsense; webui_browser={MINE}"], MINE),
        ([f"xwebui_browser={MINE}"], ""),
        ([f"webui_browser={MINE}x"], ""),
        (["webui_browser"], ""),
        (["webui_browser=" + "\xe9" * 32], ""),
        ([], ""),
    ],
)
def test_only_values_of_our_form_tell_browsers_apart(cookies: Sequence[str], browser: str) -> None:
    assert browser_of(request(*cookies).scope) == browser


def test_a_browser_that_is_just_given_its_cookie_has_it_already() -> None:
    value = new_browser()
    assert owner_of(request(given=value)) == f"page {value}"
    assert browser_of(request(f"webui_browser={value}").scope) == value
    assert len({new_browser() for _ in range(100)}) == 100
