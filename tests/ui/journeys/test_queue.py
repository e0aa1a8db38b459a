"""What a person does with the queue, in a real browser: wait, change one's mind, share the machine with others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.ui.driving import WAIT, eventually, generate
from tests.ui.fakes import FakeEngine
from tests.ui.journeys.test_form import OPEN, box
from tests.ui.journeys.test_stage import expect_made, picture, pill, send, thumbs


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    return page_that_stays


@pytest.fixture(autouse=True)
def _slow(engine: FakeEngine) -> Iterator[None]:
    """Jobs last until the test lets them go on."""
    engine.hold()
    yield
    engine.go_on()


def jobs(page: Page) -> Locator:
    return page.locator("#txt2img_queue .job")


def rows(page: Page) -> Locator:
    return page.locator("#queue_panel .row")


def three_jobs(page: Page) -> None:
    for name in ("one", "two", "three"):
        generate(page, name)
        expect(jobs(page).filter(has_text=name)).to_have_count(1)


def test_every_press_of_generate_is_a_job(page: Page, engine: FakeEngine) -> None:
    three_jobs(page)
    expect(page.locator("#txt2img_generate")).to_have_text("Queue (3)")
    expect(page.locator("#txt2img_queue .open")).to_have_text("Queue3")
    page.reload()
    expect(jobs(page)).to_have_count(3)
    expect(page.locator("#txt2img_generate")).to_have_text("Queue (3)")
    engine.go_on()
    expect_made(page, 3)
    expect(page.locator("#txt2img_generate")).to_have_text("Generate")


def test_i_generate_twice_and_cancel_the_second(page: Page, engine: FakeEngine) -> None:
    generate(page, "one")
    expect(pill(page)).to_contain_text("Sampling")
    generate(page, "two")
    page.get_by_role("button", name="Remove: two").click()
    expect(jobs(page)).to_have_count(1)
    engine.go_on()
    expect_made(page, 1)
    expect(picture(page)).to_have_attribute("alt", "one")


def test_stop_is_red_while_mine_runs_and_stops_it(page: Page) -> None:
    stop = page.locator("#txt2img_interrupt")
    calm = stop.evaluate("(button) => getComputedStyle(button).backgroundColor")
    generate(page, "one")
    expect(pill(page)).to_contain_text("Sampling")
    expect(stop).to_have_css("background-color", "rgb(198, 47, 47)")
    stop.click()
    expect(jobs(page)).to_have_count(0)
    expect(pill(page)).to_be_hidden()
    page.mouse.move(0, 0)
    expect(stop).to_have_css("background-color", calm)


def test_stop_never_stops_the_job_of_another_browser(
    page: Page, browser: Browser, address: str, engine: FakeEngine
) -> None:
    generate(page, "mine")
    expect(pill(page)).to_contain_text("Sampling")
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    other = context.new_page()
    other.set_default_timeout(WAIT)
    other.goto(address)
    expect(jobs(other)).to_have_count(1)  # everybody sees it
    expect(pill(other)).to_be_hidden()  # but it is not theirs
    generate(other, "theirs")
    expect(pill(other)).to_have_text("Waiting, 1 before it")
    other.locator("#txt2img_interrupt").click()
    expect(jobs(other)).to_have_count(1)
    expect(jobs(page)).to_have_count(1)
    other.locator("#txt2img_interrupt").click()
    expect(other.locator("#txt2img_gallery .notice").last).to_contain_text("Nothing of yours is running.")
    engine.go_on()
    expect_made(page, 1)
    expect(thumbs(other)).to_have_count(1)
    context.close()


def test_i_skip_a_picture_and_the_next_one_is_made(page: Page, engine: FakeEngine) -> None:
    send(page, engine, n_iter=2)
    expect(pill(page)).to_contain_text("picture 1 of 2")
    page.locator("#txt2img_skip").click()
    expect(pill(page)).to_contain_text("picture 2 of 2")
    engine.go_on()
    expect(thumbs(page)).to_have_count(1)


def test_i_generate_forever_until_i_stop(page: Page, engine: FakeEngine) -> None:
    generate(page, "one")
    expect(pill(page)).to_contain_text("Sampling")
    page.evaluate("window.webui.queue.forever(true)")
    engine.step_seconds = 0.02
    engine.go_on()
    expect(thumbs(page).nth(2)).to_be_visible()
    page.locator("#txt2img_interrupt").click()
    expect(jobs(page)).to_have_count(0)
    made = thumbs(page).count()
    page.wait_for_timeout(1000)  # milliseconds, in which two more would come
    assert thumbs(page).count() == made


def test_i_stop_a_job_after_the_picture_that_is_made(page: Page, engine: FakeEngine) -> None:
    send(page, engine, n_iter=5)
    expect(pill(page)).to_contain_text("picture 1 of 5")
    page.evaluate("window.webui.queue.finish(document.querySelector('#txt2img_queue .job').dataset.key)")
    engine.go_on()
    expect(jobs(page)).to_have_count(0)
    expect(thumbs(page)).to_have_count(1)


def test_i_change_the_order_by_keys(page: Page, engine: FakeEngine) -> None:
    three_jobs(page)
    page.locator("#txt2img_gallery .view").focus()
    page.keyboard.press("q")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("End")
    page.keyboard.press("Alt+ArrowUp")
    expect(rows(page).nth(1)).to_contain_text("three")
    expect(rows(page).nth(1)).to_be_focused()
    page.keyboard.press("Delete")
    expect(rows(page)).to_have_count(2)
    expect(rows(page).nth(1)).to_contain_text("two")
    page.keyboard.press("Escape")
    expect(page.locator("#txt2img_gallery .view")).to_be_focused()
    engine.go_on()
    eventually(page, lambda: [made.prompt for made in engine.asked] == ["one", "two", "three"])
    expect_made(page, 2)


def test_i_pause_the_queue_and_let_it_go_on(page: Page, engine: FakeEngine) -> None:
    generate(page, "one")
    expect(pill(page)).to_contain_text("Sampling")
    generate(page, "two")
    page.locator("#txt2img_queue .open").click()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator("#queue_panel")).to_contain_text("paused")
    engine.go_on()
    expect(thumbs(page)).to_have_count(1)
    expect(pill(page)).to_have_text("The queue is paused")
    page.get_by_role("button", name="Go on").click()
    expect(thumbs(page)).to_have_count(2)


def test_i_edit_a_job_that_waits_and_it_leaves_the_queue(page: Page) -> None:
    generate(page, "one")
    expect(pill(page)).to_contain_text("Sampling")
    generate(page, "two")
    generate(page, "something else")
    page.locator("#txt2img_queue .open").click()
    page.get_by_role("button", name="Edit: two").click()
    expect(jobs(page)).to_have_count(2)
    expect(page.locator("#txt2img_prompt textarea")).to_have_value("two")


def test_what_i_edit_comes_back_with_its_number_and_its_picture(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    Image.new("RGB", (64, 96), (200, 30, 30)).save(tmp_path / "picture.png")
    generate(page, "one")
    expect(pill(page)).to_contain_text("Sampling")
    page.get_by_role("tab", name="img2img").click()
    page.evaluate(OPEN, [*(tmp_path / "picture.png").read_bytes()])
    page.wait_for_function("window.webui.canvas.size()?.height === 96")
    box(page, "txt2img_batch_count").fill("3")
    box(page, "txt2img_batch_size").fill("2")
    generate(page, "two")
    expect(jobs(page).filter(has_text="two")).to_have_count(1)
    Image.new("RGB", (32, 32)).save(tmp_path / "other.png")
    page.evaluate(OPEN, [*(tmp_path / "other.png").read_bytes()])
    page.wait_for_function("window.webui.canvas.size()?.height === 32")
    box(page, "txt2img_batch_count").fill("1")
    box(page, "txt2img_batch_size").fill("1")
    page.locator("#txt2img_queue .open").click()
    page.get_by_role("button", name="Edit: two").click()
    expect(jobs(page).filter(has_text="two")).to_have_count(0)
    expect(box(page, "txt2img_batch_count")).to_have_value("3")
    expect(box(page, "txt2img_batch_size")).to_have_value("2")
    page.wait_for_function("window.webui.canvas.size()?.height === 96")
    engine.go_on()
