"""The small parts that components are made of, each on a bare page: by mouse, by keys, and for those who cannot see."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.accessibility import axe
from tests.ui.plain_page import open_bare


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 800, "height": 600})
    open_bare(page)
    yield page
    page.close()


@pytest.fixture
def page(bare: Page) -> Iterator[Page]:
    """The bare page, empty, and at its end without an error."""
    faults: list[str] = []
    bare.on("pageerror", lambda error: faults.append(str(error)))
    bare.evaluate("() => { document.querySelector('main').replaceChildren(); window.told = []; }")
    yield bare
    assert faults == []


def put(page: Page, script: str) -> None:
    """Put a part on the page; `kit` is the module, `tell` notes what it was told."""
    page.evaluate(
        "async (script) => { const kit = await import('/kit.js'); const tell = (one) => window.told.push(one);"
        " window.part = Function('kit', 'tell', 'return ' + script)(kit, tell);"
        " document.querySelector('main').append(window.part); }",
        script,
    )


def told(page: Page) -> list[Any]:
    found: list[Any] = page.evaluate("window.told")
    return found


def test_an_element_holds_text_as_text(page: Page) -> None:
    attributes = "{id: 'x', hidden: false, title: null, 'data-a': '\"<'}"
    put(page, f"kit.el('p', {attributes}, '<b>no</b>', null, kit.el('i', {{}}, 'yes'))")
    expect(page.locator("#x")).to_have_text("<b>no</b>yes")
    assert page.evaluate("[part.hidden, part.hasAttribute('title'), part.dataset.a, part.querySelector('b')]") == [
        False, False, '"<', None,
    ]  # fmt: skip


def test_an_unknown_icon_is_named(page: Page) -> None:
    message = page.evaluate(
        "async () => { try { (await import('/kit.js')).icon('nothing'); } catch (e) { return e.message; } }"
    )
    assert "nothing" in message
    assert "sliders" in message


def test_segments_are_chosen_by_click_and_arrow_keys(page: Page) -> None:
    choices = "['a', 'b', 'c'].map((one) => ({value: one, label: one.toUpperCase()}))"
    put(page, f"kit.segments('Mode', {choices}, 'a', tell)")
    group = page.get_by_role("radiogroup", name="Mode")
    group.get_by_role("radio", name="B").click()
    page.keyboard.press("ArrowRight")
    expect(group.get_by_role("radio", name="C")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert told(page) == ["b", "c", "a", "c"]
    assert page.evaluate("part.value") == "c"
    page.evaluate("part.value = 'b'")
    expect(group.get_by_role("radio", name="B")).to_have_attribute("aria-checked", "true")
    assert group.locator("[tabindex='0']").count() == 1
    assert len(told(page)) == 4
    assert axe(page) == []


def test_a_toggle_is_a_switch(page: Page) -> None:
    put(page, "kit.toggle('On', false, tell)")
    box = page.get_by_role("switch", name="On")
    box.focus()
    page.keyboard.press("Space")
    expect(box).to_be_checked()
    assert told(page) == [True]
    assert axe(page) == []


def test_the_handles_of_a_range_do_not_pass_each_other(page: Page) -> None:
    put(
        page,
        "kit.rangePair({label: 'Active', names: ['Begins', 'Ends'], low: 0, high: 1, step: 0.05}, [0, 0.5], tell)",
    )
    begins, ends = (page.get_by_role("slider", name=f"Active: {name}") for name in ("Begins", "Ends"))
    ends.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert told(page) == [[0, 0.55], [0, 0.6]]
    begins.focus()
    page.keyboard.press("End")
    page.keyboard.press("PageDown")
    assert told(page)[2:] == [[0.6, 0.6], [0.1, 0.6]]
    expect(begins).to_have_attribute("aria-valuenow", "0.10")
    expect(page.locator("output")).to_have_text("0.10 – 0.60")
    track = page.locator(".track").bounding_box()
    assert track is not None
    page.mouse.move(track["x"] + track["width"] * 0.6, track["y"] + 8)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * 2, track["y"] + 8)
    page.mouse.up()
    assert page.evaluate("part.value")[1] == 1
    assert axe(page) == []


def test_a_pick_list_is_searched_and_chosen_from_by_keys(page: Page) -> None:
    choice = "({value: 'v' + n, label: 'Name ' + n, hint: n === 7 ? 'seven' : ''})"
    put(page, f"kit.pickList('Upscaler', [...Array(60).keys()].map((n) => {choice}), 'v3', tell)")
    button = page.get_by_role("button", name="Upscaler: Name 3")
    button.focus()
    page.keyboard.press("ArrowDown")
    search = page.get_by_role("combobox", name="Search")
    expect(search).to_be_focused()
    assert axe(page) == []
    page.keyboard.type("seven")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Upscaler: Name 7")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Upscaler: Name 8").click()
    page.get_by_role("option", name="Name 12").click()
    assert told(page) == ["v7", "v8", "v12"]
    page.get_by_role("button", name="Upscaler: Name 12").click()
    page.keyboard.press("Escape")
    expect(search).to_be_hidden()
    assert page.evaluate("part.value") == "v12"


def test_a_chip_counts_by_wheel_and_keys_and_goes(page: Page) -> None:
    put(page, "kit.valueChip({label: 'ink', value: 0.7, high: 2}, {changed: tell, removed: () => tell('gone')})")
    number = page.get_by_role("spinbutton", name="ink")
    number.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("PageDown")
    number.hover()
    page.mouse.wheel(0, -100)
    page.wait_for_function("window.told.length === 3")
    page.get_by_role("button", name="Remove ink").click()
    assert told(page) == [0.75, 0.25, 0.3, "gone"]
    assert axe(page) == []


def test_a_dialog_keeps_the_focus_and_gives_it_back(page: Page) -> None:
    dialog_of = "kit.openDialog({title: 'Ask', closed: () => tell('closed')}, kit.el('button', {id: 'inner'}, 'In'))"
    put(page, f"kit.el('button', {{id: 'opener', onclick: () => {dialog_of}}}, 'Open')")
    page.locator("#opener").click()
    dialog = page.get_by_role("dialog", name="Ask")
    expect(dialog).to_be_visible()
    for _ in range(5):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"
        )
    assert axe(page) == []
    page.locator("#inner").focus()
    page.mouse.move(400, 300)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#opener")).to_be_focused()
    page.locator("#opener").click()
    page.mouse.click(5, 5)  # beside it
    expect(dialog).to_have_count(0)
    page.wait_for_function("window.told.length === 2")  # a dialog tells of its closing a moment later
    assert told(page) == ["closed", "closed"]


def test_a_listener_that_fails_stops_no_other(page: Page) -> None:
    heard = page.evaluate(
        """async () => {
          const { say, hear } = await import("/bus.js");
          const heard = [];
          console.error = () => {};
          hear("notice", () => { throw new Error("broken"); });
          const stop = hear("notice", (detail) => heard.push(detail.text));
          say("notice", { text: "one" });
          stop();
          say("notice", { text: "two" });
          say("nobody:listens");
          return heard;
        }"""
    )
    assert heard == ["one"]


def test_a_text_keeps_its_values_in_any_language(page: Page) -> None:
    assert page.evaluate(
        """async () => {
          const { t } = await import("/language.js");
          return [t("Queue ({n})", { n: 3 }), t("{a} and {b}", { a: "{b}", b: "$&" }), t("toString"), t("{missing}")];
        }"""
    ) == ["Queue (3)", "{b} and $&", "toString", "{missing}"]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("Control+Shift+Z", "Ctrl+Shift+z"),
        ("Control+Enter", "Ctrl+Enter"),
        ("?", "?"),
        ("Shift+ArrowUp", "Shift+ArrowUp"),
        ("Alt+ArrowLeft", "Alt+ArrowLeft"),
        ("n", "n"),
    ],
)
def test_a_pressed_key_has_one_name(page: Page, key: str, name: str) -> None:
    page.evaluate(
        """async () => {
          const { nameOf } = await import("/keys.js");
          document.addEventListener("keydown", (event) => {
            if (!["Shift", "Control", "Alt"].includes(event.key)) window.told.push(nameOf(event));
          }, { once: false, capture: true });
        }"""
    )
    page.keyboard.press(key)
    assert told(page)[-1] == name
    page.keyboard.press("Escape")


def test_the_newest_action_is_asked_first_and_may_pass_it_on(page: Page) -> None:
    assert page.evaluate(
        """async () => {
          const { action, perform } = await import("/keys.js");
          const done = [];
          action("some", () => { done.push("old"); });
          const end = action("some", () => { done.push("new"); return false; });
          const first = perform("some");
          end();
          return [first, perform("some"), perform("none"), done];
        }"""
    ) == [True, True, False, ["new", "old", "old"]]
