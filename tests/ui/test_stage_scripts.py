"""Stage, strip and queue on a bare page: what they make of events that a test sends."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Error, Page, expect

from tests.ui.bare import ORIGIN, bare_page, job_picture, job_progress, job_row, whole_state

PARTS = """
<div class="own stage" style="position:absolute;inset:0 200px 0 0"></div>
<div class="own queue_panel" id="queue_panel" style="position:absolute;inset:0 200px 0 0"></div>
<div style="position:absolute;inset:0 0 0 auto;width:196px"><div class="own strip"></div></div>
"""
MOUNTED = """
async () => {
  window.heardOnBus = [];
  const bus = await import("/static/bus.js");
  for (const name of ["picture:send", "form:fill", "picture:shown"])
    bus.hear(name, (detail) => window.heardOnBus.push([name, detail]));
  for (const name of ["stage", "queue_panel", "strip"]) {
    const module = await import(`/static/${name}.js`);
    const props = {};
    if (name === "strip") window.stripProps = props;
    module.mount({ element: document.querySelector(`.own.${name}`), props, watch: () => {} });
  }
}
"""


@pytest.fixture(scope="module")
def tab(browser: Browser, png: bytes) -> Iterator[Page]:
    """One tab for the file, with a new document for each test."""
    with bare_page(browser, body=PARTS, pictures=png) as page:
        page.set_default_timeout(20_000)
        yield page


@pytest.fixture
def parts(tab: Page) -> Iterator[Page]:
    """Stage, strip and queue, which have opened their stream."""
    expect.set_options(timeout=20_000)
    faults: list[str] = []

    def note(error: Error) -> None:
        faults.append(error.stack or str(error))

    tab.on("pageerror", note)
    tab.evaluate(MOUNTED)
    yield tab
    tab.evaluate("localStorage.clear(); sessionStorage.clear()")
    tab.mouse.move(0, 0)
    tab.goto(ORIGIN)
    tab.remove_listener("pageerror", note)
    assert faults == []


@pytest.fixture(scope="module")
def png() -> bytes:
    """A picture of 512 x 512 in one colour."""
    file = io.BytesIO()
    Image.new("RGB", (512, 512), (90, 160, 214)).save(file, "PNG")
    return file.getvalue()


def send(page: Page, name: str, data: dict[str, Any]) -> None:
    page.evaluate("([name, data]) => window.sent(name, data)", [name, data])


def expect_shown(page: Page, name: str) -> None:
    image = page.locator(".own.stage .plane .now")
    expect(image).to_have_attribute("src", f"http://bare.test/picture/{name}")
    expect(image).to_be_visible()


def test_the_newest_picture_is_on_the_stage_with_its_prompt_as_name(parts: Page) -> None:
    send(parts, "state", whole_state([], [job_picture("2"), job_picture("1")]))
    expect_shown(parts, "2/0")
    expect(parts.get_by_role("img", name="a cat, 2", exact=True).first).to_be_visible()
    expect(parts.locator(".own.stage .facts")).to_have_text("512 × 512 · seed 7")


def test_a_picture_of_mine_takes_the_stage_unless_another_is_looked_at(parts: Page) -> None:
    send(parts, "state", whole_state([], [job_picture("1"), job_picture("0")]))
    send(parts, "job", job_row("2", "running"))
    send(parts, "picture", job_picture("2"))
    expect_shown(parts, "2/0")
    parts.locator(".own.strip .thumb").nth(2).click()
    expect_shown(parts, "0/0")
    send(parts, "picture", job_picture("2", 1))
    expect(parts.locator(".own.strip .thumb")).to_have_count(4)
    expect_shown(parts, "0/0")
    send(parts, "job", job_row("3"))  # what the user starts is what the user wants to see
    send(parts, "job", job_row("3", "running"))
    send(parts, "picture", job_picture("3"))
    expect_shown(parts, "3/0")


def test_a_batch_tells_how_far_it_is_beside_the_picture_in_work(parts: Page) -> None:
    batch = job_row("b", "running", kind="batch", title="holidays", pictures=1, expected=3)
    send(parts, "state", whole_state([batch, job_row("1", "running")], [job_picture("0")]))
    send(parts, "progress", job_progress("1", 0.5))
    send(parts, "progress", job_progress("b", 1 / 3))
    expect(parts.locator(".own.stage .pill")).to_contain_text("1 of 3 pictures")
    expect(parts.locator(".own.stage .batch")).to_be_hidden()
    expect(parts.locator(".own.strip .open .n")).to_have_text("1")
    assert parts.title().startswith("33 %")
    send(parts, "job", {**batch, "pictures": 2})
    send(parts, "gone", {"id": "1"})
    expect(parts.locator(".own.stage .pill")).to_have_text("2 of 3 pictures")


def test_maps_of_extensions_are_cells_beside_the_picture(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("1", "done", extras=2, pictures=1)], [job_picture("1")]))
    expect_shown(parts, "1/0")
    parts.keyboard.press("g")
    cells = parts.locator(".own.stage .batch .cell")
    expect(cells).to_have_count(3)
    expect(cells.nth(1).locator("img")).to_have_attribute("src", re.compile("jobs/1/extras/0$"))
    expect(cells.nth(2)).to_have_attribute("aria-label", "Map 3 of an extension")
    expect(cells.nth(2)).to_be_enabled()


def test_a_picture_of_somebody_else_comes_as_a_thumbnail_only(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("2", "running", mine=False)], [job_picture("1")]))
    send(parts, "picture", job_picture("2"))
    expect(parts.locator(".own.strip .thumb")).to_have_count(2)
    expect_shown(parts, "1/0")
    expect(parts.locator(".own.stage .pill")).to_be_hidden()


def test_the_preview_is_shown_in_the_place_of_the_picture_to_come(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("1", "running")], []))
    send(parts, "progress", job_progress("1", 0.5, preview="picture/preview/3"))
    expect_shown(parts, "preview/3")
    small = parts.locator(".own.stage .plane").bounding_box()
    send(parts, "picture", job_picture("1"))
    send(parts, "job", job_row("1", "done"))
    expect_shown(parts, "1/0")
    assert parts.locator(".own.stage .plane").bounding_box() == small
    expect(parts.locator(".own.stage .edge")).to_be_hidden()


def test_pictures_of_a_batch_appear_as_they_are_made(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("1", "running", expected=4)], []))
    cells = parts.locator(".own.stage .batch .cell")
    expect(cells).to_have_count(4)
    send(parts, "picture", job_picture("1", 0))
    expect(parts.locator(".own.stage .batch .cell:enabled")).to_have_count(1)
    before = cells.nth(3).bounding_box()
    send(parts, "picture", job_picture("1", 1))
    expect(parts.locator(".own.stage .batch .cell:enabled")).to_have_count(2)
    assert cells.nth(3).bounding_box() == before
    cells.nth(0).click()
    expect_shown(parts, "1/0")


def test_arrows_go_from_picture_to_picture_and_zoom_is_by_keys(parts: Page) -> None:
    send(parts, "state", whole_state([], [job_picture("2"), job_picture("1")]))
    expect_shown(parts, "2/0")
    parts.locator(".own.stage .view").focus()
    parts.keyboard.press("ArrowRight")
    expect_shown(parts, "1/0")
    parts.keyboard.press("ArrowRight")
    expect_shown(parts, "1/0")
    parts.keyboard.press("ArrowLeft")
    expect_shown(parts, "2/0")
    percent = parts.locator(".own.stage .percent")
    expect(percent).to_have_text("fit")
    parts.keyboard.press("1")
    expect(percent).to_have_text("100 %")
    parts.keyboard.press("+")
    expect(percent).to_have_text("125 %")
    parts.keyboard.press("0")
    expect(percent).to_have_text("fit")


def test_the_wheel_zooms_at_the_pointer_and_a_drag_moves(parts: Page) -> None:
    send(parts, "state", whole_state([], [job_picture("1")]))
    expect_shown(parts, "1/0")
    plane = parts.locator(".own.stage .plane")
    before = plane.bounding_box()
    assert before is not None
    at = (before["x"] + 0.25 * before["width"], before["y"] + 0.25 * before["height"])
    parts.mouse.move(*at)
    parts.mouse.wheel(0, -400)
    expect(parts.locator(".own.stage .percent")).not_to_have_text("fit")
    after = plane.bounding_box()
    assert after is not None
    assert after["width"] > 1.5 * before["width"]
    assert after["x"] + 0.25 * after["width"] == pytest.approx(at[0], abs=1.5)
    parts.mouse.down()
    parts.mouse.move(at[0] + 30, at[1] + 20)
    parts.mouse.up()
    moved = plane.bounding_box()
    assert moved is not None
    assert (moved["x"] - after["x"], moved["y"] - after["y"]) == pytest.approx((30, 20), abs=1)


def test_two_pictures_are_compared_by_a_line_that_is_drawn(parts: Page) -> None:
    send(parts, "state", whole_state([], [job_picture("2"), job_picture("1")]))
    expect_shown(parts, "2/0")
    parts.get_by_role("button", name="Compare with the one before (C)").click()
    handle = parts.get_by_role("slider", name="Compare with the other picture")
    expect(handle).to_have_attribute("aria-valuenow", "50")
    handle.focus()
    parts.keyboard.press("ArrowLeft")
    expect(handle).to_have_attribute("aria-valuenow", "48")
    assert "48%" in (parts.locator(".own.stage .now").get_attribute("style") or "")
    parts.locator(".own.stage .view").focus()
    parts.keyboard.press("c")
    expect(handle).to_be_hidden()


def test_actions_say_what_to_do_with_the_picture(parts: Page) -> None:
    send(parts, "state", whole_state([], [job_picture("1")]))
    expect_shown(parts, "1/0")
    parts.get_by_role("button", name="Send to inpaint").click()
    parts.get_by_role("button", name="More").click()
    parts.get_by_role("menuitem", name="Reuse its seed").click()
    said = [entry for entry in parts.evaluate("window.heardOnBus") if entry[0] != "picture:shown"]
    assert said == [
        ["picture:send", {"picture": job_picture("1"), "to": "inpaint"}],
        ["form:fill", {"text": job_picture("1")["text"], "only": ["seed"]}],
    ]


def test_an_error_stays_until_something_new_is_started(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("1", "running")], []))
    send(parts, "job", job_row("1", "failed", reason="<b>no</b> memory"))
    error = parts.get_by_role("alert")
    expect(error).to_contain_text("<b>no</b> memory")
    expect(parts.locator(".own.strip .job[data-state=failed]")).to_be_visible()
    send(parts, "job", job_row("2"))
    expect(error).to_have_count(0)


def test_the_stream_comes_back_by_itself_and_says_so(parts: Page) -> None:
    send(parts, "state", whole_state([], [job_picture("1")]))
    expect_shown(parts, "1/0")
    parts.evaluate("window.broken()")
    parts.wait_for_function("window.streams.length === 2")
    parts.evaluate("window.broken()")
    expect(parts.locator(".own.stage .pill")).to_have_text("Server does not answer; trying again")
    parts.wait_for_function("window.streams.length === 3")
    send(parts, "state", whole_state([], [job_picture("2"), job_picture("1")], server="two"))
    expect(parts.locator(".own.stage .pill")).to_be_hidden()
    expect(parts.get_by_role("status").filter(has_text="The server is back.")).to_be_visible()
    assert parts.evaluate("window.streams.filter((one) => !one.isClosed).length") == 1


HIDDEN = """
(isHidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
  return window.streams.filter((one) => !one.isClosed).length;
}
"""


def test_a_hidden_tab_listens_only_while_its_own_jobs_are_at_work(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("1", "running", mine=False)], []))
    assert parts.evaluate(HIDDEN, True) == 0
    assert parts.evaluate(HIDDEN, False) == 1
    send(parts, "state", whole_state([job_row("1", "running")], []))
    assert parts.evaluate(HIDDEN, True) == 1
    send(parts, "progress", job_progress("1", 0.45))
    assert parts.title().startswith("45 %")


def test_title_and_icon_tell_the_progress_and_are_put_back(parts: Page) -> None:
    parts.evaluate("document.title = 'Stable Diffusion'")
    send(parts, "state", whole_state([job_row("1", "running")], []))
    send(parts, "progress", job_progress("1", 0.45))
    assert parts.title() == "45 % · Stable Diffusion"
    icon = "document.querySelector('link[rel~=icon]').href"
    assert parts.evaluate(icon).startswith("data:image/png")
    send(parts, "job", job_row("1", "done"))
    assert parts.title() == "Stable Diffusion"
    assert not parts.evaluate(icon).startswith("data:")


def shown(page: Page) -> str:
    """The id of the picture that the stage has said it shows."""
    said = [detail["picture"] for name, detail in page.evaluate("window.heardOnBus") if name == "picture:shown"]
    return str(said[-1]["id"])


def test_what_was_sent_before_i_looked_elsewhere_leaves_me_there_though_it_becomes_a_job_later(parts: Page) -> None:
    def do(script: str) -> None:
        parts.evaluate(f"async () => {{ const sent = await import('/static/submissions.js'); {script} }}")

    def made(job_id: str) -> None:
        send(parts, "job", job_row(job_id))
        send(parts, "job", job_row(job_id, "running"))
        send(parts, "picture", job_picture(job_id))
        send(parts, "job", job_row(job_id, "done"))

    send(parts, "state", whole_state([], [job_picture("1"), job_picture("0")]))
    thumbs = parts.locator(".own.strip .thumb")
    do("window.one = sent.begin()")
    thumbs.last.click()
    do("sent.answered(one, '2')")
    made("2")
    assert shown(parts) == "0/0"
    do("window.one = sent.begin()")  # which is something new
    made("3")
    assert shown(parts) == "3/0"
    do("sent.answered(one, '3'); window.one = sent.begin()")
    thumbs.last.click()
    do("sent.answered(one)")  # the server refused it, and no job is to come of it
    made("4")
    assert shown(parts) == "4/0"


def test_the_menu_acts_on_the_picture_over_which_it_was_opened(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("2", "running"), job_row("3")], [job_picture("1")]))
    more = parts.get_by_role("button", name="More")
    more.click()
    send(parts, "picture", job_picture("2"))
    assert shown(parts) == "2/0"
    parts.get_by_role("menuitem", name="Reuse its seed").click()
    said = [detail for name, detail in parts.evaluate("window.heardOnBus") if name == "form:fill"]
    assert said == [{"text": job_picture("1")["text"], "only": ["seed"]}]
    more.click()
    send(parts, "picture", job_picture("3"))
    assert shown(parts) == "3/0"
    with parts.expect_request("**/library/of-job/2/0"):
        parts.get_by_role("menuitem", name="Delete").click()
