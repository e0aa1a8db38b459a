"""The values of an extension's form: which options say the same as they do."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.bare import bare_page, call

FIELDS = [
    {"name": "level", "control": "slider", "label": "Level", "default": 3},
    {"name": "part", "control": "part", "label": "Part", "fields": [
        {"name": "on", "control": "switch", "label": "On", "default": False},
    ]},
    {"name": "picture", "control": "picture", "label": "Picture"},
]  # fmt: skip
SAID = """
const state = new module.FormState({ fields: argument.fields }, {});
for (const options of argument.filled) state.fill(options);
return argument.asked.map((options) => state.isJust(options));
"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with bare_page(browser) as opened:
        yield opened


def says(page: Page, filled: list[dict[str, Any]], *asked: dict[str, Any]) -> Any:
    """Of each of these options, whether a form that was filled so says just that."""
    return call(page, "declared_state.js", SAID, {"fields": FIELDS, "filled": filled, "asked": asked})


def test_what_is_left_out_is_as_usual(page: Page) -> None:
    assert says(page, [], {}, {"level": 3}, {"part": {"on": False}}, {"level": 4}) == [True, True, True, False]
    assert says(page, [{"level": 4}], {}, {"level": 4}, {"level": 4, "part": {}}) == [False, True, True]


def test_a_form_that_is_reset_says_the_usual_unless_it_keeps_a_picture(page: Page) -> None:
    picture = {"path": "a.png", "url": "a.png"}
    assert says(page, [{"level": 4}, {}], {}) == [True]
    assert says(page, [{"picture": picture}, {}], {}, {"picture": picture}) == [False, True]
