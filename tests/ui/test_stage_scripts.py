"""The scripts of stage, strip and queue on a bare page: their laws, and what they make of events that a test sends."""

import io
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.ui.bare import bare_page, call, job_picture, job_progress, job_row, whole_state

Event = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    """For functions that keep nothing."""
    with bare_page(browser) as page:
        yield page


def traces(seed: int) -> tuple[list[Event], dict[str, Any]]:
    """Events in some order that can happen, from the first state on, and the state that the server then has."""
    chance = random.Random(seed)
    jobs: list[dict[str, Any]] = [job_row("0")]
    history = [job_picture("old")]
    paused, reason, forever = False, "", False
    events: list[Event] = [("state", whole_state(list(jobs), list(history)))]
    for number in range(1, 40):
        does = chance.choice(("new", "change", "order", "gone", "paused", "picture", "picture", "forever"))
        if does == "new":
            jobs = [*jobs, job_row(str(number))]
            events.append(("job", jobs[-1]))
        elif does == "change" and jobs:
            at = chance.randrange(len(jobs))
            row = {**jobs[at], "state": chance.choice(("waiting", "running", "held", "done")), "pictures": number}
            jobs = [*jobs[:at], row, *jobs[at + 1 :]]
            events.append(("job", row))
        elif does == "order":
            chance.shuffle(jobs)
            jobs = list(jobs)
            events.append(("order", {"ids": [job["id"] for job in jobs]}))
        elif does == "gone" and jobs:
            gone = chance.choice(jobs)
            jobs = [job for job in jobs if job is not gone]
            events.append(("gone", {"id": gone["id"]}))
        elif does == "paused":
            paused, reason = not paused, "" if paused else "lunch"
            events.append(("paused", {"paused": paused, "reason": reason}))
        elif does == "forever":
            forever = not forever
            events.append(("forever", {"on": forever}))
        elif does == "picture":
            made = job_picture(str(number), chance.randrange(3))
            history = [made, *history]
            events.append(("picture", made))
    return events, whole_state(jobs, history, paused=paused, reason=reason, forever=forever)


FOLLOWED = """
const through = (events, from) => events.reduce((state, [name, data]) => module.apply(state, name, data), from);
"""


@pytest.mark.parametrize("seed", range(12))
def test_events_lead_to_the_state_that_the_server_would_send(bare: Page, seed: int) -> None:
    events, state = traces(seed)
    followed, read = call(
        bare,
        "store.js",
        f"{FOLLOWED} return [through(argument[0], module.EMPTY), module.apply(module.EMPTY, 'state', argument[1])];",
        [events, state],
    )
    assert followed == read


@pytest.mark.parametrize("seed", range(6))
def test_an_event_that_comes_twice_changes_nothing_more(bare: Page, seed: int) -> None:
    events, _ = traces(seed)
    once, twice = call(
        bare,
        "store.js",
        f"{FOLLOWED} return [through(argument, module.EMPTY),"
        " through(argument.flatMap((event) => [event, event]), module.EMPTY)];",
        events,
    )
    assert once == twice


def test_older_pictures_stay_when_the_state_is_read_again(bare: Page) -> None:
    newest, older = [job_picture("3"), job_picture("2")], [job_picture("1"), job_picture("0")]
    again = whole_state([], [job_picture("4"), *newest], more=True)
    ids = call(
        bare,
        "store.js",
        """
        let state = module.apply(module.EMPTY, "state", argument[0]);
        state = module.apply(state, "older", { pictures: argument[1], more: false });
        state = module.apply(state, "state", argument[2]);
        return [state.history.map((one) => one.job), state.more];
        """,
        [whole_state([], newest, more=True), older, again],
    )
    assert ids == [["4", "3", "2", "1", "0"], False]


def test_a_job_that_is_gone_leaves_no_progress_behind(bare: Page) -> None:
    events = [
        ("state", whole_state([job_row("1", "running")])),
        ("progress", job_progress("1", 0.5)),
        ("gone", {"id": "1"}),
        ("progress", job_progress("1", 0.9)),
    ]
    left = call(bare, "store.js", f"{FOLLOWED} return through(argument, module.EMPTY).progress;", events)
    assert left == {}


def test_a_picture_waits_for_a_tab_that_is_not_drawn_yet(bare: Page) -> None:
    script = """
        const bus = await import("./static/bus.js");
        const opened = [], given = [];
        bus.hear("tab:open", ({ tab }) => opened.push(tab));
        bus.say("picture:send", { picture: { id: "a/0" }, to: "pnginfo" });
        bus.say("picture:send", { picture: { id: "b/0" }, to: "img2img" });
        bus.say("library:show", { picture: { id: "c/0" } });
        module.whenSent("pnginfo", (all) => given.push(...all.map((one) => one.id)));
        bus.say("picture:send", { picture: { id: "d/0" }, to: "pnginfo" });
        return [opened, given];
    """
    assert call(bare, "sent_pictures.js", script) == [["pnginfo", "image_browser", "pnginfo"], ["a/0", "d/0"]]


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("a cat\nNegative prompt: dog\nSteps: 20", "a cat"),
        ("a cat,\non a mat\nSteps: 20, Seed: 1", "a cat,\non a mat"),
        ("Steps: 20, Seed: 1", ""),
        ("Negative prompt: dog\nSteps: 20", ""),
        ("a cat", "a cat"),
    ],
)
def test_the_prompt_is_what_stands_before_the_settings(bare: Page, text: str, prompt: str) -> None:
    assert call(bare, "store.js", "return module.promptOf(argument);", text) == prompt


VIEW, SIZE = {"width": 924, "height": 697}, {"width": 512, "height": 512}


def test_a_square_picture_fills_the_stage_but_for_its_margin(bare: Page) -> None:
    box = call(bare, "plane.js", "return module.boxOf(module.FITTED, ...argument);", [VIEW, SIZE])
    assert (box["width"], box["height"], box["top"]) == (673, 673, 12)
    assert box["left"] == pytest.approx((924 - 673) / 2)


@pytest.mark.parametrize("seed", range(8))
def test_the_point_under_the_pointer_stays_under_it(bare: Page, seed: int) -> None:
    chance = random.Random(seed)
    place = {"zoom": chance.uniform(0.8, 3), "x": chance.uniform(-80, 80), "y": chance.uniform(-80, 80)}
    at = {"x": chance.uniform(-120, 120), "y": chance.uniform(-120, 120)}
    before, after = call(
        bare,
        "plane.js",
        """
        const [place, at, view, size, zoom] = argument;
        const under = (one) => {
          const box = module.boxOf(one, view, size);
          return [(at.x + view.width / 2 - box.left) / box.zoom, (at.y + view.height / 2 - box.top) / box.zoom];
        };
        return [under(place), under(module.zoomedTo(place, zoom, at, view, size))];
        """,
        [place, at, VIEW, SIZE, chance.uniform(0.8, 4)],
    )
    assert after == pytest.approx(before)


def test_a_picture_cannot_be_dragged_out_of_the_view(bare: Page) -> None:
    box = call(
        bare,
        "plane.js",
        "return module.boxOf(module.held({zoom: 2, x: 1e6, y: -1e6}, ...argument), ...argument);",
        [VIEW, SIZE],
    )
    assert box["left"] == VIEW["width"] - 48
    assert box["top"] + box["height"] == 48


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (6, 3), (9, 3)])
def test_a_batch_is_laid_out_so_that_its_pictures_are_large(bare: Page, count: int, columns: int) -> None:
    found = call(bare, "batch_grid.js", "return module.arranged(argument[0], argument[1], 1);", [count, VIEW])
    assert found["columns"] == columns
    assert found["columns"] * found["width"] <= VIEW["width"]
    assert found["rows"] * found["height"] <= VIEW["height"]


def test_ten_thousand_thumbnails_are_a_few_buttons(bare: Page) -> None:
    view = {"columns": 2, "isFilm": False, "across": 170, "along": 560, "offset": 200_000}
    laid = call(
        bare,
        "history.js",
        "const {placeOf, ...rest} = module.laidOut(...argument); return {...rest, place: placeOf(rest.first)};",
        [10_000, view],
    )
    assert laid["end"] - laid["first"] < 60
    assert laid["place"][1] <= 200_000 - 560 + laid["size"] + 6


@pytest.mark.parametrize(
    ("jobs", "progress", "link", "words"),
    [
        ([], None, "open", ""),
        ([job_row("1")], None, "open", "Waiting, it is next"),
        ([job_row("1", position=2)], None, "open", "Waiting, 2 before it"),
        ([job_row("1", "running", mine=False)], None, "open", ""),
        ([job_row("1", "running")], None, "open", "Starting"),
        ([job_row("1", "running")], job_progress("1", 0.6), "open", "Sampling 12/20 · 3 s"),
        (
            [job_row("1", "running"), job_row("2", "running")],
            job_progress("1", 0.6),
            "open",
            "Sampling 12/20 · 3 s · 1 more in work",
        ),
        ([job_row("1", "running")], job_progress("1", 0.6), "lost", "Server does not answer; trying again"),
    ],
)
def test_the_pill_says_how_things_stand(
    bare: Page, jobs: list[dict[str, Any]], progress: dict[str, Any] | None, link: str, words: str
) -> None:
    said = call(
        bare,
        "progress_words.js",
        """
        const store = await import(address.replace("progress_words", "store"));
        let state = store.apply(store.EMPTY, "state", argument[0]);
        if (argument[1]) state = store.apply(state, "progress", argument[1]);
        return module.pillWords(state, argument[2]);
        """,
        [whole_state(jobs), progress, link],
    )
    assert said == words


# ---- the components, with events that the test sends

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


@pytest.fixture
def parts(browser: Browser, png: bytes) -> Iterator[Page]:
    """Stage, strip and queue, which have opened their stream."""
    with bare_page(browser, body=PARTS, pictures=png) as page:
        page.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        page.evaluate(MOUNTED)
        yield page


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


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("CUDA out of memory", "smaller"),
        ("no space left on the disk", "Free space"),
        ("checkpoint: there is no 'gone'", "choose another"),
        ("it ended in the extension ink", "Switch the extension off"),
        ("held by hand", "when it shall have its turn"),
        ("anything else", "make it smaller"),
    ],
)
def test_what_may_help_follows_from_the_reason(bare: Page, reason: str, remedy: str) -> None:
    told = call(bare, "job_remedies.js", "return module.remedyOf(argument);", {"state": "held", "reason": reason})
    assert remedy in told
    assert call(bare, "job_remedies.js", "return module.remedyOf(argument);", {"state": "done", "reason": reason}) == ""


def test_maps_of_extensions_are_cells_beside_the_picture(parts: Page) -> None:
    send(parts, "state", whole_state([job_row("1", "done", extras=2, pictures=1)], [job_picture("1")]))
    expect_shown(parts, "1/0")
    parts.keyboard.press("g")
    cells = parts.locator(".own.stage .batch .cell")
    expect(cells).to_have_count(3)
    expect(cells.nth(1).locator("img")).to_have_attribute("src", re.compile("jobs/1/extras/0$"))
    expect(cells.nth(2)).to_have_attribute("aria-label", "Map 3 of an extension")
    expect(cells.nth(2)).to_be_enabled()


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Dream_Shaper-v8.safetensors", "DS"), ("mini", "M"), ("sdXL", "SX"), ("3d", "3"), ("", "?"), ("画 风", "画风")],
)
def test_a_file_without_a_picture_has_initials(bare: Page, name: str, letters: str) -> None:
    assert call(bare, "blank_picture.js", "return module.initials(argument);", name) == letters


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


# ---- the queue


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
