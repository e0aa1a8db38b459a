"""The Library while answers of the server are late: what is done meanwhile is neither taken back nor done to others."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.ui.bare import ORIGIN, bare_page

# In place of the server: it does at once what it is asked to, and its answers are held where they match `holds`.
SERVER = """async (count) => {
  const row = (number) => ({
    number, id: `library:${number}`, name: `${number}.png`, prompt: `picture ${number}`, url: "picture/1",
    thumb: "picture/1", width: 8, height: 8, bytes: 1000, seed: "7", kind: "txt2img", created: 1, grid: false,
    rating: server.ratings[number] ?? 0, fault: "",
  });
  const { server } = Object.assign(window, { server: {
    numbers: Array.from({ length: count }, (_, at) => at + 1), ratings: {}, tags: {}, asked: [], held: [],
    holds: /$^/, refuses: /$^/,
  } });
  const told = { text: "", parameters: [], program: "", notices: [] };
  const does = [
    [/^GET pictures[?](.*)/, (query) => {
      const { q, after } = Object.fromEntries(new URLSearchParams(query));
      const found = server.numbers.map(row).filter((one) => one.prompt.includes(q));
      const from = found.findIndex((one) => String(one.number) === after) + 1;
      return { total: found.length, rows: found.slice(from, from + 200) };
    }],
    [/^GET anchors/, () => server.numbers.filter((_, at) => at % 200 === 199)],
    [/^GET pictures.(\\d+)$/, (number) => ({
      picture: row(Number(number)), told, notes: "", tags: [...(server.tags[number] ?? [])], loras: [], place: "",
    })],
    [/lineage/, () => ({
      nodes: [1, 2, 3].map((number) => ({ picture: row(number), made_from: number > 1 ? 1 : null })), whole: true,
    })],
    [/^POST tags/, (_, { ids: [number], add = [], remove = [] }) => {
      server.tags[number] = [...(server.tags[number] ?? []), ...add].filter((tag) => !remove.includes(tag));
    }],
    [/^POST rating/, (_, { ids, rating }) => ids.forEach((number) => { server.ratings[number] = rating; })],
    [/^POST trash/, (_, { ids }) => {
      server.numbers = server.numbers.filter((number) => !ids.includes(number));
      return { done: ids, refused: [] };
    }],
    [/again$/, () => ({ job: "7", notices: [] })],
    [/^GET of-job/, () => row(1)],
    [/^GET folders/, () => []],
    [/^GET scan/, () => ({ running: false, stopped: false, changes: 0, faults: [] })],
    [/^GET abilities/, () => ({ folders: true, reveal: false, trash_days: 30 })],
  ];
  window.fetch = async (address, { method, body }) => {
    const asked = `${method} ${address.split("page/library/")[1]}`;
    server.asked.push(asked);
    const [pattern, act] = does.find(([one]) => one.test(asked)) ?? [/$/, () => ({})];
    const isRefused = server.refuses.test(asked);
    const answer = isRefused ? { detail: "refused" } : (act(pattern.exec(asked)[1], body && JSON.parse(body)) ?? {});
    if (server.holds.test(asked)) await new Promise((go) => { server.held.push(go); });
    return { ok: !isRefused, json: async () => answer };
  };
  Object.assign(window.webui, { language: "en", kept: () => null, keep() {} });
  window.say = (await import("/static/bus.js")).say;
  (await import("/static/library.js")).mount({ element: document.querySelector("#library") });
}"""
BODY = '<link rel=stylesheet href="static/library.css"><div id=library class="own library"></div>'
DONE = "await new Promise((done) => { setTimeout(done); })"  # what follows an answer has happened by then


class Library:
    """The Library over a server whose answers the test holds."""

    def __init__(self, page: Page, count: int) -> None:
        self.page = page
        page.goto(ORIGIN)
        page.evaluate(SERVER, count)
        self.tiles = page.locator(".tile")
        self.search = page.get_by_role("searchbox", name="Search")
        self.chosen = page.locator(".library-chosen")
        self.dialog = page.locator(".picture-dialog")
        self.title = self.dialog.locator("h2")
        self.notes = self.dialog.get_by_role("textbox", name="Notes")
        expect(self.tiles.first).to_be_visible()

    def do(self, script: str) -> Any:
        return self.page.evaluate(f"async () => {{ {script} }}")

    def hold(self, pattern: str) -> None:
        """Have answers held from now on: those to `METHOD path`."""
        self.do(f"server.holds = /{pattern}/")

    def release(self) -> None:
        self.do(f"server.holds = /$^/; for (const go of server.held.splice(0)) go(); {DONE}")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def renew(self) -> None:
        """A picture was made: the list is asked for again."""
        self.do("server.numbers.unshift(9999); say('job:picture'); say('tab:opened', { tab: 'image_browser' })")

    def make(self) -> None:
        """The picture that was to be made again is there."""
        self.do(f"say('job:picture', {{ picture: {{ job: '7' }} }}); {DONE}")

    def tile(self, number: int) -> Locator:
        return self.page.locator(f'.tile[data-number="{number}"]')

    def asked(self, what: str) -> bool:
        return what in self.do("return server.asked")


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    with bare_page(browser, body=BODY, pictures=picture.getvalue()) as page:
        yield page


@pytest.fixture
def few(tab: Page) -> Library:
    return Library(tab, 5)


@pytest.fixture
def many(tab: Page) -> Library:
    """Five hundred, of which the page has two hundred."""
    return Library(tab, 500)


def test_what_is_chosen_as_a_range_is_what_stood_there_when_it_was(many: Library) -> None:
    many.tiles.first.focus()
    many.hold("anchors")
    many.press("Control+a")
    many.renew()
    expect(many.tile(9999)).to_be_visible()
    many.release()
    expect(many.chosen.locator("b")).to_have_text("500 chosen")
    expect(many.tile(9999)).to_have_attribute("aria-selected", "false")
    many.chosen.get_by_role("button", name="Choose none").click()
    many.renew()
    many.tiles.first.focus()
    many.hold("anchors")
    many.press("Control+a")
    many.search.fill("picture 1")
    expect(many.page.locator(".library-count")).to_have_text("111 pictures")
    many.release()
    expect(many.chosen).to_be_hidden()


def test_a_picture_that_is_fetched_takes_the_focus_only_where_it_is_waited_for(many: Library) -> None:
    many.tiles.first.focus()
    many.hold("anchors")
    many.press("End")
    many.search.click()
    many.release()
    expect(many.search).to_be_focused()
    many.renew()
    expect(many.tile(9999)).to_be_visible()
    many.tile(1).focus()
    many.hold("anchors")
    many.press("End")
    many.press("ArrowRight")
    many.release()
    expect(many.tile(2)).to_be_focused()
    many.press("End")
    expect(many.tile(500)).to_be_focused()


def test_the_next_picture_is_the_one_after_that_which_is_shown(few: Library) -> None:
    few.tile(1).click()
    expect(few.title).to_have_text("1.png")
    few.press("Delete")
    expect(few.title).to_have_text("2.png")
    few.press("ArrowRight")
    expect(few.title).to_have_text("3.png")
    few.do("server.refuses = /pictures.4$/")
    few.press("ArrowRight")
    expect(few.dialog.locator(".picture-status")).to_have_text("refused")
    few.press("ArrowRight")
    expect(few.title).to_have_text("5.png")
    few.press("Escape")
    expect(few.tile(5)).to_be_focused()


def test_a_list_that_comes_while_a_picture_is_shown_moves_nothing(many: Library) -> None:
    many.tiles.first.focus()
    many.press("End")
    expect(many.tile(500)).to_be_focused()
    many.hold("GET pictures[?]")
    many.renew()
    many.press("Enter")
    expect(many.title).to_have_text("500.png")
    many.do("document.querySelector('.library-scroll').scrollTop = 0")  # its page is not fetched to be drawn
    many.release()
    many.press("ArrowLeft")
    expect(many.title).to_have_text("499.png")
    many.press("Escape")
    expect(many.tile(499)).to_be_focused()


def test_stars_and_notes_stay_with_the_picture_that_they_were_given(few: Library) -> None:
    few.tile(1).click()
    stars = few.dialog.locator(".stars button")
    on = few.dialog.locator(".stars .on")
    few.hold("rating")
    stars.nth(3).click()
    few.dialog.get_by_role("button", name="Next picture").click()
    expect(few.title).to_have_text("2.png")
    few.release()
    expect(on).to_have_count(0)
    stars.nth(2).click()
    expect(on).to_have_count(3)
    expect(stars.nth(2)).to_be_focused()
    few.hold("GET pictures.3$")
    few.press("ArrowRight")
    few.notes.fill("a note")
    few.release()
    expect(few.title).to_have_text("3.png")
    few.page.wait_for_function("server.asked.includes('PUT pictures/2/notes')")
    few.notes.fill("a note")
    few.press("Escape")
    expect(few.dialog).to_have_count(0)
    assert few.asked("PUT pictures/3/notes")


def test_of_two_pictures_of_the_tree_the_one_that_was_clicked_last_is_shown(few: Library) -> None:
    few.tile(1).click()
    few.hold("GET pictures.2$")
    few.dialog.locator(".tree-picture").nth(1).click()
    few.dialog.locator(".tree-picture").nth(2).click()
    few.release()
    expect(few.title).to_have_text("3.png")


def test_a_picture_that_was_left_is_not_compared_with_the_one_made_again(few: Library) -> None:
    again = few.dialog.get_by_role("button", name="Make it again")
    compared = few.page.get_by_role("dialog", name="Compare")
    few.tile(1).click()
    few.hold("again")
    again.click()
    few.press("Escape")
    expect(few.dialog).to_have_count(0)
    few.release()
    few.make()
    expect(compared).to_have_count(0)
    assert not few.asked("GET of-job/7/0")
    few.tile(1).click()
    again.click()
    few.press("ArrowRight")
    expect(few.title).to_have_text("2.png")
    few.make()
    expect(compared).to_have_count(0)
    again.click()
    few.hold("GET pictures.3$")
    few.press("ArrowRight")
    few.make()
    expect(compared).to_have_count(0)
    few.release()
    expect(few.title).to_have_text("3.png")
    expect(compared).to_have_count(0)
    again.click()
    few.make()
    expect(compared).to_have_count(1)


def test_tags_that_are_kept_late_leave_the_focus_and_what_is_typed(few: Library) -> None:
    few.tile(1).click()
    field = few.dialog.get_by_role("textbox", name="Add a tag")
    tags = few.dialog.locator(".tags .chip-value")
    few.hold("tags")
    field.fill("old")
    few.press("Enter")
    few.notes.click()
    few.release()
    expect(tags).to_have_text(["old"])
    expect(few.notes).to_be_focused()
    few.hold("tags")
    few.dialog.get_by_role("button", name="Remove old").click()
    field.click()
    few.page.keyboard.type("first")
    few.release()
    expect(tags).to_have_count(0)
    expect(field).to_be_focused()
    expect(field).to_have_value("first")
    few.hold("GET pictures.1$")
    few.press("Enter")
    field.fill("second")
    few.press("Enter")
    few.do(f"server.held.pop()(); {DONE}")  # the answers cross
    few.release()
    expect(tags).to_have_text(["first", "second"])


def test_what_is_chosen_and_typed_while_others_are_deleted_stays(few: Library) -> None:
    tag = few.chosen.get_by_role("textbox")
    few.tile(1).click(modifiers=["ControlOrMeta"])
    few.hold("trash")
    few.chosen.get_by_role("button", name="Delete").click()
    few.tile(3).click(modifiers=["ControlOrMeta"])
    tag.fill("first")
    few.release()
    expect(few.tiles).to_have_count(4)
    expect(few.chosen.locator("b")).to_have_text("1 chosen")
    expect(few.tile(3)).to_have_attribute("aria-selected", "true")
    expect(tag).to_be_focused()
    few.hold("tags")
    few.press("Enter")
    few.page.keyboard.type("second")
    few.release()
    expect(tag).to_have_value("second")
    assert few.do("return server.tags[3]") == ["first"]
    few.do("server.refuses = /tags/")
    few.press("Enter")
    expect(tag).to_have_value("second")
    few.chosen.get_by_role("button", name="Choose none").click()
    few.tile(2).click(modifiers=["ControlOrMeta"])
    expect(tag).to_have_value("")


def test_the_path_that_is_typed_while_a_folder_is_added_stays(few: Library) -> None:
    few.page.get_by_role("button", name="Folders and trash").click()
    path = few.page.get_by_role("textbox", name="Path of a folder")
    few.hold("POST folders")
    path.fill("/one")
    few.press("Enter")
    few.page.keyboard.type("/two")
    few.release()
    expect(path).to_have_value("/two")
    few.do("server.refuses = /POST folders/")
    few.press("Enter")
    expect(few.page.locator(".library-more [role=status]")).to_have_text("refused")
    expect(path).to_have_value("/two")
