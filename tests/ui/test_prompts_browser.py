"""What stands around the prompt boxes, in a real browser: token counters and styles."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from tests.ui.driving import served, type_prompt
from tests.ui.fakes import FakeEngine
from webui.prompt.style_file import StyleFile
from webui.prompt.styles import Style
from webui.ui.mount import mount

COUNTER, NEGATIVE_COUNTER = "#txt2img_token_counter .tokens", "#txt2img_negative_token_counter .tokens"


@pytest.fixture
def styles(tmp_path: Path) -> StyleFile:
    return StyleFile(tmp_path / "styles.csv")


@pytest.fixture
def address(engine: FakeEngine, styles: StyleFile, tmp_path: Path) -> Iterator[str]:
    app = mount(FastAPI(), engine, temp_dir=tmp_path / "temp", outputs_dir=engine.outputs, styles=styles)
    with served(app) as place:
        yield place


def test_the_counter_follows_the_typing(page: Page, engine: FakeEngine) -> None:
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


def test_prompts_become_a_style_that_is_used_changed_and_deleted(
    page: Page,
    engine: FakeEngine,
    styles: StyleFile,
) -> None:
    type_prompt(page, "{prompt}, ink drawing")
    page.locator("#txt2img_neg_prompt textarea").fill("photo")
    page.locator("#txt2img_styles_edit_button").click()
    expect(page.locator("#txt2img_style_prompt textarea")).to_have_value("{prompt}, ink drawing")
    page.locator("#txt2img_style_name input").fill("ink")
    page.locator("#txt2img_style_name input").press("Enter")
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_style_status .done")).to_have_text("Saved: ink")
    assert styles.read()["ink"] == Style("ink", "{prompt}, ink drawing", "photo")

    type_prompt(page, "a cat")
    page.locator("#txt2img_styles input").click()
    page.get_by_role("option", name="ink").click()
    page.keyboard.press("Escape")
    expect(page.locator(COUNTER)).to_have_text("5/75")  # with the style's own words
    page.locator("#txt2img_generate").click()
    expect(page.locator("#txt2img_status .done")).to_contain_text("1 picture")
    assert (engine.asked[0].prompt, engine.asked[0].styles) == ("a cat", ("ink",))
    page.locator("#txt2img_style_apply").click()
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("a cat, ink drawing")

    styles.save(Style("added elsewhere", "x"))
    page.locator("#txt2img_style_prompt textarea").fill("pen drawing")
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_style_status .done")).to_be_visible()
    page.locator("#txt2img_style_name input").click()
    expect(page.get_by_role("option", name="added elsewhere")).to_be_visible()
    page.get_by_role("option", name="ink").click()
    expect(page.locator("#txt2img_style_prompt textarea")).to_have_value("pen drawing")
    page.locator("#txt2img_style_delete").click()
    expect(page.locator("#txt2img_style_status .done")).to_contain_text("Deleted: ink")
    assert styles.names() == ("added elsewhere",)
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_style_status .error")).to_contain_text("a style needs a name")
