"""What a person does under Learn: look at the steps, the words and the network of a run, and take a picture apart."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.api.page import recorded_run
from tests.ui.accessibility import axe
from tests.ui.driving import eventually, generate, visited_page
from tests.ui.fakes import FakeEngine
from tests.ui.house import House
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import Picture
from webui.domain.recording import RecordedPart

RECORDER = ExtensionInfo("records", "records", options={"type": "object", "properties": {}, "records_runs": True})


@pytest.fixture(scope="module")
def engine(home: House) -> Iterator[FakeEngine]:
    with home.lent() as lent:
        yield lent


@pytest.fixture(scope="module")
def learn(shared_context: BrowserContext, home: House, engine: FakeEngine) -> Iterator[Page]:
    """Learn, with a run that was recorded."""
    with visited_page(shared_context, home.address) as page:
        generate(page, "a red circle, (blue:1.2)")
        expect(page.locator("#txt2img_queue .thumb")).to_have_count(1)
        job = engine.overview.ended(1)[0].id
        for name, data in recorded_run.parts().items():
            engine.recordings.keep(job, RecordedPart("records", name, data))
        page.get_by_role("tab", name="Learn").click()
        expect(page.locator(".learn-at")).to_have_text("Step 5 of 5")
        yield page


ENDS_AFTER_A_STEP = """async (id) => {
  const bus = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
  bus.say("job:progress", { id });
  bus.say("jobs:changed", { jobs: [{ id, state: "done" }] });
}"""


def view(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    expect(page.locator(".learn-head h1")).to_have_text(name)


def shown(page: Page, selector: str) -> Any:
    """The pixels of a canvas, as text."""
    return page.locator(selector).first.evaluate("(canvas) => canvas.toDataURL()")


def test_i_walk_through_the_steps_of_a_run(learn: Page) -> None:
    view(learn, "Run under the glass")
    expect(learn.locator(".learn-why")).to_contain_text("The last step: no noise is to be left")
    expect(learn.locator(".learn-tile")).to_have_count(4)
    last = shown(learn, ".learn-tile canvas")
    learn.locator(".learn-head h1").click()
    learn.keyboard.press("Home")
    expect(learn.locator(".learn-at")).to_have_text("Step 1 of 5")
    expect(learn.locator(".learn-why")).to_contain_text("The first step has no past")
    assert shown(learn, ".learn-tile canvas") != last
    learn.keyboard.press("ArrowRight")
    expect(learn.locator(".learn-why")).to_contain_text("DPM++ 2M keeps")
    learn.get_by_role("slider", name="Step").press("ArrowRight")
    expect(learn.locator(".learn-at")).to_have_text("Step 3 of 5")
    learn.get_by_role("button", name="Play").click()
    expect(learn.locator(".learn-at")).to_have_text("Step 5 of 5")
    learn.get_by_role("button", name="Pause").click()
    assert axe(learn, "#learn") == []


def test_a_run_is_shown_when_it_ends_right_after_a_step(learn: Page, engine: FakeEngine) -> None:
    job, asked = engine.overview.ended(1)[0].id, list[str]()
    learn.on("request", lambda request: asked.append(request.url) if "page/learn/" in request.url else None)
    learn.route(
        "**/page/learn/runs",
        lambda route: route.fulfill(json={"job": job}) if route.request.method == "POST" else route.continue_(),
    )
    learn.locator("#learn_take_apart").click()  # that it has ended already is seen at once
    expect(learn.locator(".learn-note")).to_have_count(0)
    learn.evaluate(ENDS_AFTER_A_STEP, job)
    expect(learn.locator(".learn-of")).to_contain_text("steps")
    learn.wait_for_timeout(1000)  # longer than the page waits between two questions
    expect(learn.locator(".learn-note")).to_have_count(0)
    assert [url for url in asked if "/learn//" in url] == []
    learn.unroute("**/page/learn/runs")


def test_what_is_there_late_leaves_the_view_alone_that_is_open_by_then(learn: Page) -> None:
    held: list[Route] = []
    learn.route("**/page/learn/noise?*", lambda route: held.append(route))
    view(learn, "Noise your own picture")
    picture = Picture.of(Image.new("RGB", (64, 64))).png
    box = learn.locator("#learn_noise input[type=file]")
    box.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
    eventually(learn, lambda: len(held) == 1)
    view(learn, "Scheduler")
    tools = learn.locator(".learn-tools")
    expect(tools.locator("select")).to_be_visible()
    with learn.expect_response("**/page/learn/noise?*"):
        held[0].continue_()
    eventually(learn, lambda: bool(learn.evaluate("!document.querySelector('.noise-bar').hidden")))
    expect(tools.locator("select")).to_be_visible()
    view(learn, "Noise your own picture")
    expect(tools.get_by_role("button", name="Other noise")).to_be_visible()
    learn.unroute("**/page/learn/noise?*")


def test_a_tour_that_is_closed_at_once_leaves_my_run_in_view(learn: Page) -> None:
    view(learn, "Run under the glass")
    own = learn.locator(".learn-at").inner_text()
    held: list[Route] = []
    learn.route("**/learn/example/**", lambda route: route.continue_() if held else held.append(route))
    learn.locator("#learn_tour").click()
    eventually(learn, lambda: len(held) == 1)
    learn.locator("#learn_tour").click()
    expect(learn.locator("#learn_tour_card")).to_be_hidden()
    with learn.expect_response("**/learn/example/clean.webp?*"):
        held[0].continue_()
    expect(learn.locator(".learn-at")).to_have_text(own)
    expect(learn.locator(".learn-of")).not_to_contain_text("This is an example")
    learn.unroute("**/learn/example/**")


def test_i_look_where_words_look(learn: Page) -> None:
    view(learn, "Words")
    chips = learn.locator(".learn-chip")
    expect(chips).to_have_text(["a", "red", "circle", "blue1.2"])
    expect(chips.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(learn.locator(".learn-grid button")).to_have_count(recorded_run.BLOCKS * recorded_run.STEPS)
    red = shown(learn, ".learn-pictures .over")
    chips.nth(2).click()
    expect(learn.locator(".learn-why h2").first).to_have_text("“circle”")
    assert shown(learn, ".learn-pictures .over") != red
    chips.nth(3).click(modifiers=["Shift"])
    expect(learn.locator(".learn-pictures figure")).to_have_count(2)
    learn.get_by_role("button", name="down 0·0, step 2").click()
    expect(learn.locator(".learn-at")).to_have_text("Step 2 of 5")
    expect(learn.locator(".learn-pictures figure").first).to_contain_text("step 2, down 0·0")
    assert axe(learn, "#learn") == []


def test_i_ask_a_place_where_it_looks(learn: Page) -> None:
    view(learn, "Words")
    learn.locator(".learn-chip").nth(1).click()
    expect(learn.locator(".learn-why")).to_contain_text("768 + 1280")
    learn.locator(".learn-pictures .learn-square").first.click(position={"x": 3, "y": 3})
    why = learn.locator(".learn-why")
    expect(why.locator("h2").first).to_have_text("Where this place looks")
    expect(learn.locator(".learn-pictures figure")).to_contain_text("Place 1, 1")
    expect(why).to_contain_text("0.0 % – 100 %")  # the first cell looks at itself alone
    expect(learn.locator(".learn-grid button")).to_have_count(recorded_run.STEPS)
    first = shown(learn, ".learn-pictures .over")
    why.get_by_label("Column").fill("9")
    why.get_by_label("Column").press("Enter")
    expect(learn.locator(".learn-pictures figure")).to_contain_text("Place 9, 1")
    assert shown(learn, ".learn-pictures .over") != first
    assert axe(learn, "#learn") == []
    learn.get_by_role("button", name="A place").click()
    expect(learn.locator(".learn-why h2").first).to_have_text("“red”")


def test_i_see_what_a_word_does_beside_the_run_without_it(learn: Page, engine: FakeEngine) -> None:
    view(learn, "Words")
    engine.extensions.replace((RECORDER,))
    with learn.expect_response("**/learn/runs") as answer:
        learn.get_by_role("button", name="Without the word").click()
    job = engine.job(answer.value.json()["job"])
    assert job is not None
    asked: Any = job.work.extensions["records"]
    assert asked["muted"] == {"words": ["red"], "tokens": []}
    assert asked["self_attention"]  # which the run had, too
    for name, data in muted_run(asked["muted"]).items():
        engine.recordings.keep(job.id, RecordedPart("records", name, data))
    learn.reload()  # the newest recording is looked at, and the one that it is compared with is found
    learn.get_by_role("tab", name="Learn").click()
    expect(learn.locator(".learn-pictures figcaption b")).to_have_text(["With “red”", "Without “red”", "Difference"])
    expect(learn.locator(".learn-chip")).to_have_text(["a", "circle", "blue1.2"])
    expect(learn.locator(".learn-why")).to_contain_text("The text encoder did not read the word")
    assert shown(learn, ".learn-pictures canvas") != learn.locator(".learn-pictures canvas").nth(1).evaluate(
        "(canvas) => canvas.toDataURL()"
    )
    assert axe(learn, "#learn") == []
    learn.get_by_role("button", name="Muted").click()
    expect(learn.locator(".learn-pictures figure")).to_have_count(1)


def muted_run(muted: Any) -> dict[str, bytes]:
    """A recording of the same run without the word."""
    told = {**recorded_run.run(), "muted": muted, "text": "a circle, (blue:1.2)"}
    others = {f"clean_{at}": recorded_run.png(64, 64, 90 + at) for at in range(recorded_run.STEPS)}
    return {**recorded_run.parts(), **others, "run": json.dumps(told).encode()}


def test_i_look_at_what_a_block_makes_and_what_others_add(learn: Page) -> None:
    view(learn, "The network")
    learn.get_by_role("button", name=f"ResNet block {recorded_run.PART}").click()
    why = learn.locator(".learn-why")
    expect(why).to_contain_text("48 × 4 × 4")
    expect(why.locator(".learn-cells canvas")).to_have_count(recorded_run.CHANNELS)
    expect(why.get_by_role("img", name="channel 13")).to_be_visible()
    expect(why).to_contain_text("2.0 %")
    expect(learn.locator(".learn-unet .learn-added.weights")).to_have_count(2)
    expect(learn.locator(".learn-unet .learn-added.skips")).to_have_count(0)  # it acted at the first steps alone
    learn.locator(".learn-head h1").click()
    learn.keyboard.press("Home")
    learn.keyboard.press("ArrowRight")
    expect(learn.locator(".learn-unet .learn-added.skips")).to_have_count(1)
    expect(learn.locator(".learn-legend")).to_contain_text("Added to the skip (ControlNet), up to 50 %")
    learn.get_by_role("button", name="Show what adds").click()
    expect(learn.locator(".learn-unet .learn-added")).to_have_count(0)
    learn.get_by_role("button", name="Show what adds").click()
    learn.keyboard.press("End")
    assert axe(learn, "#learn") == []


def test_i_see_where_two_checkpoints_differ(learn: Page) -> None:
    row = dict.fromkeys(("all", "residual", "self-attention"), 0.02)
    table = {"text": {"all": 0.0}, "IN00": row, "IN01": {**row, "all": 0.3}, "M00": row, "OUT00": row, "OUT01": row}
    files = [{"name": f"{one}.safetensors", "title": one, "usable": True} for one in ("mini", "dusk")]
    action = {"name": "look_apart", "title": "", "options": {"compares_checkpoints": True}}
    answers: dict[str, Any] = {
        "**/internal/page/files/checkpoint": {"files": files},
        "**/internal/page/extensions": [{"name": "some", "state": "ok", "actions": [action]}],
        "**/extensions/some/actions/look_apart": {"id": "apart", "state": "queued"},
        "**/internal/page/actions/apart*": {"state": "done", "result": {"text": "dusk beside mini", "data": table}},
    }
    for address, answer in answers.items():
        learn.route(address, partial(_answer, answer))
    view(learn, "Two checkpoints")
    expect(learn.get_by_role("combobox", name="another checkpoint")).to_have_value("dusk.safetensors")
    with learn.expect_request("**/actions/look_apart") as asked:
        learn.get_by_role("button", name="Compare them").click()
    assert asked.value.post_data_json == {"a": "mini.safetensors", "b": "dusk.safetensors"}
    why = learn.locator(".learn-why")
    expect(why.locator("h2").first).to_have_text("IN01")  # it differs most
    expect(learn.locator(".learn-bar")).to_have_count(len(table))
    learn.get_by_role("button", name="Block M00, 2.0 %").press("ArrowRight")
    expect(why.locator("h2").first).to_have_text("OUT00")
    expect(why).to_contain_text("self-attention")
    assert axe(learn, "#learn") == []


def _answer(answer: Any, route: Route) -> None:
    route.fulfill(json=answer)


def test_i_look_at_the_network_and_leave_a_part_out(learn: Page, engine: FakeEngine) -> None:
    view(learn, "The network")
    parts = learn.locator(".learn-unet .part")
    expect(parts).to_have_count(len(recorded_run.network()))
    learn.get_by_role("button", name="ResNet block down_blocks.1.resnets.0").click()
    why = learn.locator(".learn-why")
    expect(why.locator("h2").first).to_have_text("ResNet block")
    expect(why).to_contain_text("48 × 4 × 4")
    expect(why).to_contain_text("1,001")
    learn.get_by_role("button", name="Mute").click()
    expect(learn.locator(".learn-unet .part.muted")).to_have_count(1)
    engine.extensions.replace((RECORDER,))
    before = len(engine.asked)
    learn.get_by_role("button", name="Make again, 1 block changed").click()
    expect(learn.locator("#learn_take_apart")).to_be_visible()
    learn.wait_for_function("() => document.querySelector('.learn-note, .learn-of')")
    while len(engine.asked) == before:
        learn.wait_for_timeout(50)
    asked = engine.asked[-1]
    assert asked.extensions["records"]["blocks"] == {"down_blocks.1.resnets.0": 0}
    learn.get_by_role("button", name="Reset").click()
    assert axe(learn, "#learn") == []
