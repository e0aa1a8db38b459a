"""What stands around the prompt boxes, in a real browser: token counters and styles."""

import re

from playwright.sync_api import Page, expect

from tests.ui.fakes import FakeEngine
from tests.ui.test_browser import address, browser, page, pytestmark, type_prompt  # noqa: F401

COUNTER, NEGATIVE_COUNTER = "#txt2img_token_counter .tokens", "#txt2img_negative_token_counter .tokens"


def test_the_counter_follows_the_typing(page: Page, engine: FakeEngine) -> None:  # noqa: F811
    expect(page.locator(COUNTER)).to_have_text("0/75")
    page.locator("#txt2img_prompt textarea").press_sequentially("a cat on a mat", delay=20)
    expect(page.locator(COUNTER)).to_have_text("5/75")
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cat on a mat")
    type_prompt(page, "cat " * 80)
    expect(page.locator(COUNTER)).to_have_text("80/150")
    page.locator("#txt2img_neg_prompt textarea").fill("blurry (dog")
    expect(page.locator(NEGATIVE_COUNTER)).to_have_text("2/75")
    expect(page.locator(NEGATIVE_COUNTER)).to_have_attribute("title", "Unmatched: ()")
    type_prompt(page, "(cat:1.2.3)")
    expect(page.locator(COUNTER)).to_have_attribute("title", re.compile("prompt"))
    page.locator("#txt2img_clear").click()
    expect(page.locator(COUNTER)).to_have_text("0/75")
    assert engine.asked == []
