"""The editor of poses, frames of extensions and their lasting settings, in a browser: one page for the whole file."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.extensions.toys import toy
from tests.ui.driving import eventually, served, whole_page
from tests.ui.fakes import FakeEngine
from tests.ui.house import House
from tests.ui.staying import Staying
from webui.plugins.catalog import Catalog
from webui.plugins.kept_settings import KeptSettings
from webui.plugins.loader import load_all

ROOT = Path(__file__).parents[2]
HOSTILE = """
    class Usual(Options):
        level: int = Field(3, ge=0, le=9)

    @hookimpl
    def settings_options():
        return Usual

    @hookimpl
    def frames():
        return [Frame("attack", "Attack", "attack.js")]
"""
ATTACK = """
const told = {};
const attempt = async (name, work) => {
  try { told[name] = String(await work()); } catch (error) { told[name] = `no: ${error.name}`; }
};
(async () => {
  await attempt("page", () => parent.document.title);
  await attempt("cookies", () => document.cookie);
  await attempt("storage", () => localStorage.length);
  await attempt("fetch", () => fetch("/internal/page/extensions").then((answer) => answer.status));
  await attempt("top", () => { top.location = "/health"; return "went"; });
  await attempt("eval", () => new Function("return 1")());
  webui.insert("stolen focus");
  webui.fill({ style: "clay" });
  webui.notice("x".repeat(5000));
  parent.postMessage({ type: "tab:open", tab: "settings" }, "*");
  parent.postMessage("nonsense", "*");
  const circle = { type: "fill" };
  circle.options = { circle };
  parent.postMessage(circle, "*");
  await attempt("action", () => webui.ask("interrogate"));
  document.body.append(JSON.stringify(told));
  const flood = document.createElement("button");
  flood.textContent = "Flood";
  flood.onclick = () => { for (let at = 0; at < 500; at += 1) webui.notice("flood"); };
  document.body.append(flood);
})();
"""


# A page that has a lot to do for a message, as on a slow machine; what is called tells how often, and ends it.
SLOW = """async () => {
  const { hear } = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
  let count = 0;
  const end = hear("notice", ({ text }) => {
    if (!text.includes("flood")) return;
    count += 1;
    const until = performance.now() + 100;
    while (performance.now() < until);
  });
  window.atWork = () => (end(), count);
}"""


@pytest.fixture(scope="module")
def page(shared_context: BrowserContext, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("house")
    place = toy(
        folder / "toys", "hostile", HOSTILE.replace("\n    class", "\n    from pydantic import Field\n    class")
    )
    (place / "attack.js").write_text(ATTACK)
    outputs = folder / "outputs"
    outputs.mkdir()
    engine = FakeEngine(outputs)
    infos = [
        *load_all(folder / "toys").infos,
        *load_all(ROOT / "tests" / "extensions" / "ported").infos,
        *(info for info in load_all(ROOT / "extensions").infos if info.name == "controlnet"),
    ]
    engine.extensions = Catalog(infos, kept=KeptSettings(folder / "kept"))

    def before(opened: Page) -> None:
        opened.route("**/actions/*", answered)
        opened.route("**/actions/*?*", answered)

    with served(whole_page(engine, folder)) as address:
        staying = Staying(shared_context, House(address, engine, folder), size=(1440, 900))
        with staying.opened(before=before) as opened:
            yield opened
    engine.close()


def answered(route: Route) -> None:
    """What the worker would say."""
    kinds: dict[str, Any] = {
        "module_list": ["none", "dw_openpose_full"],
        "model_list": ["None"],
        "default_option": "dw_openpose_full",
    }
    answers: dict[str, Any] = {
        "control_types": {"control_types": {"OpenPose": {**kinds, "default_model": "None"}}},
        "styles": ["ink", "clay"],
    }
    data = answers.get(route.request.url.partition("?")[0].rpartition("/")[2], {})
    route.fulfill(json={"text": "", "files": [], "images": [], "data": data})


def switch_on(page: Page, extension: str) -> None:
    page.locator(f"#txt2img_extension_{extension}_enable input").check()


def joint(page: Page, name: str, person: int = 1) -> Any:
    return page.locator(f'.pose-joint[aria-label^="Person {person}: {name},"]')


def place_of(page: Page, name: str, person: int = 1) -> tuple[int, int]:
    label = joint(page, name, person).get_attribute("aria-label") or ""
    _, x, y = label.rsplit(", ", 2)
    return int(x.split()[0]), int(y.split()[0])


def test_a_pose_is_drawn_and_becomes_the_map(page: Page) -> None:
    switch_on(page, "controlnet")
    page.get_by_role("radio", name="OpenPose").click()
    page.get_by_role("button", name="Edit pose").click()
    dialog = page.get_by_role("dialog", name="Pose")
    expect(dialog).to_be_visible()
    # by keys
    x, y = place_of(page, "left wrist")
    joint(page, "left wrist").focus()
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("ArrowRight")
    assert place_of(page, "left wrist") == (x + 1, y - 10)
    # by the mouse
    box = joint(page, "right wrist").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 40, box["y"] - 60, steps=3)
    page.mouse.up()
    moved = place_of(page, "right wrist")
    page.locator("#pose_undo").click()
    assert place_of(page, "right wrist") != moved
    page.locator("#pose_redo").click()
    assert place_of(page, "right wrist") == moved
    # a joint away and back, another person and away
    joint(page, "left ear").focus()
    page.keyboard.press("Delete")
    expect(joint(page, "left ear")).to_be_hidden()
    page.get_by_role("button", name="+ left ear").click()
    expect(joint(page, "left ear")).to_be_visible()
    page.locator("#pose_add").click()
    expect(joint(page, "neck", 2)).to_be_visible()
    page.locator("#pose_remove").click()
    expect(page.locator(".pose-joint[data-joint='1']")).to_have_count(1)
    with page.expect_response("**/internal/page/pose") as found:
        page.locator("#pose_use").click()
    sent = json.loads(found.value.request.post_data or "")
    assert tuple(sent["people"][0]["pose_keypoints_2d"][12:14]) == pytest.approx(moved, abs=1)
    drawn = Image.open(io.BytesIO(base64.b64decode(found.value.json()["image"])))
    assert drawn.size == (sent["canvas_width"], sent["canvas_height"])
    assert drawn.convert("RGB").getpixel(moved) != (0, 0, 0)
    expect(dialog).to_be_hidden()
    expect(page.locator("#txt2img_extension_controlnet_options .f-picture img").first).to_be_visible()
    # the map is a map already, and can be edited again
    expect(page.locator("#txt2img_extension_controlnet_units_0_module option:checked")).to_have_text("none")
    page.get_by_role("button", name="Edit pose").click()
    assert place_of(page, "right wrist") == moved


def test_a_pose_comes_from_json_and_keeps_hands(page: Page) -> None:
    body = [value for at in range(18) for value in (0.1 + at / 50, 0.5, 1)]
    hand = [value for at in range(21) for value in (0.2, 0.3 + at / 100, 1)]
    pose = {
        "people": [{"pose_keypoints_2d": body, "hand_right_keypoints_2d": hand}],
        "canvas_width": 256,
        "canvas_height": 128,
    }
    page.locator("#pose_file").set_input_files(
        {"name": "p.json", "mimeType": "application/json", "buffer": json.dumps(pose).encode()}
    )
    expect(joint(page, "nose")).to_have_attribute("aria-label", "Person 1: nose, 26 to the right, 64 down")
    joint(page, "right wrist").focus()
    page.keyboard.press("Shift+ArrowRight")
    with page.expect_download() as download:
        page.locator("#pose_save").click()
    saved = json.loads(Path(download.value.path()).read_text())
    assert (saved["canvas_width"], saved["canvas_height"]) == (256, 128)
    person = saved["people"][0]
    assert person["hand_right_keypoints_2d"][:3] == pytest.approx([0.2 * 256 + 10, 0.3 * 128, 1])
    assert person["face_keypoints_2d"] is None
    page.locator("#pose_file").set_input_files(
        {"name": "p.json", "mimeType": "application/json", "buffer": b'{"people": 1}'}
    )
    expect(page.get_by_role("alert").filter(has_text="This is no pose of OpenPose")).to_be_visible()
    page.get_by_role("dialog", name="Pose").get_by_role("button", name="Close").click()


def touch(page: Page, *places: tuple[float, float]) -> None:
    """A finger that is put down at the first place, moves over the others, and is lifted."""
    fingers = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(places):
        kind = "touchMove" if number else "touchStart"
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    fingers.detach()


def test_a_pose_is_changed_by_touch_on_a_phone(page: Page) -> None:
    usual = page.viewport_size
    assert usual is not None
    page.get_by_role("button", name="Edit pose").click()
    page.set_viewport_size({"width": 390, "height": 844})
    joint(page, "left wrist").scroll_into_view_if_needed()
    canvas = page.locator(".pose-canvas").bounding_box()
    spot = joint(page, "left wrist").locator("circle").last.bounding_box()
    assert canvas is not None
    assert spot is not None
    assert canvas["width"] <= 390
    x, y = spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2
    touch(page, (x + 14, y + 10), (x + 5, y - 20), (x - 20, y - 60))  # a finger beside the joint takes it all the same
    there = joint(page, "left wrist").locator("circle").last.bounding_box()
    assert there is not None
    assert there["x"] + there["width"] / 2 == pytest.approx(x - 20, abs=1.5)  # it follows the finger
    assert there["y"] + there["height"] / 2 == pytest.approx(y - 60, abs=1.5)
    page.locator("#pose_undo").click()
    back = joint(page, "left wrist").locator("circle").last.bounding_box()
    assert back == pytest.approx(spot, abs=1)
    limb = page.locator(".pose-limb").nth(7).bounding_box()  # a thigh: the whole figure moves
    assert limb is not None
    shoulder = place_of(page, "right shoulder")
    touch(page, (limb["x"] + limb["width"] / 2, limb["y"] + limb["height"] / 2), (canvas["x"] + 30, canvas["y"] + 60))
    assert place_of(page, "right shoulder") != shoulder
    page.get_by_role("dialog", name="Pose").get_by_role("button", name="Close").click()
    page.set_viewport_size(usual)


def test_a_pose_is_drawn_from_the_canvas(page: Page) -> None:
    before = page.locator("#txt2img_extension_controlnet_options .f-picture img").first.get_attribute("src")
    page.get_by_role("tab", name="img2img", exact=True).click()
    page.locator(".canvas-options-button").first.click()
    page.get_by_role("button", name="Draw a pose for ControlNet").click()
    x, y = place_of(page, "nose")
    joint(page, "nose").focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.locator("#pose_use").click()
    expect(page.get_by_role("dialog", name="Pose")).to_be_hidden()
    expect(page.locator("#txt2img_extension_controlnet_options .f-picture img").first).not_to_have_attribute(
        "src", before or ""
    )
    page.get_by_role("button", name="Edit pose").click()
    assert place_of(page, "nose") == (x - 10, y)
    page.get_by_role("dialog", name="Pose").get_by_role("button", name="Close").click()
    page.get_by_role("tab", name="txt2img", exact=True).click()


def test_a_pose_waits_until_it_is_drawn_and_can_be_cancelled_by_then(page: Page) -> None:
    page.get_by_role("button", name="Edit pose").click()
    place = place_of(page, "nose")
    joint(page, "nose").focus()
    page.keyboard.press("ArrowLeft")
    held: list[Route] = []
    page.route("**/internal/page/pose", lambda route: held.append(route))
    uploads: list[str] = []
    page.on("request", lambda request: uploads.append(request.url) if "upload" in request.url else None)
    page.locator("#pose_use").click()
    eventually(page, lambda: len(held) == 1)
    page.locator("#pose_undo").click(force=True)
    joint(page, "nose").focus()
    page.keyboard.press("ArrowUp")
    assert place_of(page, "nose") == (place[0] - 1, place[1])
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Pose")).to_be_hidden()
    with page.expect_response("**/internal/page/pose"):
        held[0].continue_()
    page.unroute("**/internal/page/pose")
    page.get_by_role("button", name="Edit pose").click()
    assert place_of(page, "nose") == place
    assert uploads == []
    page.get_by_role("dialog", name="Pose").get_by_role("button", name="Close").click()


def open_frame(page: Page, tab: str, frame: str) -> Any:
    page.get_by_role("tab", name="Extensions", exact=True).click()
    page.locator("#extensions_tabs").get_by_role("tab", name=tab, exact=True).click()
    return page.frame_locator(f"#{frame}")


def test_a_frame_fills_the_form_of_its_extension(page: Page) -> None:
    frame = open_frame(page, "Styles", "style_words_palette_frame")
    frame.get_by_role("button", name="clay").click()
    page.get_by_role("tab", name="txt2img", exact=True).click()
    expect(page.locator("#txt2img_extension_style_words_style option:checked")).to_have_text("clay")


def test_a_frame_hears_the_prompt_only_where_it_says_so(page: Page) -> None:
    page.get_by_role("tab", name="txt2img", exact=True).click()
    page.locator("#txt2img_prompt textarea").fill("a quiet house")
    frame = open_frame(page, "Styles", "style_words_palette_frame")
    expect(frame.get_by_text("a quiet house")).to_be_visible()


def test_a_hostile_frame_reaches_nothing(page: Page) -> None:
    page.get_by_role("tab", name="txt2img", exact=True).click()
    page.locator("#txt2img_prompt textarea").fill("mine")
    frame = open_frame(page, "Attack", "hostile_attack_frame")
    expect(frame.locator("body")).to_contain_text("}")  # it has tried everything
    told = json.loads((frame.locator("body").inner_text()).replace("Flood", "").strip())
    assert {name: said[:3] for name, said in told.items()} == dict.fromkeys(
        ["page", "cookies", "storage", "fetch", "top", "eval", "action"], "no:"
    )
    assert page.locator("#txt2img_prompt textarea").input_value() == "mine"
    expect(page.get_by_role("tab", name="Extensions", exact=True)).to_have_attribute("aria-selected", "true")
    page.evaluate(SLOW)
    frame.get_by_role("button", name="Flood").click()
    expect(page.get_by_text("said more than the page can listen to")).to_be_visible()
    assert page.evaluate("window.atWork()") == 0  # nothing of the flood was acted on
    page.get_by_role("button", name="Open it again").click()
    expect(frame.get_by_role("button", name="Flood")).to_be_visible()


def test_settings_of_an_extension_are_kept(page: Page) -> None:
    page.get_by_role("tab", name="Extensions", exact=True).click()
    page.locator("#extensions_tabs").get_by_role("tab", name="Installed").click()
    page.locator("#extension_hostile_settings").click()
    page.locator("#settings_of_hostile_level").fill("7")
    page.locator("#settings_of_hostile_level").blur()
    page.locator("#settings_of_hostile_save").click()
    expect(page.get_by_role("dialog", name="Settings of Hostile")).to_be_hidden()
    page.locator("#extension_hostile_settings").click()
    expect(page.locator("#settings_of_hostile_level")).to_have_value("7")
    page.get_by_role("dialog", name="Settings of Hostile").get_by_role("button", name="Close").click()
