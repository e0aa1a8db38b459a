"""Pictures and answers that come late, or while the stream of events is closed: PNG Info and Upscale."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, Route, expect

from tests.ui.bare import ORIGIN, bare_page, call, job_picture, job_row, whole_state
from tests.ui.driving import eventually
from webui.ui import upscale_tab

READ, AGAIN = "**/internal/page/library/read", "**/internal/page/learn/again"

FOLLOWING = """
const stream = await import("/static/stream.js");
window.setTimeout = (run) => window.waits.push(run);
window.waits = [];
window.ended = "";
window.answer = null;
const answer = new Promise((done) => (window.answer = () => done({ job: "7" })));
const first = module.firstPictureOf(() => answer);
first.then(({ picture }) => (window.ended = picture.id), (error) => (window.ended = error.message));
window.take = stream.take;
"""
NONE = "The job did not come to a picture."

PNG_INFO = """
const [bus, stream] = [await import("/static/bus.js"), await import("/static/stream.js")];
Object.assign(window, { say: bus.say, take: stream.take, seen: [] });
const places = Object.fromEntries(["element", "why"].map((name) => [name, document.createElement("div")]));
document.querySelector("#stage").append(document.createElement("section"));
document.querySelector("#stage section").append(places.element, places.why);
places.why.className = "learn-why";
module.mount({ element: places.element, shared: { explain: (...parts) => places.why.replaceChildren(...parts) } });
const shown = () => [...document.querySelectorAll("#pnginfo_text, .comparison .above")];
const note = () => seen.push(...shown().map((one) => one.value ?? one.getAttribute("src")));
new MutationObserver(note).observe(document.querySelector("#stage section"), { childList: true, subtree: true });
"""

UPSCALE = """
const [bus, stream] = [await import("/static/bus.js"), await import("/static/stream.js")];
Object.assign(window, { say: bus.say, take: stream.take, uploads: {}, waits: [] });
const { setTimeout } = window;
window.setTimeout = (run, wait, ...more) => (wait === 20000 ? window.waits.push(run) : setTimeout(run, wait, ...more));
window.props = { form: argument, extensions: [], most: 8 };
const element = document.createElement("div");
document.querySelector("#stage").append(element);
const upload = (file) => new Promise((done) => {
  const given = () => done({ path: file.name, url: `picture/of/${file.name}` });
  if (file.name.startsWith("late")) window.uploads[file.name] = given;
  else given();
});
module.mount({ element, props, trigger: () => {}, upload });
"""


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with bare_page(browser) as page:
        yield page


@pytest.fixture
def bare(tab: Page) -> Page:
    """A page that knows of no job."""
    tab.goto(ORIGIN)
    return tab


def take(page: Page, name: str, data: dict[str, Any]) -> None:
    """The server tells something."""
    page.evaluate("([name, data]) => take(name, data)", [name, data])


def say(page: Page, name: str, detail: dict[str, Any]) -> None:
    page.evaluate("([name, detail]) => say(name, detail)", [name, detail])


@contextmanager
def held(page: Page, pattern: str) -> Iterator[list[Route]]:
    """What the page asks for there is not answered before the test does."""
    routes: list[Route] = []

    def hold(route: Route) -> None:
        routes.append(route)

    page.route(pattern, hold)
    yield routes
    page.unroute(pattern, hold)


# ---- following a job


@pytest.fixture
def following(bare: Page) -> Page:
    """The job 7 is begun, which the server has not answered yet; `ended` says what comes of it."""
    call(bare, "making_again.js", FOLLOWING)
    return bare


def ended(page: Page) -> Any:
    """What has come of it by now, when everything that was told is heard."""
    return page.evaluate("() => new Promise((done) => queueMicrotask(() => Promise.resolve().then(() => done(ended))))")


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "unanswered"])
def test_a_picture_that_was_made_while_the_stream_was_closed_is_found(following: Page, is_answered: bool) -> None:
    if is_answered:
        following.evaluate("answer()")
    jobs, history = [job_row("7", "done", pictures=1)], [job_picture("8"), job_picture("7")]
    take(following, "state", whole_state(jobs, history))
    following.evaluate("answer()")
    following.wait_for_function("ended === '7/0'")


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([job_row("7", "done")], NONE),
        ([job_row("7", "failed", reason="no memory")], "no memory"),
        ([], NONE),
    ],
    ids=["done without one", "failed", "gone"],
)
def test_a_job_that_comes_to_no_picture_is_told(following: Page, jobs: list[dict[str, Any]], said: str) -> None:
    following.evaluate("answer()")
    take(following, "state", whole_state([job_row("7", "running")]))
    assert ended(following) == ""
    take(following, "state", whole_state(jobs))
    following.wait_for_function("(said) => ended === said", arg=said)


def test_a_job_that_is_not_known_yet_is_not_taken_for_one_that_is_gone(following: Page) -> None:
    following.evaluate("answer()")
    take(following, "state", whole_state([job_row("6", "running")]))
    assert ended(following) == ""
    take(following, "picture", job_picture("7"))
    following.wait_for_function("ended === '7/0'")


@pytest.mark.parametrize("comes", [True, False], ids=["it comes", "it does not"])
def test_a_picture_may_be_told_after_its_job_has_ended(following: Page, comes: bool) -> None:
    following.evaluate("answer()")
    take(following, "job", job_row("7", "done", pictures=1))
    assert ended(following) == ""
    following.wait_for_function("waits.length === 1")
    if comes:
        take(following, "picture", job_picture("7"))
    else:
        following.evaluate("waits[0]()")
    following.wait_for_function("(said) => ended === said", arg="7/0" if comes else NONE)


# ---- PNG Info


@pytest.fixture
def png_info(bare: Page) -> Page:
    """PNG Info alone; `seen` are all the texts and pictures made again that it has shown."""
    call(bare, "pnginfo.js", PNG_INFO)
    return bare


def dropped(page: Page, name: str) -> None:
    page.locator("#pnginfo_image input").set_input_files(
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": name.encode()}
    )


def read(route: Route, name: str) -> None:
    """The server has read a picture."""
    told = {"text": name, "parameters": [], "program": "", "notices": [], "as_found": False}
    route.fulfill(json={"told": told, "texts": [], "width": 8, "height": 8, "fault": ""})


def text(page: Page) -> Locator:
    return page.locator("#pnginfo_text")


def test_png_info_tells_of_the_picture_in_its_field_whatever_comes_late(png_info: Page) -> None:
    with held(png_info, READ) as reads:
        dropped(png_info, "large")
        dropped(png_info, "small")
        eventually(png_info, lambda: len(reads) == 2)
        read(reads[0], "large")
        read(reads[1], "small")
        expect(text(png_info)).to_have_value("small")
        dropped(png_info, "slow")
        dropped(png_info, "broken")
        eventually(png_info, lambda: len(reads) == 4)
        reads[3].fulfill(json={"fault": "This is no picture."})
        expect(png_info.get_by_role("alert")).to_have_text("This is no picture.")
        reads[2].fulfill(status=500, json={"detail": "too late"})
        dropped(png_info, "last")
        eventually(png_info, lambda: len(reads) == 5)
        read(reads[4], "last")
        expect(text(png_info)).to_have_value("last")
    assert set(png_info.evaluate("seen")) == {"small", "last"}


def test_of_pictures_that_are_sent_to_png_info_the_last_one_stays(png_info: Page) -> None:
    image = png_info.locator("#pnginfo_image img")
    with held(png_info, f"{ORIGIN}picture/*") as downloads, held(png_info, READ) as reads:
        for name in ("first", "second"):
            say(png_info, "picture:send", {"picture": {"url": f"picture/{name}", "name": name}, "to": "pnginfo"})
        eventually(png_info, lambda: len(downloads) == 2)
        downloads[1].fulfill(body=b"second", content_type="image/png")
        eventually(png_info, lambda: len(reads) == 1)
        read(reads[0], "second")
        expect(text(png_info)).to_have_value("second")
        with png_info.expect_response("**/picture/first"):
            downloads[0].fulfill(body=b"first", content_type="image/png")
        say(png_info, "picture:send", {"picture": {"url": "picture/third", "name": "third"}, "to": "pnginfo"})
        eventually(png_info, lambda: len(downloads) == 3)
        expect(image).to_have_attribute("alt", "second")
        dropped(png_info, "dropped")
        eventually(png_info, lambda: len(reads) >= 2)
        with png_info.expect_response("**/picture/third"):
            downloads[2].fulfill(body=b"third", content_type="image/png")
        read(reads[1], "dropped")
        expect(text(png_info)).to_have_value("dropped")
        expect(image).to_have_attribute("alt", "dropped.png")
    assert [route.request.post_data_buffer for route in reads] == [b"second", b"dropped"]


def test_what_is_made_again_stands_under_the_picture_that_it_was_made_of(png_info: Page) -> None:
    above = png_info.locator(".comparison .above")
    with held(png_info, AGAIN) as begun:
        with held(png_info, READ) as reads:
            for at, name in enumerate(("first", "second")):
                dropped(png_info, name)
                eventually(png_info, partial(lambda count: len(reads) == count, at + 1))
                read(reads[at], name)
                expect(text(png_info)).to_have_value(name)
                png_info.locator("#pnginfo_again").click()
        eventually(png_info, lambda: len(begun) == 2)
        png_info.route(READ, lambda route: read(route, "made again"))
        for route, job in zip(begun, "78", strict=True):
            route.fulfill(json={"job": job, "notices": [], "program": ""})
            take(png_info, "picture", job_picture(job))
        expect(above).to_have_attribute("src", f"{ORIGIN}picture/8/0")
    png_info.unroute(READ)
    assert f"{ORIGIN}picture/7/0" not in png_info.evaluate("seen")


# ---- Upscale


@pytest.fixture
def upscale(bare: Page) -> Page:
    """The tab Upscale alone. What is uploaded under a name that begins with "late" comes when `uploads` says so."""
    call(bare, "upscale.js", UPSCALE, json.loads(json.dumps(upscale_tab.form().as_json())))
    return bare


def load(page: Page, *names: str) -> None:
    files: list[FilePayload] = [{"name": name, "mimeType": "image/png", "buffer": b"x"} for name in names]
    page.locator("#extras_image").set_input_files(files)


def arrives(page: Page, name: str) -> None:
    """The upload of a picture ends."""
    page.wait_for_function("(name) => name in uploads", arg=name)
    page.evaluate("(name) => uploads[name]()", name)


def listed(page: Page) -> list[str]:
    return [str(one.get_attribute("alt")) for one in page.locator("#extras_image_batch img").all()]


def pressed(page: Page) -> list[str]:
    """Press Upscale; gives back the names of what is sent."""
    page.locator("#extras_generate").click()
    return list(page.evaluate("props.value.pictures.map((one) => one.name)"))


def compared(page: Page) -> tuple[str | None, str | None]:
    """What the view shows, and with what it compares it."""
    after, before = page.locator(".u-view .after"), page.locator(".u-view .before")
    return after.get_attribute("src"), before.get_attribute("src")


def test_a_result_is_compared_with_what_was_sent_whatever_was_done_since(upscale: Page) -> None:
    load(upscale, "a.png")
    expect(upscale.locator("#extras_generate")).to_be_enabled()
    assert pressed(upscale) == ["a.png"]
    upscale.get_by_role("button", name="Remove a.png").click()
    load(upscale, "b.png")
    eventually(upscale, lambda: listed(upscale) == ["b.png"])
    expect(upscale.locator("#extras_generate")).to_be_disabled()
    take(upscale, "picture", job_picture("7"))  # before the answer
    say(upscale, "upscale:answer", {"job": "7"})
    expect(upscale.get_by_alt_text("The result, 512 × 512")).to_be_visible()
    assert compared(upscale) == (f"{ORIGIN}picture/7/0", "picture/of/a.png")
    assert pressed(upscale) == ["b.png"]


def test_a_press_that_nobody_answers_can_be_repeated(upscale: Page) -> None:
    load(upscale, "a.png")
    eventually(upscale, lambda: listed(upscale) == ["a.png"])
    pressed(upscale)
    say(upscale, "upscale:answer", {"job": "7"})
    pressed(upscale)
    upscale.evaluate("waits[0]()")
    expect(upscale.locator("#extras_generate")).to_be_disabled()
    upscale.evaluate("waits[1]()")
    expect(upscale.get_by_role("alert")).to_have_text("The server does not answer.")
    assert pressed(upscale) == ["a.png"]


def test_a_picture_that_comes_late_takes_no_result_away_that_was_asked_for_meanwhile(upscale: Page) -> None:
    load(upscale, "a.png")
    expect(upscale.locator("#extras_generate")).to_be_enabled()
    load(upscale, "late.png")
    upscale.wait_for_function("'late.png' in uploads")
    assert pressed(upscale) == ["a.png"]
    say(upscale, "upscale:answer", {"job": "7"})
    arrives(upscale, "late.png")
    eventually(upscale, lambda: listed(upscale) == ["a.png", "late.png"])
    expect(upscale.locator("#extras_status")).to_have_text("Waiting for its turn")
    take(upscale, "picture", job_picture("7"))
    expect(upscale.get_by_alt_text("The result, 512 × 512")).to_be_visible()
    load(upscale, "c.png")  # the next pictures make room for themselves
    expect(upscale.get_by_alt_text("c.png").last).to_be_visible()
    expect(upscale.locator(".u-acts")).to_be_hidden()


def test_pictures_that_are_sent_replace_the_others_when_they_are_there(upscale: Page) -> None:
    load(upscale, "a.png")
    eventually(upscale, lambda: listed(upscale) == ["a.png"])
    with held(upscale, f"{ORIGIN}picture/sent*") as downloads:
        for name in ("sent1", "sent2"):
            say(upscale, "picture:send", {"picture": {"id": name, "url": f"picture/{name}"}, "to": "upscale"})
        eventually(upscale, lambda: len(downloads) == 2)
        assert listed(upscale) == ["a.png"]
        assert pressed(upscale) == ["a.png"]
        load(upscale, "b.png")
        eventually(upscale, lambda: listed(upscale) == ["a.png", "b.png"])
        downloads[1].fulfill(body=b"x", content_type="image/png")
        eventually(upscale, lambda: listed(upscale) == ["b.png", "sent2.png"])
        with upscale.expect_response("**/picture/sent1"):
            downloads[0].fulfill(body=b"x", content_type="image/png")
        say(upscale, "picture:send", {"picture": {"id": "sent3", "url": "picture/sent3"}, "to": "upscale"})
        eventually(upscale, lambda: len(downloads) == 3)
        downloads[2].fulfill(status=404)
        expect(upscale.get_by_role("alert")).to_have_text("This picture is not there any more.")
    assert listed(upscale) == ["b.png", "sent2.png"]
    say(upscale, "upscale:answer", {"job": "7"})
    assert pressed(upscale) == ["b.png", "sent2.png"]


def test_upscale_finds_what_was_made_while_the_stream_was_closed(upscale: Page) -> None:
    load(upscale, "a.png", "b.png")
    eventually(upscale, lambda: listed(upscale) == ["a.png", "b.png"])
    pressed(upscale)
    say(upscale, "upscale:answer", {"job": "7"})
    history = [job_picture("7", 1), job_picture("7", 0)]
    take(upscale, "state", whole_state([job_row("7", "done", pictures=2)], history))
    expect(upscale.get_by_alt_text("The result, 512 × 512")).to_be_visible()
    assert compared(upscale) == (f"{ORIGIN}picture/7/1", "picture/of/b.png")
    pressed(upscale)
    say(upscale, "upscale:answer", {"job": "8"})
    take(upscale, "state", whole_state([job_row("8", "running")], history))
    expect(upscale.locator("#extras_status")).to_have_text("Waiting for its turn")
    take(upscale, "state", whole_state([], history))
    expect(upscale.get_by_role("alert")).to_have_text(NONE)


# ---- comparing


def test_a_picture_that_was_replaced_before_it_was_read_is_told_of_no_more(bare: Page) -> None:
    mounted = "const element = document.createElement('div'); document.querySelector('#stage').append(element);"
    call(bare, "compare_pictures.js", f"{mounted} module.mount({{ element }});")
    with held(bare, READ) as routes:
        for name in ("large.png", "small.png"):
            field = bare.get_by_label("First picture")
            field.set_input_files({"name": name, "mimeType": "image/png", "buffer": b"of no use here"})
        eventually(bare, lambda: len(routes) == 2)
        routes[1].fulfill(json={"told": {}})
        with bare.expect_response(READ):
            routes[0].fulfill(json={"fault": "It is torn."})
        bare.evaluate("new Promise(requestAnimationFrame)")
        expect(bare.get_by_role("alert")).to_have_count(0)
