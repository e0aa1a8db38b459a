"""The tab Train in a browser: a data set is made and edited, a training is begun, watched, paused and used."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import APIResponse, BrowserContext, Error, Locator, Page, Route, expect
from pydantic import ConfigDict, JsonValue

from tests.ui.accessibility import axe
from tests.ui.driving import WAIT, eventually
from tests.ui.train_house import STEPS, TrainHouse, card, drop, held_back, kept_run, opened_holding, shown, train_house
from tests.ui.visiting import forget, visit
from webui.domain.extensions import ActionInfo, ExtensionInfo
from webui.extension_api import Options, form_hint
from webui.plugins.options import schema_of
from webui.ui.models_tab import heavy_actions, tab_of
from webui.ui.train_tab import props_of

LISTS = "**/actions/data_set?wait=true"  # what is asked for the pictures of a data set
STARTS, RUN, RUNS = "**/actions/train", "**/actions/run?wait=true", "**/actions/runs?wait=true"
PAUSED: dict[str, JsonValue] = {
    "run": "my-heart", "step": 240, "steps": STEPS, "state": "paused", "method": "lora", "output": "",
}  # fmt: skip
RECORDED = "**/internal/page/recordings/*"  # of one job


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainHouse]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
            patch.setenv(name, "")
        with train_house(tmp_path_factory.mktemp("train")) as made:
            yield made


@pytest.fixture(scope="module")
def tab(shared_context: BrowserContext, house: TrainHouse) -> Iterator[Page]:
    """One page for all tests, with the tab open; the first sees it without a data set."""
    page, faults = visit(shared_context, (1440, 900)), list[str]()
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)

    def note(error: Error) -> None:
        faults.append(str(error))

    page.on("pageerror", note)
    page.goto(f"{house.address}?tab=train")
    expect(page.locator("#train_example")).to_be_visible()
    assert axe(page, "#train") == []
    page.locator("#train_example").click()
    expect(page.locator("#train .tr-card")).to_have_count(24)
    yield page
    forget(shared_context, house.address)
    page.remove_listener("pageerror", note)
    assert faults == []


def test_the_example_can_be_trained_at_once(tab: Page, house: TrainHouse) -> None:
    expect(tab.locator("#train .tr-count")).to_contain_text("24 pictures")
    expect(tab.locator("#train_resolution")).to_have_value("128")
    expect(tab.locator("#train_start")).to_be_enabled()
    assert len([*house.sets.rglob("*.txt")]) == 24


def test_a_caption_is_written_when_its_box_is_left(tab: Page, house: TrainHouse) -> None:
    folder = shown(tab, house, "boats", {"a.png": "a boat", "b.png": ""})
    box = card(tab, "a.png").locator("textarea")
    box.fill("a red boat, at sea")
    box.press("Control+Enter")
    expect(card(tab, "b.png").locator("textarea")).to_be_focused()
    expect(card(tab, "a.png")).to_contain_text("Saved")
    assert (folder / "a.txt").read_text().strip() == "a red boat, at sea"
    expect(card(tab, "a.png").locator("img")).to_have_js_property("naturalWidth", 120)


def test_a_list_that_comes_late_takes_no_caption_back(tab: Page, house: TrainHouse) -> None:
    folder = shown(tab, house, "ships", {"a.png": "a ship", "b.png": ""})
    late: list[tuple[Route, APIResponse]] = []
    tab.route(LISTS, lambda route: late.append((route, route.fetch())))
    Image.new("RGB", (64, 64)).save(folder / "c.png")
    tab.locator("#tab_settings-button").click()
    tab.locator("#tab_train-button").click()  # looks at the folders again
    eventually(tab, lambda: len(late) == 1)
    box, other = (card(tab, name).locator("textarea") for name in ("a.png", "b.png"))
    box.fill("a tall ship")
    box.press("Control+Enter")
    expect(card(tab, "a.png")).to_contain_text("Saved")
    tab.keyboard.type("a boat, half")
    [(route, before)] = late
    route.fulfill(response=before)
    tab.unroute(LISTS)
    expect(tab.locator("#train .tr-card")).to_have_count(3)
    expect(box).to_have_value("a tall ship")
    expect(other).to_be_focused()
    tab.keyboard.type(" sunk")
    tab.keyboard.press("Tab")
    expect(card(tab, "b.png")).to_contain_text("Saved")
    assert (folder / "b.txt").read_text().strip() == "a boat, half sunk"


def test_a_caption_that_cannot_be_written_stays_and_is_tried_again(tab: Page, house: TrainHouse) -> None:
    folder = shown(tab, house, "trains", {"a.png": "a train", "b.png": ""})
    writes = "**/actions/data_set_write?wait=true"
    tab.route(writes, lambda route: route.fulfill(status=507, json={"detail": "the disk is full"}))
    box = card(tab, "a.png").locator("textarea")
    box.fill("a red train")
    box.press("Tab")
    expect(card(tab, "a.png")).to_contain_text("the disk is full")
    tab.unroute(writes)
    Image.new("RGB", (64, 64)).save(folder / "c.png")
    tab.locator("#tab_settings-button").click()
    tab.locator("#tab_train-button").click()
    expect(tab.locator("#train .tr-card")).to_have_count(3)
    expect(box).to_have_value("a red train")
    box.focus()
    box.press("Tab")
    expect(card(tab, "a.png")).to_contain_text("Saved")
    assert (folder / "a.txt").read_text().strip() == "a red train"


def test_a_set_that_is_not_shown_yet_has_no_cards_of_another(tab: Page, house: TrainHouse) -> None:
    shown(tab, house, "hats", {"a.png": "a hat"})
    late: list[Route] = []
    tab.route(LISTS, lambda route: late.append(route))
    tab.locator("#train_set").select_option("boats")
    expect(tab.locator("#train .tr-card")).to_have_count(0)
    late[0].continue_()
    expect(tab.locator("#train .tr-card")).to_have_count(2)
    tab.unroute(LISTS)


def test_a_dropped_picture_that_comes_late_is_added_where_it_was_dropped(tab: Page, house: TrainHouse) -> None:
    folder = shown(tab, house, "coats", {"a.png": "a coat"})
    late = held_back(tab, "**/dragged.png")
    drop(tab, f"{house.address}dragged.png")
    eventually(tab, lambda: len(late) == 1)
    tab.locator("#train_set").select_option("hats")
    expect(card(tab, "a.png").locator("textarea")).to_have_value("a hat")
    late[0].fulfill(body=(folder / "a.png").read_bytes(), content_type="image/png")
    expect(tab.locator('#train_set option[value="coats"]')).to_have_text("coats (2)")
    expect(tab.locator("#train .tr-card")).to_have_count(1)
    assert len([*(house.sets / "hats").rglob("*.png")]) == 1
    tab.unroute("**/dragged.png")


def test_many_captions_change_at_once_and_go_back(tab: Page, house: TrainHouse) -> None:
    folder = shown(tab, house, "dogs", {"a.png": "a dog", "b.png": "a Dog, running", "c.png": "a cat"})
    tab.get_by_role("button", name="Find and replace").click()
    tab.get_by_label("Find", exact=True).fill("dog")
    tab.get_by_label("Replace with").fill("wolf")
    tab.get_by_role("button", name="Replace", exact=True).click()
    expect(card(tab, "b.png").locator("textarea")).to_have_value("a wolf, running")
    assert (folder / "a.txt").read_text().strip() == "a wolf"
    tab.locator("#train_set").select_option("boats")
    expect(tab.locator("#train .tr-card")).to_have_count(2)
    tab.get_by_role("button", name="Undo").click()
    eventually(tab, lambda: (folder / "a.txt").read_text().strip() == "a dog")
    tab.locator("#train_set").select_option("dogs")
    expect(card(tab, "b.png").locator("textarea")).to_have_value("a Dog, running")
    card(tab, "c.png").locator("input[type=checkbox]").check()
    tab.get_by_role("button", name="Tags", exact=True).click()
    tab.get_by_label("Tags, with commas between them").fill("indoors")
    tab.get_by_role("button", name="Add", exact=True).click()
    expect(card(tab, "c.png").locator("textarea")).to_have_value("a cat, indoors")
    eventually(tab, lambda: (folder / "b.txt").read_text().strip() == "a Dog, running")
    assert axe(tab, "#train") == []


def test_broken_and_repeated_pictures_go_to_the_trash_on_wish(tab: Page, house: TrainHouse) -> None:
    folder = shown(tab, house, "trees", {"a.png": "a tree", "b.png": "two trees", "c.png": ""})
    (folder / "a2.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "torn.png").write_bytes(b"no picture")
    tab.get_by_role("button", name="Check", exact=True).click()
    tab.get_by_role("button", name="Look now").click()
    torn = tab.locator(".tr-fault", has_text="torn.png")
    expect(tab.locator(".tr-fault", has_text="Look the same")).to_contain_text("a2.png")
    torn.get_by_role("button", name="Move to the trash").click()
    expect(tab.locator(".tr-said")).to_contain_text("data_sets/trees/.trash")
    assert (house.sets / "trees" / ".trash" / "torn.png").read_bytes() == b"no picture"
    assert not (folder / "torn.png").exists()
    tab.locator("#train_crops").click()
    whole, kept = (card(tab, "a.png").locator(part).bounding_box() for part in (".tr-sheet", ".tr-crop"))
    assert whole is not None
    assert kept is not None
    assert 0 < kept["width"] * kept["height"] < 0.9 * whole["width"] * whole["height"]  # no bucket is so wide
    assert kept["x"] + kept["width"] <= whole["x"] + whole["width"] + 1


def test_a_data_set_is_made_of_files(tab: Page, house: TrainHouse, tmp_path: Path) -> None:
    Image.new("RGB", (90, 90), "teal").save(tmp_path / "one.jpg")
    (tmp_path / "one.txt").write_text("something teal")
    (tmp_path / "evil.png").write_text("<script>")
    tab.locator("#train_new").click()
    tab.locator("#train_new_name").fill("teal things")
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files([tmp_path / name for name in ("one.jpg", "one.txt", "evil.png")])
    tab.get_by_role("button", name="Make it").click()
    expect(tab.locator("#train_set")).to_have_value("teal things")
    expect(card(tab, "one.png").locator("textarea")).to_have_value("something teal")
    assert {one.name for one in (house.sets / "teal things").rglob("*.*")} == {"one.png", "one.txt"}


def test_a_model_writes_captions_that_are_missing(tab: Page, house: TrainHouse) -> None:
    shown(tab, house, "nameless", {"a.png": "has one", "b.png": ""})
    tab.route(
        "**/internal/page/files/captioner",
        lambda route: route.fulfill(json={"files": [{"name": "x/model.onnx", "usable": True}]}),
    )
    tab.get_by_role("button", name="Describe", exact=True).first.click()
    tab.locator(".tr-panel .strong").click()
    expect(card(tab, "b.png").locator("textarea")).to_have_value("a described picture")
    expect(card(tab, "a.png").locator("textarea")).to_have_value("has one")


def test_a_run_is_watched_paused_gone_on_with_and_used(tab: Page, house: TrainHouse) -> None:
    tab.locator("#train_set").select_option("example hearts")
    tab.locator("#train_start").click()
    assert house.back.begun.wait(10)
    assert house.back.asked[-1]["data_set"] == "example hearts"
    assert house.back.asked[-1]["resolution"] == 128
    house.record(200, samples=(60, 120))
    expect(tab.locator(".tr-facts")).to_contain_text(f"step 200 of {STEPS}")
    expect(tab.locator(".tr-facts")).to_contain_text("5 min left")
    expect(tab.get_by_role("img", name="Loss from")).to_be_visible()
    expect(tab.locator(".tr-samples thead th")).to_have_text(["Step", "60", "120"])
    house.record(240, samples=(180,))
    expect(tab.locator(".tr-samples tbody tr").first.locator("img")).to_have_count(3)
    expect(tab.locator("#train_start")).to_be_disabled()
    house.back.runs = [PAUSED]
    tab.locator("#train_pause").click()
    expect(tab.locator(".tr-state")).to_have_text("Paused")
    expect(tab.locator(".tr-row")).to_contain_text("step 240 of 400 · Paused")
    tab.locator("#train_resume").click()
    assert house.back.begun.wait(10)
    assert house.back.asked[-1] == {"resume": "my-heart"}
    house.record(STEPS, state="done")
    expect(tab.locator(".tr-facts")).to_contain_text("step 400 of 400")
    house.back.finishes = True
    expect(tab.locator(".tr-state")).to_have_text("my-heart was trained")
    house.back.kept = {"my-heart": kept_run("my-heart", ["sample_90_0"])}
    tab.locator(".tr-row").get_by_role("button", name="Show").click()
    expect(tab.locator(".tr-samples thead th")).to_have_text(["Step", "90"])
    expect(tab.locator(".tr-samples tbody th")).to_have_text("a kept cat")
    expect(tab.locator(".tr-facts")).to_have_text("step 400 of 400 · loss 0.0800 · learning rate 0")
    expect(tab.locator(".tr-row")).to_have_class("tr-row on")
    tab.locator(".tr-row").get_by_role("button", name="Remove").click()
    tab.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(tab.locator(".tr-runs")).to_be_hidden()
    tab.locator("#train_use").click()
    expect(tab.locator("#txt2img_prompt textarea")).to_have_value("<lora:my-heart:1>")


def test_what_i_set_is_there_at_the_next_visit_until_i_reset_it(tab: Page) -> None:
    tab.locator("#tab_train-button").click()
    rank, again = tab.locator("#train_rank"), tab.locator("#train").get_by_role("button", name="Reset the form")
    expect(rank).to_have_value("8")  # as the example suggests
    rank.fill("24")
    rank.blur()
    tab.reload()
    expect(rank).to_have_value("24")
    expect(tab.locator("#train_resolution")).to_have_value("128")
    again.click()
    expect(rank).to_have_value("16")
    expect(again).to_be_hidden()
    tab.reload()
    expect(rank).to_have_value("16")
    expect(again).to_be_hidden()


def test_recordings_are_told_as_what_they_are(tab: Page, house: TrainHouse) -> None:
    jobs = tab.request.get(f"{house.address}internal/page/recordings/of/painter_school/train").json()
    at = f"{house.address}internal/page/recordings/{jobs[-1]['id']}"
    parts = tab.request.get(at).json()
    assert {"training", "losses", "sample_60_0"} <= set(parts)
    assert tab.request.get(f"{at}/training").headers["content-type"] == "application/json"
    assert json.loads(tab.request.get(f"{at}/training").body())["run"] == "my-heart"
    assert tab.request.get(f"{at}/sample_60_0").headers["content-type"] == "image/png"
    assert tab.request.get(f"{at}/other").status == 404
    assert tab.request.get(f"{house.address}internal/page/recordings/nobody").status == 404


def test_a_training_is_begun_once_and_what_comes_late_of_another_does_not_end_it(tab: Page, house: TrainHouse) -> None:
    house.back.finishes, house.back.runs, before = False, [], len(house.back.asked)
    late, starts = opened_holding(tab, house, RECORDED, STARTS)
    eventually(tab, lambda: len(late) == 1)  # it asks for what is recorded of the last job
    tab.locator("#train_start").click()
    tab.locator("#train_rank").fill("20")
    tab.locator("#train_rank").blur()
    expect(tab.locator("#train_start")).to_be_disabled()
    starts[0].continue_()
    expect(tab.locator("#train_pause")).to_be_visible()
    with tab.expect_request(RUNS):  # the list is asked for after what is recorded
        late[0].continue_()
    tab.unroute(RECORDED)
    expect(tab.locator("#train_pause")).to_be_visible()
    expect(tab.locator("#train_start")).to_be_disabled()
    for route in late[1:]:
        route.continue_()
    assert house.back.begun.wait(10)
    house.record(240)
    expect(tab.locator(".tr-facts")).to_contain_text("step 240 of 400")
    house.back.runs = [PAUSED]
    tab.locator("#train_pause").click()
    go_on, remove = (tab.locator(".tr-row").get_by_role("button", name=name) for name in ("Resume", "Remove"))
    for one in (go_on, remove, tab.locator("#train_resume")):
        expect(one).to_be_enabled()
    tab.locator("#train_resume").click()
    eventually(tab, lambda: len(starts) == 2)
    expect(tab.locator("#train_resume")).to_be_disabled()
    expect(go_on.or_(remove)).to_have_count(0)
    starts[1].fulfill(status=507, json={"detail": "the disk is full"})
    expect(tab.locator(".tr-form .a-status")).to_contain_text("the disk is full")
    go_on.click()
    eventually(tab, lambda: len(starts) == 3)
    starts[2].continue_()
    tab.unroute(STARTS)
    expect(tab.locator("#train_pause")).to_be_visible()
    expect(go_on.or_(remove)).to_have_count(0)
    assert house.back.begun.wait(10)
    assert [one.get("resume", "") for one in house.back.asked[before:]] == ["", "my-heart"]
    tab.locator("#train_pause").click()
    expect(go_on).to_be_visible()  # the list was asked for again


def test_the_run_that_was_chosen_last_is_shown_whichever_comes_first(tab: Page, house: TrainHouse) -> None:
    names = ("ash", "elm", "oak")
    house.back.runs = [{"run": name, "step": 400, "steps": STEPS, "state": "done", "method": "lora"} for name in names]
    house.back.kept = {name: kept_run(name, [f"sample_{90 + at}_0"]) for at, name in enumerate(names)}
    lists, runs = opened_holding(tab, house, RUNS, RUN)
    [ash, elm, oak] = [tab.locator(f'.tr-row[data-run="{name}"]') for name in names]
    [chosen, steps] = [tab.locator(place) for place in (".tr-head h2", ".tr-samples thead th")]

    def show(row: Locator) -> Route:
        runs.clear()
        row.get_by_role("button", name="Show").click()
        eventually(tab, lambda: len(runs) == 1)
        return runs[0]

    eventually(tab, lambda: len(lists) >= 1)
    lists[0].continue_()  # it is asked for when the last job is told, and once more
    eventually(tab, lambda: len(lists) == 2)
    of_elm = show(elm)
    lists[1].continue_()
    expect(elm).to_have_class("tr-row on")  # so no other one is opened
    of_oak = show(oak)
    of_elm.continue_()
    expect(oak).to_have_class("tr-row on")  # elm was told of
    expect(tab.locator(".tr-samples")).to_be_hidden()
    of_oak.continue_()
    expect(steps).to_have_text(["Step", "92"])
    expect(chosen).to_have_text("oak")
    [of_ash, of_elm] = [show(ash), show(elm)]
    of_elm.continue_()
    expect(steps).to_have_text(["Step", "91"])
    elm.evaluate("(row) => row.classList.remove('on')")  # until a run is told of
    of_ash.continue_()
    expect(elm).to_have_class("tr-row on")
    expect(steps).to_have_text(["Step", "91"])
    expect(chosen).to_have_text("elm")
    tab.unroute_all()


def test_a_phone_shows_one_part_at_a_time(tab: Page) -> None:
    tab.locator("#tab_train-button").click()
    tab.evaluate("window.webui.setTheme('light')")
    tab.set_viewport_size({"width": 390, "height": 844})
    parts = tab.locator("#train .tr-set, #train .tr-form, #train .tr-right")
    for name, place in (("Settings", ".tr-form"), ("Run", ".tr-right"), ("Pictures", ".tr-set")):
        tab.locator(".tr-faces").get_by_role("radio", name=name).click()
        expect(tab.locator(f"#train {place}")).to_be_visible()
        assert sum(one.is_visible() for one in parts.all()) == 1
        assert axe(tab, "#train") == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


# ---- which actions belong to the tab


class Training(Options):
    model_config = ConfigDict(json_schema_extra=form_hint(tab="train"))


class Other(Options):
    """Nothing is asked."""


def test_the_tab_shows_what_asks_for_it_and_other_tabs_do_not() -> None:
    train, other = ActionInfo("teach", "Teach", schema_of(Training)), ActionInfo("merge", "Merge", schema_of(Other))
    info = ExtensionInfo("school", "school", actions=(train, other))
    off = ExtensionInfo("off", "off", state="disabled", actions=(train,))
    told = props_of((off, info))
    assert (told["training"]["extension"], told["training"]["action"], told["describing"]) == ("school", "teach", None)
    assert props_of((off,)) == {"training": None, "describing": None}
    assert [tab_of(one) for one in (train, other)] == ["train", ""]
    engine = type("Engine", (), {"extensions": type("Known", (), {"infos": (info,)})})
    assert [action.name for _, action in heavy_actions(engine)] == ["merge"]  # type: ignore[arg-type]
