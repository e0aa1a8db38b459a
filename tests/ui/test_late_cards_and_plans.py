"""Answers that come after somebody has gone on: cards, lists of pictures and plans of extensions keep what was done
meanwhile.

Each script is alone on a bare page, and the test is the server.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from tests.ui.bare import ORIGIN, bare_page, call
from tests.ui.driving import eventually

SERVED = f"{ORIGIN}internal/page/"
PUT_ON = "document.querySelector('#stage').append"
HEAR_NOTICES = """async () => {
  window.notices = [];
  (await import("/static/bus.js")).hear("notice", ({ text }) => window.notices.push(text));
}"""


class Server:
    """Answers what is only read, and holds every change until the test answers it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.told: dict[str, Any] = {}
        self.held: list[Route] = []
        page.goto(ORIGIN)
        page.evaluate(HEAR_NOTICES)
        page.route(f"{SERVED}**", self._take)

    def _take(self, route: Route) -> None:
        if route.request.method == "GET":
            route.fulfill(json=self.told[route.request.url.removeprefix(SERVED)])
        else:
            self.held.append(route)

    def has(self, count: int) -> list[tuple[str, Any]]:
        """What is held, once it is so many: addresses with what was sent."""
        eventually(self.page, lambda: len(self.held) >= count)
        sent = [(one.request.url.removeprefix(SERVED), one.request) for one in self.held]
        assert len(sent) == count, sent
        return [(address, json.loads(one.post_data or "null")) for address, one in sent]

    def answer(self, at: int = 0, **told: Any) -> None:
        """Answer one of those that are held."""
        with self.page.expect_response(self.held[at].request.url):
            self.held.pop(at).fulfill(json=told)


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with bare_page(browser, pictures=b"a picture") as page:
        yield page


@pytest.fixture
def server(tab: Page) -> Iterator[Server]:
    yield Server(tab)
    tab.unroute(f"{SERVED}**")


def test_changes_of_a_checkpoints_settings_are_made_one_after_the_other_while_i_type(server: Server) -> None:
    page = server.page
    fields = {"steps": 20, "cfg_scale": 7, "vae": "none", "seed_resize": 1}
    preset = {"name": "mine", "checkpoint": "mini", "fields": fields, "prefix": ""}
    server.told["presets"] = {"presets": [preset]}
    call(page, "card_settings.js", f"{PUT_ON}(module.settingsOfCheckpoint({{file: 'mini'}}))")
    page.get_by_label("Steps", exact=True).fill("30")
    page.get_by_label("Steps", exact=True).blur()
    page.get_by_label("CFG Scale", exact=True).fill("9")
    page.get_by_role("button", name="Remove VAE").click()
    prefix = page.get_by_label("Beginning of the prompt")
    prefix.press_sequentially("oil")

    def kept(**changed: Any) -> None:
        """The next change has this in it beside all before, and is answered."""
        preset.update(changed)
        assert server.has(1) == [("presets", preset)]
        server.answer(presets=[preset])

    kept(fields={**fields, "steps": 30})
    kept(fields={**fields, "steps": 30, "cfg_scale": 9})
    kept(fields={"steps": 30, "cfg_scale": 9, "seed_resize": 1})
    expect(page.get_by_role("button", name="Remove VAE")).to_have_count(0)
    expect(prefix).to_be_focused()
    prefix.press_sequentially(" paint")
    prefix.blur()
    page.get_by_role("button", name="Forget them").click()
    page.get_by_label("Steps", exact=True).fill("31")  # of what will be forgotten by then
    page.get_by_label("Steps", exact=True).blur()
    kept(prefix="oil paint")
    assert server.has(1) == [("presets/delete", {"name": "mine"})]
    server.answer(presets=[])
    expect(page.get_by_text("None yet.")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Forgotten.")
    assert server.held == []


def test_what_is_typed_in_the_notes_stays_when_a_preview_was_taken(server: Server) -> None:
    page = server.page
    noted: dict[str, Any] = {"description": "", "notes": "", "activation": "", "negative": "", "weight": 0, "base": ""}
    details: dict[str, Any] = {
        "kind": "lora", "id": "ink", "name": "ink", "thumb": "", "writable": True, "notes": noted, "words": [],
        "tags": [], "description": "", "hints": "", "metadata": [], "bytes": 1,
    }  # fmt: skip
    server.told["networks/lora/ink"] = details
    script = """
      const { say } = await import("/static/bus.js");
      say("picture:shown", { picture: { url: "picture/1" } });
      await module.showCard(argument, { changed: () => {} });
    """
    call(page, "card_info.js", script, {"kind": "lora", "id": "ink", "name": "ink"})
    dialog = page.get_by_role("dialog", name="ink")
    preview = dialog.get_by_role("button", name="Use the current picture as preview")
    preview.click()
    dialog.get_by_label("Notes", exact=True).fill("wet")
    eventually(page, lambda: len(server.held) == 1)
    server.answer(**details | {"thumb": "picture/2"})
    expect(dialog.get_by_text("This is its preview now.")).to_be_visible()
    expect(dialog.get_by_role("img", name="Preview of ink")).to_have_attribute("src", f"{ORIGIN}picture/2")
    dialog.get_by_role("button", name="Save notes").click()
    assert server.has(1) == [("networks/lora/ink/notes", noted | {"notes": "wet"})]
    server.answer(**details)
    expect(dialog.get_by_text("Saved.")).to_be_visible()
    preview.click()
    eventually(page, lambda: len(server.held) == 1)
    server.answer(**details)
    expect(dialog).to_have_count(0)


def test_settings_of_an_extension_stay_open_for_what_was_changed_since_they_were_sent(server: Server) -> None:
    page = server.page
    server.told["extensions/toy/settings"] = {"values": {"level": 3}}
    form = {"fields": [
        {"name": "level", "control": "number", "label": "Level", "whole": True, "default": 3},
        {"name": "names", "control": "words", "label": "Names", "default": []},
    ]}  # fmt: skip
    call(page, "extension_settings.js", "await module.openSettings({name: 'toy', title: 'Toy'}, argument)", form)
    dialog = page.get_by_role("dialog", name="Settings of Toy")

    def save_and(meanwhile: str, text: str) -> Any:
        """What is sent, while a box is filled before the answer."""
        dialog.get_by_role("button", name="Save").click()
        [(_, sent)] = server.has(1)
        if meanwhile:
            dialog.get_by_label(meanwhile).fill(text)
        server.answer()
        expect(dialog).to_have_count(1 if meanwhile else 0)
        return sent["values"]

    dialog.get_by_label("Level").fill("5")
    assert save_and("Level", "8") == {"level": 5, "names": []}
    assert save_and("Names", "a, b") == {"level": 8, "names": []}
    assert save_and("", "") == {"level": 8, "names": ["a", "b"]}


def test_a_folder_that_is_being_loaded_neither_overwrites_nor_brings_back(server: Server) -> None:
    page = server.page
    script = f"""
      window.sending = {{}};
      const upload = (file) => new Promise((done) => {{
        window.sending[file.name] = () => done({{ path: file.name, url: "" }});
      }});
      const about = {{ id: "x", label: "Pictures", place: "", upload, changed: () => {{}}, failed: () => {{}} }};
      window.source = module.pictureSource(about);
      {PUT_ON}(window.source.node);
    """
    call(page, "batch_pictures.js", script)

    def load(*names: str) -> None:
        files: list[FilePayload] = [{"name": name, "mimeType": "image/png", "buffer": b""} for name in names]
        page.locator("#x_files").set_input_files(files)

    def arrives(name: str) -> list[str]:
        """The pictures that are there once one more was sent."""
        page.wait_for_function("(name) => name in window.sending", arg=name)
        found: list[str] = page.evaluate(
            "async (name) => { sending[name](); await new Promise((done) => setTimeout(done));"
            " return source.value().files.map((one) => one.path); }",
            name,
        )
        return found

    load("1", "2", "3")
    load("mask")
    assert arrives("mask") == ["mask"]
    assert arrives("1") == ["mask", "1"]
    page.get_by_role("button", name="Remove these pictures").click()
    assert arrives("2") == []
    assert page.evaluate("Object.keys(sending)") == ["1", "2", "mask"]  # the rest of the folder is not sent
    load("new")
    assert arrives("new") == ["new"]
    expect(page.get_by_role("status")).to_have_text("1 picture")


def planned(name: str) -> dict[str, Any]:
    """The answer to a look for an update."""
    manifest = {"name": name, "title": name, "version": "2", "description": "", "permissions": []}
    return {
        "token": f"of {name}", "action": "update", "manifest": manifest, "before": {"version": "1"}, "source": "",
        "ref": "", "commit": "c" * 40, "packages": [], "warnings": [], "trust": "",
    }  # fmt: skip


@pytest.fixture
def plans(server: Server) -> Server:
    """With `plan` on the page."""
    script = f"""
      window.changes = 0;
      window.plan = new module.Plan(() => {{ window.changes += 1; }});
      {PUT_ON}(window.plan.node);
    """
    call(server.page, "extension_plan.js", script)
    return server


def test_a_plan_that_comes_late_does_not_take_the_place_of_what_was_asked_for_since(plans: Server) -> None:
    page = plans.page
    heading, go = page.locator(".x-plan h2"), page.locator("#extensions_apply")
    page.evaluate("void plan.update('a')")
    assert plans.has(1) == [("extensions/plan", {"update": "a"})]
    page.evaluate("plan.confirmRemoval('B', 'b')")
    plans.answer(**planned("a"))
    assert plans.has(1) == [("extensions/discard", {"token": "of a"})]
    plans.answer()
    expect(heading).to_have_text("Remove B")
    expect(go).to_be_focused()
    page.evaluate("void plan.update('a')")
    plans.has(1)
    page.evaluate("void plan.update('b')")
    plans.has(2)
    plans.answer(1, **planned("b"))
    expect(heading).to_have_text("Update b from 1 to 2")
    plans.answer(0, **planned("a"))
    assert plans.has(1) == [("extensions/discard", {"token": "of a"})]
    plans.answer()
    go.click()
    assert plans.has(1) == [("extensions/apply", {"token": "of b"})]


def test_what_was_done_is_told_though_another_question_is_in_view(plans: Server) -> None:
    page = plans.page
    heading, go = page.locator(".x-plan h2"), page.locator("#extensions_apply")
    page.evaluate("void plan.update('a')")
    plans.has(1)
    plans.answer(**planned("a"))
    go.click()
    plans.has(1)
    page.evaluate("plan.confirmRemoval('B', 'b')")
    plans.answer(installed={"version": "2"})
    page.wait_for_function("changes === 1")
    expect(heading).to_have_text("Remove B")
    go.click()
    assert plans.has(1) == [("extensions/b/remove", {})]
    page.evaluate("plan.confirmRemoval('C', 'c')")
    plans.answer()
    page.wait_for_function("changes === 2")
    expect(heading).to_have_text("Remove C")
    installed = "a 2 is installed. Its form is on this page from the next start of the program."
    assert page.evaluate("notices") == [installed, "B is removed."]


def test_leaving_a_plan_hides_no_other(plans: Server) -> None:
    page = plans.page
    page.evaluate("void plan.update('a')")
    plans.has(1)
    plans.answer(**planned("a"))
    page.get_by_role("button", name="Leave it").click()
    assert plans.has(1) == [("extensions/discard", {"token": "of a"})]
    page.evaluate("plan.confirmRemoval('B', 'b')")
    plans.answer()
    plans.told["after"] = {}
    page.evaluate("async () => (await fetch('internal/page/after')).json()")  # what follows from the answer is done
    expect(page.locator(".x-plan h2")).to_have_text("Remove B")


def extension(name: str, state: str) -> dict[str, Any]:
    facts = {"version": "1", "description": "", "permissions": [], "error": "", "traceback": "", "notice": ""}
    return {"name": name, "title": name, "state": state, "seconds": None, **facts}


def test_a_switch_stays_as_i_put_it_while_another_is_sent(server: Server) -> None:
    page = server.page
    server.told["extensions"] = [extension("one", "ok"), extension("two", "ok")]
    script = (
        f"const element = document.createElement('div'); {PUT_ON}(element); module.mount({{element, props: {{}}}});"
    )
    call(page, "extensions_list.js", script)
    two = page.get_by_role("switch", name="Use two")
    page.get_by_role("switch", name="Use one").uncheck()
    two.uncheck()
    asked = [(f"extensions/{name}/enabled", {"enabled": False}) for name in ("one", "two")]
    assert server.has(2) == asked
    server.told["extensions"] = [extension("one", "disabled"), extension("two", "ok")]
    with page.expect_response(f"{SERVED}extensions"):
        server.answer(restart_needed=False)
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(two).not_to_be_checked()  # though the server does not know of it yet
    server.told["extensions"] = [extension(name, "disabled") for name in ("one", "two")]
    with page.expect_response(f"{SERVED}extensions"):
        server.answer(restart_needed=False)
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(two).to_be_focused()
    expect(two).not_to_be_checked()


def test_folders_of_two_programs_are_both_used(server: Server) -> None:
    page = server.page
    server.told["history?limit=1"] = {"pictures": []}
    server.told["first_run"] = {
        "checkpoints": 1, "miniature": "", "cards": [], "threads": 1, "memory": 1, "card_memory": 0, "fits": [],
        "device": "cpu", "places": [], "used": ["old"], "programs": [{"name": one, "folder": one} for one in "abc"],
    }  # fmt: skip
    call(page, "first_run.js", "await module.fill(document.querySelector('#stage'))")
    buttons = page.get_by_role("button", name="Use its models")
    for at in range(3):
        buttons.nth(at).click()

    def sent(*folders: str, state: str = "saved") -> None:
        assert server.has(1) == [("preferences", {"values": {"use_models_of": ["old", *folders]}})]
        server.answer(outcomes={"use_models_of": {"state": state, "text": "No."}})

    sent("a")
    sent("a", "b", state="refused")
    expect(buttons.nth(1)).to_be_enabled()
    sent("a", "c")
    expect(page.get_by_role("status")).to_have_text("Its models are there from the next start on.")
    expect(buttons.nth(0)).to_be_disabled()
    expect(buttons.nth(2)).to_be_disabled()


def test_a_card_that_comes_late_takes_the_focus_from_nothing_else(server: Server) -> None:
    page = server.page
    script = f"""
      const scroll = document.createElement("div");
      scroll.style = "height: 300px; overflow: auto";
      const box = document.createElement("textarea");
      {PUT_ON}(box, scroll);
      window.asked = [];
      const load = (offset) => new Promise((done) => window.asked.push(() => {{
        const items = Array.from({{ length: 60 }}, (_, at) => ({{ name: `card ${{offset + at}}` }}));
        done({{ total: 600, items }});
      }}));
      const draw = (item, index, old) => {{
        const node = old ?? document.createElement("div");
        const button = document.createElement("button");
        button.textContent = item?.name ?? "";
        node.replaceChildren(...(item ? [button] : []));
        return node;
      }};
      window.grid = new module.CardGrid(scroll, {{ load, draw }});
      grid.renew();
      asked.shift()();
    """
    call(page, "card_grid.js", script)
    first, last = (page.get_by_role("button", name=f"card {at}", exact=True) for at in (0, 599))
    first.focus()
    page.keyboard.press("End")
    box = page.locator("textarea")
    box.click()
    page.wait_for_function("asked.length > 0")
    page.evaluate("asked.splice(0).forEach((answer) => answer())")
    expect(last).to_be_visible()
    expect(box).to_be_focused()
    page.evaluate("() => { grid.renew(); asked.shift()(); }")
    first.focus()
    page.keyboard.press("End")
    page.wait_for_function("asked.length > 0")
    page.evaluate("asked.splice(0).forEach((answer) => answer())")
    expect(last).to_be_focused()
