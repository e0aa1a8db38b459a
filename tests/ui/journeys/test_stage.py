"""What a person does with the stage, in a real browser: make pictures, look at them, come back to them."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.narrowing import known
from tests.ports import open_port
from tests.ui.accessibility import axe_in_both_themes
from tests.ui.driving import WAIT, generate, type_prompt, whole_page
from tests.ui.fakes import FakeEngine
from tests.ui.staying import Staying
from tests.ui.visiting import forget, visit
from webui.domain.request import GenerationRequest
from webui.domain.visitor import COOKIE, PAGE

SHIFTS = """
() => {
  window.shifted = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shifted += one.value; })
    .observe({ type: "layout-shift", buffered: false });
}
"""


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    return page_that_stays


def picture(page: Page) -> Locator:
    """The large picture, or the preview of it."""
    return page.locator("#txt2img_gallery .plane .now")


def thumbs(page: Page) -> Locator:
    return page.locator("#txt2img_queue .thumb")


def pill(page: Page) -> Locator:
    return page.locator("#txt2img_gallery .pill")


def expect_made(page: Page, count: int) -> None:
    """So many pictures are there, and nothing is at work."""
    expect(thumbs(page)).to_have_count(count)
    expect(pill(page)).to_be_hidden()
    expect(picture(page)).to_have_attribute("src", known(first_of(page)))


def first_of(page: Page) -> str | None:
    """The address of the newest picture."""
    thumb = thumbs(page).first.locator("img").get_attribute("src")
    return thumb.removesuffix("/thumb") if thumb else None


def owner(context: BrowserContext) -> str:
    """Of the jobs that a browser sends."""
    values = (cookie for cookie in context.cookies() if cookie.get("name") == COOKIE)
    return f"{PAGE} {known(next(values).get('value'))}"


def send(page: Page, engine: FakeEngine, **fields: object) -> None:
    """A job of this browser with fields that the form need not show."""
    request = GenerationRequest.model_validate({"prompt": "a cat", "checkpoint": "mini.safetensors", **fields})
    engine.submit(request, save=True, owner=owner(page.context))


def test_i_press_generate_and_the_picture_takes_the_stage(page: Page) -> None:
    expect(page.locator("#txt2img_gallery")).to_contain_text("The picture appears here.")
    generate(page, "a cat on a mat")
    expect_made(page, 1)
    expect(picture(page)).to_have_attribute("alt", "a cat on a mat")
    box = known(picture(page).bounding_box())
    assert box["y"] <= 90
    assert box["height"] > 600


def test_i_see_the_preview_the_progress_and_the_time_while_it_is_made(page: Page, engine: FakeEngine) -> None:
    engine.hold()
    generate(page, "a slow cat")
    expect(pill(page)).to_contain_text("Sampling")
    expect(picture(page)).to_have_attribute("src", re.compile(r"/preview/\d+$"))
    edge = page.get_by_role("progressbar", name="Progress")
    expect(edge).not_to_have_attribute("aria-valuenow", "0")
    expect(page).to_have_title(re.compile(r"^\d+ % · "))
    engine.go_on()
    expect_made(page, 1)
    expect(page).not_to_have_title(re.compile("%"))
    expect(edge).to_be_hidden()


def test_the_page_stands_still_from_generate_to_the_picture(page: Page, engine: FakeEngine) -> None:
    generate(page, "the first")
    expect_made(page, 1)
    engine.step_seconds = 0.05
    page.evaluate(SHIFTS)
    generate(page, "the second")
    expect_made(page, 2)
    page.wait_for_timeout(300)  # milliseconds, in which the browser reports the last frames
    assert page.evaluate("window.shifted") < 0.01


def test_pictures_of_a_batch_appear_as_they_are_made(page: Page, engine: FakeEngine) -> None:
    engine.hold(after=1)
    send(page, engine, n_iter=4, steps=5, width=256, height=256)
    cells = page.locator("#txt2img_gallery .batch .cell")
    expect(cells).to_have_count(4)
    expect(page.locator("#txt2img_gallery .batch .cell:enabled")).to_have_count(1)
    expect(thumbs(page)).to_have_count(1)
    engine.go_on()
    expect(page.locator("#txt2img_gallery .batch .cell:enabled")).to_have_count(4)
    cells.nth(1).click()
    expect(picture(page)).to_be_visible()
    expect(page.locator("#txt2img_gallery .facts")).to_contain_text("256 × 256")
    page.keyboard.press("g")
    expect(cells).to_have_count(4)


def test_i_look_at_an_older_picture_and_new_ones_leave_me_alone(page: Page, engine: FakeEngine) -> None:
    for name in ("one", "two"):
        generate(page, name)
        expect(picture(page)).to_have_attribute("alt", name)
    engine.hold()
    generate(page, "three")
    expect(pill(page)).to_contain_text("Sampling")
    page.get_by_role("button", name="one", exact=True).click()
    expect(picture(page)).to_have_attribute("alt", "one")
    engine.go_on()
    expect(thumbs(page)).to_have_count(3)
    expect(pill(page)).to_be_hidden()
    expect(picture(page)).to_have_attribute("alt", "one")


def test_i_go_to_the_next_picture_and_back_by_the_arrow_keys(page: Page) -> None:
    for name in ("one", "two", "three"):
        generate(page, name)
        expect(picture(page)).to_have_attribute("alt", name)
    page.locator("#txt2img_gallery .view").focus()
    for name in ("two", "one", "one"):
        page.keyboard.press("ArrowRight")
        expect(picture(page)).to_have_attribute("alt", name)
    page.keyboard.press("ArrowLeft")
    expect(picture(page)).to_have_attribute("alt", "two")
    expect(page.locator("#txt2img_queue .thumb[aria-current]")).to_have_attribute("data-key", re.compile(".+/0"))


def test_i_zoom_in_and_look_at_it_on_the_full_screen(page: Page) -> None:
    generate(page, "a cat")
    expect_made(page, 1)
    percent = page.locator("#txt2img_gallery .percent")
    picture(page).dblclick()
    expect(percent).to_have_text("100 %")
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement?.id === 'stage'")
    expect(page.get_by_role("button", name="Full screen (F)")).to_be_visible()
    page.keyboard.press("0")
    expect(percent).to_have_text("fit")
    page.wait_for_function("document.querySelector('.own.stage .view').clientHeight > 900")
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement === null")


def test_i_read_the_parameters_and_fetch_the_exact_file(page: Page, tmp_path: Path) -> None:
    generate(page, "a cat on a mat")
    expect_made(page, 1)
    page.keyboard.press("Tab")
    page.locator("#txt2img_gallery .view").focus()
    page.keyboard.press("p")
    text = page.locator("#txt2img_gallery .parameters pre")
    expect(text).to_contain_text("Steps: 20")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
    waiting.value.save_as(tmp_path / "fetched.png")
    assert Image.open(tmp_path / "fetched.png").info["parameters"] == text.text_content()


def test_i_reload_while_it_is_made_and_find_everything_again(page: Page, engine: FakeEngine) -> None:
    generate(page, "before")
    expect_made(page, 1)
    engine.hold()
    generate(page, "a slow cat")
    expect(pill(page)).to_contain_text("Sampling")
    page.reload()
    expect(pill(page)).to_contain_text("Sampling")
    expect(thumbs(page)).to_have_count(1)
    engine.go_on()
    expect_made(page, 2)
    expect(picture(page)).to_have_attribute("alt", "a slow cat")


def test_a_job_fails_and_says_why_until_the_next_generate(page: Page, engine: FakeEngine) -> None:
    engine.failure = RuntimeError("<i>out of paint</i>")
    generate(page, "a cat")
    error = page.locator("#txt2img_gallery [role=alert]")
    expect(error).to_be_visible()
    expect(page.locator("#txt2img_queue .job[data-state=failed]")).to_be_visible()
    engine.failure = None
    generate(page, "another")
    expect(error).to_have_count(0)
    expect(picture(page)).to_have_attribute("alt", "another")


@pytest.mark.usefixtures("opened_anew")  # the prompt has the focus at first
def test_i_do_all_of_it_by_the_keyboard_alone(page: Page, engine: FakeEngine) -> None:
    expect(page.locator("#txt2img_prompt textarea")).to_be_focused()
    page.locator("#txt2img_gallery .view").focus()
    page.keyboard.press("/")
    expect(page.locator("#txt2img_prompt textarea")).to_be_focused()
    page.keyboard.type("a cat by hand")
    page.keyboard.press("Control+Enter")
    expect(picture(page)).to_have_attribute("alt", "a cat by hand")
    page.locator("#stage_more").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Send to ControlNet")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#stage_more")).to_be_focused()
    engine.hold()
    page.keyboard.press("Control+Enter")
    expect(pill(page)).to_contain_text("Sampling")
    page.keyboard.press("Escape")
    expect(pill(page)).to_be_hidden()
    thumbs(page).first.focus()
    expect(thumbs(page).first).to_be_focused()


def test_stage_and_queue_shut_nobody_out(page: Page, engine: FakeEngine) -> None:
    generate(page, "a cat")
    expect_made(page, 1)
    engine.hold()
    for name in ("one", "two"):
        generate(page, name)
    expect(pill(page)).to_contain_text("Sampling")
    page.locator("#txt2img_gallery .view").focus()
    page.keyboard.press("p")
    page.locator("#txt2img_queue .open").click()
    found = axe_in_both_themes(page, "#stage, #strip")
    page.get_by_role("button", name="Close the queue").click()
    page.locator("#stage_more").click()
    found += axe_in_both_themes(page, "#stage")
    assert found == []


def test_what_is_said_is_seen_in_other_tabs_too(page: Page, engine: FakeEngine) -> None:
    engine.hold()
    generate(page, "a cat")
    expect(pill(page)).to_contain_text("Sampling")
    page.get_by_role("tab", name="Learn").click()
    engine.failure = RuntimeError("no paint")
    engine.go_on()
    expect(page.locator(".toasts [role=alert]")).to_be_visible()


@contextmanager
def serving(app: FastAPI, port: int) -> Iterator[None]:
    """The application at a port, until it is killed."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield
    server.should_exit = server.force_exit = True
    thread.join(10)


def test_the_server_is_killed_and_comes_back(
    staying: Staying, shared_context: BrowserContext, engine: FakeEngine, tmp_path: Path
) -> None:
    port = open_port()
    address = f"http://127.0.0.1:{port}/"
    staying.leave()
    page = visit(shared_context)
    page.set_default_timeout(WAIT)
    with serving(whole_page(engine, tmp_path), port):
        page.goto(address)
        generate(page, "a cat")
        expect_made(page, 1)
        type_prompt(page, "still here")
    expect(pill(page)).to_have_text("Server does not answer; trying again")
    page.locator("#txt2img_queue .open").click()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("#txt2img_gallery [role=alert]")).to_contain_text("The server does not answer.")
    with serving(whole_page(engine, tmp_path), port):
        expect(pill(page)).to_be_hidden()
        expect(page.locator("#txt2img_prompt textarea")).to_have_value("still here")
        page.locator("#txt2img_generate").click()
        expect_made(page, 2)
        forget(shared_context, address)
