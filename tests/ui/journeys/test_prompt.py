"""What people do around the prompt, in a browser: write, weigh, count, fold, paste and drop, go back."""

import io
import re
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page, Request, Route, expect

from tests.ui.driving import eventually, generate, type_prompt
from tests.ui.fakes import FakeEngine

PROMPT, NEGATIVE = "#txt2img_prompt textarea", "#txt2img_neg_prompt textarea"
COUNTER = "#txt2img_token_counter .tokens"
FOLD = "#txt2img_negative_fold"
INFOTEXT = "a blue cat\nNegative prompt: dog\nSteps: 7, Sampler: Euler a, CFG scale: 5, Seed: 3, Size: 64x64"


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    """An open page whose dock is drawn."""
    expect(page_that_stays.locator(FOLD)).to_be_visible()
    return page_that_stays


def asked(page: Page, path: str) -> list[Request]:
    """The requests to a route of the page from now on."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if f"internal/page/{path}" in request.url else None)
    return found


def type_quickly(page: Page, text: str) -> None:
    """Type at the end of the prompt so quickly that the page comes to nothing else between the keys."""
    page.locator(PROMPT).evaluate(
        """(box, text) => {
          box.focus();
          box.setSelectionRange(box.value.length, box.value.length);
          for (const key of text) document.execCommand("insertText", false, key);
        }""",
        text,
    )


def mark(page: Page, start: int, end: int) -> None:
    page.locator(PROMPT).evaluate("(box, [start, end]) => box.setSelectionRange(start, end)", [start, end])


# ---- writing


def test_the_counter_follows_what_i_type_and_asks_once(page: Page, engine: FakeEngine) -> None:
    expect(page.locator(COUNTER)).to_have_text("0/75")
    questions = asked(page, "tokens")
    type_quickly(page, "a cat on a mat, thirty letters")
    expect(page.locator(COUNTER)).to_have_text("8/75")
    assert len(questions) == 1
    type_quickly(page, " <lora:ink:0.8>")
    page.wait_for_timeout(500)
    assert len(questions) == 1
    type_prompt(page, "cat " * 80)
    expect(page.locator(COUNTER)).to_have_text("80/150")
    type_prompt(page, "(cat:1.2.3)")
    expect(page.locator(COUNTER)).to_have_attribute("title", re.compile("prompt"))
    page.locator("#txt2img_clear").click()
    expect(page.locator(COUNTER)).to_have_text("0/75")
    assert engine.asked == []


def test_i_weigh_marked_words_by_keys_and_take_it_back(page: Page) -> None:
    type_prompt(page, "a cat on a mat")
    mark(page, 2, 5)
    page.keyboard.press("Control+ArrowUp")
    page.keyboard.press("Control+ArrowUp")
    expect(page.locator(PROMPT)).to_have_value("a (cat:1.2) on a mat")
    page.keyboard.press("Control+z")
    expect(page.locator(PROMPT)).to_have_value("a (cat:1.1) on a mat")
    page.keyboard.press("Control+ArrowDown")
    expect(page.locator(PROMPT)).to_have_value("a cat on a mat")


def test_i_move_a_part_of_the_prompt_by_keys_and_send_what_i_see(page: Page, engine: FakeEngine) -> None:
    type_prompt(page, "a cat, a mat, ink")
    mark(page, 15, 15)
    page.keyboard.press("Alt+ArrowLeft")
    page.keyboard.press("Alt+ArrowLeft")
    expect(page.locator(PROMPT)).to_have_value("ink, a cat, a mat")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => true")
    for _ in range(100):
        if engine.asked:
            break
        page.wait_for_timeout(100)
    assert engine.asked[0].prompt == "ink, a cat, a mat"


def test_a_bracket_that_is_not_closed_is_named_and_found(page: Page) -> None:
    type_prompt(page, "a cat on (a mat")
    fault = page.locator(".brackets")
    expect(fault).to_have_text("( …cat on (a mat")
    expect(fault).to_have_attribute("aria-label", "( is not closed: …cat on (a mat")
    fault.click()
    place = page.locator(PROMPT).evaluate("(box) => [document.activeElement === box, box.selectionStart]")
    assert place == [True, 9]
    page.keyboard.press("End")
    page.keyboard.type(")")
    expect(fault).to_be_hidden()


def test_the_negative_prompt_folds_and_tells_whether_it_holds_something(page: Page) -> None:
    expect(page.locator(NEGATIVE)).to_be_hidden()
    expect(page.locator(FOLD)).to_have_attribute("aria-label", "Negative prompt, empty")
    page.locator("#stage").click(position={"x": 5, "y": 5})
    page.keyboard.press("n")
    expect(page.locator(NEGATIVE)).to_be_focused()
    page.keyboard.type("blurry (dog")
    expect(page.locator(".brackets")).to_have_text("( blurry (dog")
    expect(page.locator("#txt2img_negative_token_counter .tokens")).to_have_text("2/75")
    page.locator(FOLD).click()
    expect(page.locator(NEGATIVE)).to_be_hidden()
    expect(page.locator(FOLD)).to_have_attribute("aria-label", "Negative prompt, holds a text")


def test_the_prompt_grows_without_moving_the_page(page: Page) -> None:
    type_prompt(page, "one line")
    low = page.locator(PROMPT).bounding_box()
    type_prompt(page, "\n".join(f"line {number}" for number in range(40)))
    high = page.locator(PROMPT).bounding_box()
    assert low is not None
    assert high is not None
    assert low["height"] < high["height"] <= 180
    assert page.evaluate("() => document.documentElement.scrollHeight <= innerHeight")


# ---- what comes from elsewhere, and what was before


def drop(page: Page, where: str, name: str, kind: str, content: bytes) -> None:
    """Let go of a file over an element."""
    page.locator(where).evaluate(
        """(element, [name, kind, content]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(content)], name, { type: kind }));
          for (const event of ["dragover", "drop"]) {
            element.dispatchEvent(new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true }));
          }
        }""",
        [name, kind, list(content)],
    )


def said(page: Page, message: str) -> None:
    """Remember what is said on the bus; `heard` reads it."""
    page.evaluate(
        """async (message) => {
          const { hear } = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
          window.heard = [];
          hear(message, (detail) => window.heard.push(detail));
        }""",
        message,
    )


def heard(page: Page) -> Any:
    page.wait_for_function("() => window.heard.length > 0")
    return page.evaluate("() => window.heard")


def paste(page: Page, text: str) -> None:
    """Paste a text into the prompt."""
    page.locator(PROMPT).evaluate(
        """(box, text) => {
          const transfer = new DataTransfer();
          transfer.setData("text/plain", text);
          box.focus();
          box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
        }""",
        text,
    )


def test_the_text_of_a_plot_pasted_into_the_prompt_brings_the_plot_back(page: Page) -> None:
    paste(page, f'{INFOTEXT}, Script: X/Y/Z plot, X Type: Steps, X Values: "3, 5, 7", Y Type: Seed, Y Values: "1,2"')
    expect(page.locator("#experiment").get_by_role("radio", name="Experiment")).to_be_checked()
    expect(page.locator("#txt2img_generate")).to_have_text("Generate 6")
    expect(page.locator("#txt2img_steps input[type=number]")).to_have_value("7")


def test_a_whole_generation_text_pasted_into_the_prompt_fills_the_form(page: Page) -> None:
    paste(page, INFOTEXT)
    expect(page.locator(PROMPT)).to_have_value("a blue cat")
    expect(page.locator("#txt2img_steps input[type=number]")).to_have_value("7")
    expect(page.locator(FOLD)).to_have_attribute("aria-label", "Negative prompt, holds a text")
    expect(page.locator(COUNTER)).to_have_text("3/75")


def told_picture() -> bytes:
    """A PNG with generation parameters."""
    told = PngInfo()
    told.add_text("parameters", INFOTEXT)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG", pnginfo=told)
    return buffer.getvalue()


def test_a_picture_dropped_on_the_prompt_offers_its_parameters(page: Page) -> None:
    said(page, "form:fill")
    drop(page, PROMPT, "cat.png", "image/png", told_picture())
    dialog = page.get_by_role("dialog", name="cat.png")
    expect(dialog.get_by_label("Generation parameters")).to_contain_text("a blue cat")
    dialog.get_by_role("button", name="Use its parameters").click()
    assert heard(page) == [{"text": INFOTEXT}]
    expect(dialog).to_have_count(0)


def test_keys_pressed_while_dropped_pictures_are_read_fill_nothing_and_the_last_picture_is_offered(page: Page) -> None:
    held: list[Route] = []
    page.route("**/internal/page/dropped-picture", lambda route: held.append(route))
    dialogs = page.locator(".drop-dialog")
    said(page, "form:fill")
    for name in ("one.png", "two.png"):
        drop(page, PROMPT, name, "image/png", told_picture())
    eventually(page, lambda: len(held) == 2)
    page.locator(PROMPT).press("a")
    with page.expect_response("**/internal/page/dropped-picture"):
        held[0].continue_()
    held[1].continue_()
    expect(page.get_by_role("dialog", name="two.png").get_by_label("Generation parameters")).to_be_visible()
    for key in ("Space", "Enter"):
        page.keyboard.press(key)
    expect(dialogs).to_have_count(1)
    assert page.evaluate("window.heard") == []
    expect(page.locator(PROMPT)).to_have_value("a")
    page.unroute("**/internal/page/dropped-picture")
    drop(page, ".drop-dialog", "three.png", "image/png", told_picture())
    expect(page.get_by_role("dialog", name="three.png").get_by_role("button", name="Use its")).to_be_focused()
    expect(dialogs).to_have_count(1)


def test_a_picture_without_parameters_can_still_be_sent_to_img2img(page: Page) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 16)).save(buffer, "PNG")
    said(page, "picture:send")
    drop(page, ".pane-settings", "plain.png", "image/png", buffer.getvalue())
    dialog = page.get_by_role("dialog", name="plain.png")
    expect(dialog.get_by_role("button", name="Use its parameters")).to_be_disabled()
    dialog.get_by_role("button", name="Send to img2img").click()
    (sent,) = heard(page)
    assert (sent["to"], sent["picture"]["width"], sent["picture"]["height"]) == ("img2img", 32, 16)


def test_a_text_file_dropped_on_the_prompt_is_written_into_it(page: Page) -> None:
    drop(page, PROMPT, "idea.txt", "text/plain", b"a cat in the rain\n")
    expect(page.locator(PROMPT)).to_have_value("a cat in the rain")


def test_what_i_sent_before_comes_back_by_keys_and_from_the_list(page: Page) -> None:
    for text in ("a cat", "a dog"):
        generate(page, text)
    type_prompt(page, "an unfinished thought")
    page.locator(PROMPT).press("Control+Shift+ArrowUp")
    expect(page.locator(PROMPT)).to_have_value("a dog")
    page.keyboard.press("Control+Shift+ArrowUp")
    expect(page.locator(PROMPT)).to_have_value("a cat")
    for _ in range(2):
        page.keyboard.press("Control+Shift+ArrowDown")
    expect(page.locator(PROMPT)).to_have_value("an unfinished thought")
    page.reload()
    expect(page.locator("#txt2img_generate")).to_be_visible()
    page.locator("#txt2img_prompt_history").click()
    panel = page.get_by_role("dialog", name="Prompts that were sent")
    panel.get_by_role("searchbox").fill("CAT")
    panel.get_by_role("button", name="a cat").click()
    expect(page.locator(PROMPT)).to_have_value("a cat")
