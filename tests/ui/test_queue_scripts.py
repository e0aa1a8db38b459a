"""The queue on a bare page: what it makes of events that a test sends, also where they come before an answer."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.narrowing import known
from tests.ui.bare import job_progress, job_row, whole_state
from tests.ui.driving import eventually
from tests.ui.test_stage_scripts import parts as parts
from tests.ui.test_stage_scripts import png as png
from tests.ui.test_stage_scripts import send
from tests.ui.test_stage_scripts import tab as tab

ROWS = ".own.queue_panel .row"


def queue_of_three(page: Page) -> None:
    send(page, "state", whole_state([job_row("1", "running"), job_row("2"), job_row("3", position=1)], []))


def commands(page: Page) -> list[str]:
    """What the page asks of the server from now on, as "path body"."""
    asked: list[str] = []

    def note(request: Any) -> None:
        if request.method == "POST":
            asked.append(f"{request.url.partition('internal/page/')[2]} {request.post_data}")

    page.on("request", note)
    return asked


def test_every_job_has_a_row_and_its_cross_cancels_it(parts: Page) -> None:
    queue_of_three(parts)
    asked = commands(parts)
    expect(parts.locator(".own.strip .job")).to_have_count(3)
    expect(parts.get_by_role("button", name="Queue 3")).to_be_visible()
    assert parts.evaluate("window.stripProps.value") == {"waiting": 3, "running": True}
    with parts.expect_request("**/cancel"):
        parts.get_by_role("button", name="Remove: a cat, 2").click()
    assert asked == ["jobs/2/cancel {}"]


def test_each_of_several_running_jobs_has_its_own_bar(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("1", "running"), job_row("2", "running"), job_row("3")], []))
    for job_id, share in (("1", 0.25), ("2", 0.75)):
        send(parts, "progress", job_progress(job_id, share))
    parts.get_by_role("button", name="Queue 3").click()
    bars = parts.locator(".own.queue_panel .row .share")
    shown = bars.evaluate_all("all => all.map((one) => one.hidden ? '' : one.firstChild.style.transform)")
    assert shown == ["scaleX(0.25)", "scaleX(0.75)", ""]


def test_the_queue_is_worked_by_keys_and_the_focus_stays_on_its_row(parts: Page) -> None:
    queue_of_three(parts)
    asked = commands(parts)
    parts.locator(".own.stage .view").focus()
    parts.keyboard.press("q")
    rows = parts.locator(".own.queue_panel .row")
    expect(rows.nth(0)).to_be_focused()
    parts.keyboard.press("ArrowDown")
    parts.keyboard.press("ArrowDown")
    expect(rows.nth(2)).to_be_focused()
    with parts.expect_request("**/move"):
        parts.keyboard.press("Alt+ArrowUp")
    send(parts, "order", {"ids": ["1", "3", "2"]})
    expect(rows.nth(1)).to_contain_text("a cat, 3")
    expect(rows.nth(1)).to_be_focused()
    with parts.expect_request("**/cancel"):
        parts.keyboard.press("Delete")
    send(parts, "gone", {"id": "3"})
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_be_focused()
    assert asked == ['jobs/3/move {"before":"2"}', "jobs/3/cancel {}"]
    parts.keyboard.press("Escape")
    expect(rows.first).to_be_hidden()
    expect(parts.locator(".own.stage .view")).to_be_focused()


def test_a_row_is_dragged_by_its_grip(parts: Page) -> None:
    queue_of_three(parts)
    asked = commands(parts)
    parts.keyboard.press("q")
    rows = parts.locator(".own.queue_panel .row")
    grip, target = rows.nth(2).locator(".grip").bounding_box(), rows.nth(1).bounding_box()
    assert grip is not None
    assert target is not None
    parts.mouse.move(grip["x"] + 5, grip["y"] + 5)
    parts.mouse.down()
    parts.mouse.move(grip["x"] + 5, target["y"] + 4, steps=4)
    with parts.expect_request("**/move"):
        parts.mouse.up()
    assert asked == ['jobs/3/move {"before":"2"}']


def test_a_held_job_says_why_and_can_be_tried_again(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("1", "held", reason="Not enough memory for 1536 × 1536.")], []))
    parts.keyboard.press("q")
    row = parts.locator(".own.queue_panel .row")
    expect(row).to_contain_text("Not enough memory for 1536 × 1536.")
    expect(row.locator(".remedy")).to_contain_text("Make the picture or the batch smaller")
    expect(row.get_by_role("button", name="Delete")).not_to_have_count(0)
    with parts.expect_request("**/jobs/1/retry"):
        row.get_by_role("button", name="Retry").click()


def test_the_queue_is_paused_and_goes_on(parts: Page) -> None:
    queue_of_three(parts)
    parts.keyboard.press("q")
    with parts.expect_request("**/queue/pause"):
        parts.get_by_role("button", name="Pause").click()
    send(parts, "paused", {"paused": True, "reason": ""})
    with parts.expect_request("**/queue/resume"):
        parts.get_by_role("button", name="Go on").click()


# ---- what is answered late


def queue_of_five(page: Page) -> None:
    waiting = [job_row(str(number), position=number - 2) for number in range(2, 6)]
    send(page, "state", whole_state([job_row("1", "running"), *waiting], []))
    page.keyboard.press("q")


@pytest.fixture
def held(parts: Page) -> Iterator[list[Route]]:
    """What the page asks for that changes or tells of a job; the test answers it."""
    asked: list[Route] = []
    pattern = re.compile(r"/jobs/\d+/(parameters|cancel|move)$")
    parts.route(pattern, lambda route: asked.append(route))
    yield asked
    parts.unroute(pattern)


def route_of(page: Page, held: list[Route], number: int) -> Route:
    """The one that was asked for as this, counted from 0, as soon as it is."""
    eventually(page, lambda: len(held) > number)
    return held[number]


def answer(page: Page, route: Route, job_id: str) -> None:
    """Tell the parameters of a job, and wait until the page has read them."""
    told: dict[str, Any] = {"text": f"of {job_id}", "batch_size": None, "n_iter": None, "styles": [], "source": None}
    with page.expect_event("requestfinished", lambda request: request == route.request):
        route.fulfill(json=told)
    page.evaluate("() => new Promise((done) => setTimeout(done))")


def filled(page: Page) -> list[str]:
    """The texts that have filled the form."""
    return [detail["text"] for name, detail in page.evaluate("window.heardOnBus") if name == "form:fill"]


def test_of_two_jobs_that_are_edited_the_later_fills_the_form_and_the_other_stays(
    parts: Page, held: list[Route]
) -> None:
    queue_of_three(parts)
    parts.keyboard.press("q")
    asked = commands(parts)
    for job_id in "23":
        parts.get_by_role("button", name=f"Edit: a cat, {job_id}").click()
    for number, job_id in enumerate("23"):
        answer(parts, route_of(parts, held, number), job_id)
    route_of(parts, held, 2).fulfill(json={})
    expect(parts.locator(ROWS).first).to_be_hidden()
    assert filled(parts) == ["of 3"]
    assert asked == ["jobs/3/cancel {}"]


def test_a_job_that_begins_to_run_before_the_form_is_filled_goes_on(parts: Page, held: list[Route]) -> None:
    queue_of_three(parts)
    parts.keyboard.press("q")
    asked = commands(parts)
    parts.get_by_role("button", name="Edit: a cat, 2").click()
    send(parts, "job", job_row("2", "running"))
    answer(parts, route_of(parts, held, 0), "2")
    expect(parts.locator(ROWS).first).to_be_hidden()
    assert filled(parts) == ["of 2"]
    assert asked == []


def test_a_queue_that_is_closed_before_the_answer_fills_no_form(parts: Page, held: list[Route]) -> None:
    queue_of_three(parts)
    parts.keyboard.press("q")
    asked = commands(parts)
    parts.get_by_role("button", name="Edit: a cat, 2").click()
    parts.keyboard.press("Escape")
    parts.keyboard.press("q")
    answer(parts, route_of(parts, held, 0), "2")
    expect(parts.locator(ROWS).first).to_be_visible()
    assert filled(parts) == []
    assert asked == []


def test_a_job_that_begins_to_run_while_all_are_deleted_goes_on(parts: Page, held: list[Route]) -> None:
    queue_of_five(parts)
    asked = commands(parts)
    parts.get_by_role("button", name="Delete all").click()
    send(parts, "job", job_row("3", "running"))
    for number in range(3):
        route_of(parts, held, number).fulfill(json={})
    assert asked == ["jobs/2/cancel {}", "jobs/4/cancel {}", "jobs/5/cancel {}"]


def test_moves_that_follow_each_other_are_reckoned_from_one_another(parts: Page, held: list[Route]) -> None:
    queue_of_five(parts)
    asked = commands(parts)
    parts.keyboard.press("ArrowDown")
    parts.keyboard.down("Alt")
    parts.keyboard.down("ArrowDown")
    parts.keyboard.down("ArrowDown")  # it is held down, and moves nothing before the answer
    parts.keyboard.up("ArrowDown")
    parts.keyboard.press("ArrowDown")
    parts.keyboard.up("Alt")
    send(parts, "order", {"ids": ["1", "3", "2", "4", "5"]})
    route_of(parts, held, 0).fulfill(json={})
    last = route_of(parts, held, 1)
    send(parts, "order", {"ids": ["1", "3", "4", "2", "5"]})
    with parts.expect_response("**/move"):
        last.fulfill(json={})
    parts.keyboard.press("Delete")
    route_of(parts, held, 2).fulfill(json={})
    assert asked == ['jobs/2/move {"before":"4"}', 'jobs/2/move {"before":"5"}', "jobs/2/cancel {}"]


def grasped(page: Page, at: int) -> tuple[float, float]:
    """Take the row at this place by its grip; gives back where the pointer is."""
    grip = known(page.locator(ROWS).nth(at).locator(".grip").bounding_box())
    place = grip["x"] + 5, grip["y"] + 5
    page.mouse.move(*place)
    page.mouse.down()
    return place


def test_a_row_stays_in_the_hand_when_the_job_that_runs_has_ended(parts: Page) -> None:
    queue_of_five(parts)
    asked = commands(parts)
    x, y = grasped(parts, 3)
    parts.mouse.move(x, y - 10)
    send(parts, "gone", {"id": "1"})
    rows = parts.locator(ROWS)
    expect(rows).to_have_count(4)
    parts.mouse.move(x, known(rows.nth(1).bounding_box())["y"] + 4, steps=3)
    with parts.expect_request("**/move"):
        parts.mouse.up()
    assert asked == ['jobs/4/move {"before":"3"}']


def test_a_row_that_is_taken_out_of_the_hand_goes_back_to_its_place(parts: Page) -> None:
    queue_of_five(parts)
    asked = commands(parts)
    x, y = grasped(parts, 3)
    parts.mouse.move(x, y - 60)
    row = parts.locator(f"{ROWS}[data-key='4']")
    expect(row).to_have_class("row dragged")
    send(parts, "order", {"ids": ["1", "4", "2", "3", "5"]})  # the browser lets go of what is put elsewhere
    parts.mouse.move(x, y - 50)
    parts.mouse.move(x, y - 40)
    expect(row).to_have_class("row")
    expect(row).to_have_attribute("style", "")
    expect(parts.locator(f"{ROWS}.over")).to_have_count(0)
    x, y = grasped(parts, 2)
    send(parts, "gone", {"id": "2"})  # and of what is gone
    parts.mouse.move(x, y - 60)
    expect(parts.locator(f"{ROWS}.over")).to_have_count(0)
    parts.mouse.up()
    assert asked == []
