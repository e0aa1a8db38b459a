"""The controls of a declared form on a bare page: what comes late from a server neither takes nor moves anything."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from tests.ui.bare import ORIGIN, bare_page, call
from tests.ui.driving import eventually

PICTURE: dict[str, Any] = {"name": "picture", "control": "picture", "label": "Picture"}
FORM = """
const { FormState } = await import("/static/declared_state.js");
const { Scope } = await import("/static/form_scope.js");
const state = new FormState({ fields: argument }, {});
window.uploads = {};
window.failures = [];
const upload = (file) => new Promise((done, fail) => {
  const { name } = file;
  const answer = { path: name, url: `picture/${name}` };
  window.uploads[name] = { done: () => done(answer), fail: () => fail(new Error(name)) };
});
const about = { elemId: "form", hints: {}, isWide: false, upload, failed: (text) => window.failures.push(text) };
const body = module.bodyOf(new Scope(state, [], state.fields, about));
state.hear((from) => body.show(from));
document.getElementById("stage").replaceChildren(body.node);
window.state = state;
"""


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with bare_page(browser, pictures=png()) as page:
        yield page


class Form:
    """A form of these fields; what is given to it is uploaded when the test says so."""

    def __init__(self, page: Page, *fields: dict[str, Any]) -> None:
        self.page = page
        call(page, "form_body.js", FORM, [*fields])

    def give(self, name: str) -> None:
        """Choose a file for the picture in view."""
        given = FilePayload(name=name, mimeType="image/png", buffer=b"x")
        self.page.locator("input[type=file]").set_input_files(given)
        self.page.wait_for_function("(name) => name in uploads", arg=name)

    def ends(self, name: str, how: str = "done") -> None:
        self.page.evaluate(f"(name) => {{ uploads[name].{how}(); }}", name)

    def do(self, script: str) -> Any:
        return self.page.evaluate(script)

    @property
    def values(self) -> Any:
        return self.page.evaluate("state.values")


def named(value: Any) -> str | None:
    return None if value is None else str(value["name"])


def test_of_two_pictures_the_one_that_was_chosen_last_stays_whichever_comes_last(tab: Page) -> None:
    form = Form(tab, PICTURE)
    form.give("large and wrong.png")
    form.give("small.png")
    form.ends("small.png")
    form.ends("large and wrong.png")
    assert named(form.values["picture"]) == "small.png"
    form.give("later.png")
    form.give("refused.png")
    form.ends("refused.png", "fail")
    form.ends("later.png")  # what was not taken is in nobody's way
    assert named(form.values["picture"]) == "later.png"
    assert form.do("failures") == ["refused.png"]
    form.give("not wanted.png")
    tab.get_by_role("button", name="Remove this picture").click()
    form.ends("not wanted.png")
    assert form.values["picture"] is None


def test_a_picture_of_the_page_that_is_dropped_first_does_not_replace_a_file_that_is_dropped_then(tab: Page) -> None:
    form = Form(tab, PICTURE)
    held: list[Route] = []
    tab.route("**/picture/slow", lambda route: held.append(route))
    form.do("""() => {
      const data = new DataTransfer();
      data.setData("text/plain", "picture/slow");
      document.querySelector("figure").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
    }""")
    eventually(tab, lambda: bool(held))
    form.give("file.png")
    form.ends("file.png")
    held[0].fulfill(body=png(), content_type="image/png")
    tab.wait_for_function("'picture.png' in uploads")
    tab.unroute("**/picture/slow")
    form.ends("picture.png")
    assert named(form.values["picture"]) == "file.png"


def test_a_picture_comes_to_the_unit_that_it_was_given_to_or_to_none(tab: Page) -> None:
    form = Form(tab, {"name": "units", "control": "units", "label": "Units", "fields": [PICTURE]})
    for _ in range(2):
        tab.get_by_role("button", name="Another unit").click()
    units = tab.locator(".f-unitchip")
    units.nth(0).click()
    form.give("gone.png")
    tab.get_by_role("button", name="Remove unit 1").click()
    form.ends("gone.png")
    assert [named(one["picture"]) for one in form.values["units"]] == [None, None]
    units.nth(1).click()
    form.give("second.png")
    units.nth(0).click()
    tab.get_by_role("button", name="Remove unit 1").click()
    form.ends("second.png")
    assert [named(one["picture"]) for one in form.values["units"]] == ["second.png"]
    expect(tab.get_by_alt_text("Picture")).to_be_visible()  # in the control that was drawn meanwhile
    form.give("third.png")
    form.do("state.fill(structuredClone(state.values))")  # as by parameters that are pasted
    form.ends("third.png")
    assert [named(one["picture"]) for one in form.values["units"]] == ["third.png"]


@pytest.mark.parametrize(
    ("field", "typed", "more", "value"),
    [
        ({"control": "slider", "low": 0, "high": 2, "step": 0.05, "default": 1}, "0.", "6", 0.6),
        ({"control": "number", "default": 1}, "0.", "6", 0.6),
        ({"control": "number", "default": 1}, "", "6", 6),
        ({"control": "words", "default": ["one"]}, "two, th", "ree", ["two", "three"]),
        ({"control": "numbers", "default": [1]}, "2, ", "3", [2, 3]),
        ({"control": "json", "default": None}, '{"a": ', "1}", {"a": 1}),
    ],
    ids=["slider", "number", "empty number", "words", "numbers", "json"],
)
def test_what_is_typed_while_a_picture_comes_is_not_written_over(
    tab: Page, field: dict[str, Any], typed: str, more: str, value: Any
) -> None:
    form = Form(tab, PICTURE, {"name": "typed", "label": "Typed", **field})
    box = tab.locator("[data-field=typed] input:not([type=range])")
    form.give("a.png")
    box.select_text()
    tab.keyboard.press("Delete")
    tab.keyboard.type(typed)
    form.ends("a.png")
    assert named(form.values["picture"]) == "a.png"
    tab.keyboard.type(more)
    tab.keyboard.press("Tab")
    assert form.values["typed"] == value


def test_a_box_that_is_left_as_it_was_shows_what_the_form_holds_by_then(tab: Page) -> None:
    form = Form(tab, {"name": "level", "label": "Level", "control": "slider", "low": 0, "high": 9, "default": 3})
    box = tab.get_by_role("spinbutton")
    box.press("End")
    tab.keyboard.type("5")
    form.do("state.fill({ level: 7 })")
    expect(box).to_have_value("35")
    expect(tab.get_by_role("slider")).to_have_value("7")
    tab.keyboard.press("Backspace")
    box.blur()
    expect(box).to_have_value("7")
    assert form.values["level"] == 7


MERGE: dict[str, Any] = {
    "extension": "merge", "title": "Merge",
    "fields": [{"name": "name", "control": "text", "label": "Name", "default": ""}],
}  # fmt: skip
MOUNTED = """
const element = document.createElement("div");
document.getElementById("stage").replaceChildren(element);
module.mount({ element, props: { form: argument, action: "merge", place: "merge", is_wide: false }, upload: null });
"""


def test_an_action_is_started_once_and_stop_ends_the_one_that_runs(tab: Page) -> None:
    starts: list[Route] = []
    looks: list[Route] = []
    stops: list[str] = []

    def answer(route: Route) -> None:
        path = route.request.url.partition("internal/page/")[2]
        if path.endswith("/cancel"):
            stops.append(path)
            route.fulfill(json={})
        else:
            (starts if path.startswith("extensions/") else looks).append(route)

    tab.goto(ORIGIN)
    tab.evaluate("sessionStorage.setItem('webui_action_merge_merge', 'before')")
    tab.route("**/internal/page/**", answer)
    run, stop = tab.locator("#merge_run"), tab.locator("#merge_cancel")
    call(tab, "action_form.js", MOUNTED, MERGE)
    eventually(tab, lambda: len(looks) == 1)
    tab.get_by_label("Name").fill("a")
    expect(run).to_be_disabled()  # whether it still runs is not known
    looks[0].fulfill(status=404, json={"detail": "there is no such job"})
    run.click()
    eventually(tab, lambda: len(starts) == 1)
    tab.get_by_label("Name").fill("ab")
    expect(run).to_be_disabled()
    starts[0].fulfill(json={"id": "first", "state": "queued"})
    eventually(tab, lambda: len(looks) == 2)
    with tab.expect_response("**/actions/first/cancel"):
        stop.click()
    assert stops == ["actions/first/cancel"]
    looks[1].fulfill(json={"id": "first", "state": "cancelled", "mark": "1"})
    expect(run).to_be_enabled()
    run.click()
    eventually(tab, lambda: len(starts) == 2)
    starts[1].fulfill(status=400, json={"detail": "no such file"})
    expect(run).to_be_enabled()  # what the server refused can be tried again
    tab.unroute("**/internal/page/**")
