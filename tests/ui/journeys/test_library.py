"""What people do in the Library, each as a sentence that one of them would say."""

import os
import random
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.gallery.pictures import infotext, put_many, scanned
from tests.ui.accessibility import axe, axe_in_both_themes
from tests.ui.driving import eventually
from tests.ui.library_house import DESKTOP, PHONE, LibraryHouse, landscape, library_house, opened
from tests.ui.staying import PASSED, Staying
from webui.domain.images import Picture, safe_open
from webui.domain.request import GenerationRequest, Img2Img
from webui.gallery.searching import Query
from webui.output.metadata import read_text

PROMPTS = ("a castle on a hill", "a river in winter", "portrait of a cat", "old town at night")
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'
KINDS = ("txt2img-images", "img2img-images", "txt2img-grids")


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four pictures as files, which every test copies."""
    folder = tmp_path_factory.mktemp("stock")
    for number in range(24):
        path = folder / KINDS[(number % 8 == 7) * 2] / f"{number:05}-{number}.png"
        path.parent.mkdir(exist_ok=True)
        chunks = PngInfo()
        chunks.add_text("parameters", infotext(PROMPTS[number % 4], negative="blurry", seed=100 + number))
        landscape(number * 15).save(path, pnginfo=chunks)
    return folder


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[LibraryHouse]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"):  # mounting sets both
            patch.setenv(name, "")
        with library_house(tmp_path_factory.mktemp("library"), port) as made:
            yield made


@pytest.fixture
def house(standing: LibraryHouse, stock: Path) -> Iterator[LibraryHouse]:
    """With the twenty-four pictures, for one test."""
    shutil.copytree(stock, standing.outputs, dirs_exist_ok=True)
    scanned(standing.gallery)
    yield standing
    standing.forget()


@pytest.fixture(scope="module")
def staying(shared_context: BrowserContext, standing: LibraryHouse) -> Iterator[Staying]:
    made = Staying(shared_context, standing, size=DESKTOP, hears_errors=True)
    yield made
    made.leave()


@pytest.fixture
def learn(staying: Staying, house: LibraryHouse, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page that the tests have one after the other, with PNG Info open."""
    page = staying.open()
    page.get_by_role("tab", name="Learn").click()
    page.get_by_role("tab", name="PNG Info").click()
    yield page

    def bring_back() -> None:
        page.unroute_all()
        house.forget()
        if page.locator("#library .library-bar").count():
            shown_at_first(page)
            expect(tiles(page)).to_have_count(0)

    staying.give_back(is_of_use=request.node.stash.get(PASSED, False), before=bring_back)


@pytest.fixture
def page(learn: Page) -> Page:
    """The same page with the Library open, which shows the twenty-four pictures."""
    open_library(learn)
    return learn


def open_library(page: Page) -> None:
    with page.expect_response(lambda answer: "page/library/scan" in answer.url):
        page.get_by_role("tab", name="Library").click()
    shown_at_first(page)
    expect(tiles(page)).to_have_count(24)


def tiles(page: Page) -> Locator:
    return page.locator("#library .tile")


def shown_at_first(page: Page) -> None:
    """Have the Library show what there is now, as it does when it is opened."""
    shelf = page.locator("#library .pick").first
    if "Trash" in shelf.locator(".pick-button").inner_text():
        shelf.locator(".pick-button").evaluate("(button) => button.click()")
        shelf.locator('[data-value="here"]').evaluate("(row) => row.click()")
    with page.expect_response(lambda answer: "page/library/pictures?" in answer.url):
        page.evaluate(CLOSED)


CLOSED = """() => {
  const library = document.querySelector("#library");
  document.querySelectorAll("dialog[open]").forEach((one) => one.close());
  library.querySelector(".library-chosen:not([hidden]) button:last-child")?.click();
  library.querySelector(".library-notice").hidden = true;
  if (!library.querySelector(".library-facets").hidden) library.querySelector("[aria-controls=library_facets]").click();
  const search = library.querySelector(".library-search input");
  search.value = "";
  search.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def look_for(page: Page, text: str) -> None:
    page.get_by_role("searchbox", name="Search").fill(text)


def test_i_look_for_a_word_of_my_prompt_and_see_only_those_pictures(page: Page) -> None:
    look_for(page, "cast")
    expect(page.locator(".library-count")).to_have_text("6 pictures")
    expect(tiles(page)).to_have_count(6)
    look_for(page, "cat -castle")
    expect(page.locator(".library-count")).to_have_text("6 pictures")
    look_for(page, "nothing like that")
    expect(page.locator(".library-empty")).to_contain_text("Nothing was found")
    page.get_by_role("button", name="Show all").click()
    expect(tiles(page)).to_have_count(24)


def test_i_click_a_filter_and_take_it_back(page: Page) -> None:
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="grid").click()
    expect(tiles(page)).to_have_count(3)
    expect(page.get_by_role("searchbox", name="Search")).to_have_value('kind:="grid"')
    page.get_by_role("button", name="grid").click()
    expect(tiles(page)).to_have_count(24)


def test_a_filter_counts_with_what_the_search_field_holds_by_then(page: Page) -> None:
    search, grid = page.get_by_role("searchbox", name="Search"), page.get_by_role("button", name="grid")
    page.get_by_role("button", name="Filters").click()
    expect(grid).to_be_visible()
    page.route("**/page/library/facets?*", lambda route: None)  # they are not answered any more
    look_for(page, "castle")
    grid.click()
    expect(search).to_have_value('castle kind:="grid"')
    expect(grid).to_have_attribute("aria-pressed", "true")
    grid.click()
    expect(search).to_have_value("castle")
    expect(tiles(page)).to_have_count(6)


def test_i_give_stars_by_keys_and_find_my_favourites(page: Page, house: LibraryHouse) -> None:
    tiles(page).nth(0).focus()
    page.keyboard.press("5")
    expect(page.locator(".tile-stars")).to_have_text("5")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    expect(page.locator(".tile-stars")).to_have_count(2)
    page.get_by_role("radio", name="Favourites").click()
    expect(tiles(page)).to_have_count(2)
    assert sorted(row.rating for row in house.gallery.search.page(Query("rating:>0")).rows) == [3, 5]


def test_i_delete_pictures_and_change_my_mind(page: Page, house: LibraryHouse) -> None:
    files = {path: path.read_bytes() for path in house.outputs.rglob("*.png")}
    tiles(page).nth(0).click(modifiers=["ControlOrMeta"])
    tiles(page).nth(4).click(modifiers=["Shift"])
    expect(page.locator(".library-chosen")).to_contain_text("5 chosen")
    page.locator(".library-chosen").get_by_role("button", name="Delete").click()
    expect(tiles(page)).to_have_count(19)
    assert len([path for path in files if path.exists()]) == 19
    page.get_by_role("button", name="Undo").click()
    expect(tiles(page)).to_have_count(24)
    assert {path: path.read_bytes() for path in house.outputs.rglob("*.png")} == files


def test_i_look_into_the_trash_and_empty_it_for_good(page: Page, house: LibraryHouse) -> None:
    tiles(page).nth(0).focus()
    page.keyboard.press("Delete")
    expect(tiles(page)).to_have_count(23)
    page.get_by_role("button", name="Shelf").click()
    page.get_by_role("option", name="Trash").click()
    expect(tiles(page)).to_have_count(1)
    page.on("dialog", lambda dialog: dialog.accept())
    tiles(page).nth(0).click(modifiers=["ControlOrMeta"])
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator(".library-empty")).to_contain_text("The trash is empty")
    eventually(page, lambda: len(list(house.outputs.rglob("*.png"))) == 23)


def test_i_take_pictures_with_me_as_a_zip_file(page: Page) -> None:
    for place in (0, 2, 3):
        tiles(page).nth(place).click(modifiers=["ControlOrMeta"])
    with page.expect_download() as download:
        page.get_by_role("link", name="Zip").click()
    archive = zipfile.ZipFile(download.value.path())
    assert len(archive.namelist()) == 3
    for name in archive.namelist():
        assert "Sampler" in read_text(safe_open(archive.read(name)))


def test_i_open_a_picture_go_on_with_the_arrows_and_write_a_note(page: Page, house: LibraryHouse) -> None:
    tiles(page).nth(0).click()
    dialog = page.get_by_role("dialog", name="Picture")
    first = dialog.locator("h2")
    expect(dialog.locator("table.parameters")).to_contain_text("Euler a")
    name = first.text_content() or ""
    page.keyboard.press("ArrowRight")
    expect(first).not_to_have_text(name)
    page.keyboard.press("4")
    expect(dialog.locator(".stars .on")).to_have_count(4)
    dialog.get_by_role("textbox", name="Add a tag").fill("for the wall")
    page.keyboard.press("Enter")
    expect(dialog.locator(".tags .chip")).to_have_text("for the wall")
    dialog.get_by_role("textbox", name="Notes").fill("print this one")
    dialog.get_by_role("button", name="Close").click()
    look_for(page, 'print tag:"the wall" rating:4')
    expect(tiles(page)).to_have_count(1)
    (row,) = house.gallery.search.page(Query("print")).rows
    assert house.gallery.search.details(row.id).notes == "print this one"


def test_i_compare_two_pictures_and_read_in_what_they_differ(page: Page) -> None:
    for place in (0, 1):
        tiles(page).nth(place).click(modifiers=["ControlOrMeta"])
    page.locator(".library-chosen").get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog", name="Compare")
    expect(dialog.locator(".compare-found")).to_contain_text("% of the pixels differ")
    expect(dialog.locator("table.differing")).to_contain_text("Seed")
    expect(dialog.locator("table.differing")).not_to_contain_text("Sampler")
    dialog.get_by_role("slider").fill("80")
    assert dialog.locator(".compare-plane").evaluate("(plane) => plane.style.getPropertyValue('--at')") == "80%"
    dialog.get_by_role("radio", name="Difference").click()
    expect(dialog.locator("canvas")).to_be_visible()


def test_i_send_a_picture_with_some_of_its_parameters_to_img2img(page: Page) -> None:
    heard = """async () => {
        const { hear } = await import(document.querySelector("script[src*=boot]").src.replace("boot.js", "bus.js"));
        window.heard = [];
        for (const name of ["picture:send", "form:fill"]) hear(name, (detail) => window.heard.push([name, detail]));
    }"""
    page.evaluate(heard)
    look_for(page, "seed:105")
    expect(tiles(page)).to_have_count(1)
    tiles(page).click()
    dialog = page.get_by_role("dialog", name="Picture")
    dialog.get_by_role("button", name="None").click()
    dialog.get_by_role("checkbox", name="Use Seed").check()
    dialog.get_by_role("button", name="img2img").click()
    expect(dialog).to_have_count(0)
    told = dict(page.evaluate("window.heard"))
    assert told["form:fill"]["only"] == ["seed"]
    assert "Seed: 105" in told["form:fill"]["text"]
    assert told["picture:send"]["to"] == "img2img"
    assert told["picture:send"]["picture"]["id"].startswith("library:")


def test_a_picture_that_i_make_is_in_the_library_and_can_be_made_again(page: Page, house: LibraryHouse) -> None:
    house.engine.submit(GenerationRequest(prompt="a lighthouse", seed=7, width=64, height=64), save=True).result(30)
    look_for(page, "lighthouse")
    expect(tiles(page)).to_have_count(1)
    tiles(page).click()
    page.get_by_role("button", name="Make it again").click()
    compared = page.get_by_role("dialog", name="Compare")
    expect(compared.locator(".compare-found")).to_contain_text("Every pixel is the same")
    expect(compared).to_contain_text("All parameters are the same")
    assert [job.request.seed for job in house.engine.asked_for] == [7, 7]


def test_i_see_what_a_picture_was_made_from(page: Page, house: LibraryHouse) -> None:
    first = GenerationRequest(prompt="a mill", seed=7, width=64, height=64)
    made = house.engine.submit(first, save=True).result(30).images[0]
    second = first.with_(prompt="a mill by the sea", task=Img2Img(image=Picture.of(made.image)))
    house.engine.submit(second, save=True).result(30)
    look_for(page, "sea")
    expect(tiles(page)).to_have_count(1)
    tiles(page).click()
    dialog = page.get_by_role("dialog", name="Picture")
    expect(dialog.locator(".tree-picture")).to_have_count(2)
    dialog.locator(".tree-picture").first.click()
    expect(dialog.locator(".tree-picture").first).to_have_attribute("aria-current", "true")
    expect(dialog.locator("table.parameters")).not_to_contain_text("by the sea")


def test_a_hundred_thousand_pictures_scroll_with_a_hundred_nodes(learn: Page, house: LibraryHouse) -> None:
    page = learn
    page.route("**/thumb/**", lambda route: route.fulfill(content_type="image/svg+xml", body=DOT))
    open_library(page)
    house.forget()
    house.gallery.index.write(put_many)
    shown_at_first(page)
    expect(page.locator(".library-count")).to_have_text("100,000 pictures")
    most = 0
    chance = random.Random(1)
    for share in (0.5, 1.0, 0.1, chance.random(), chance.random()):
        page.locator(".library-scroll").evaluate(f"(box) => {{ box.scrollTop = box.scrollHeight * {share}; }}")
        expect(tiles(page).first).to_be_visible()
        box = page.locator(".library-scroll")
        page.wait_for_function(
            "() => { const box = document.querySelector('.library-scroll').getBoundingClientRect();"
            " const tile = document.elementFromPoint(box.left + 60, box.top + 120);"
            " return Boolean(tile?.closest('.tile')); }"
        )
        most = max(most, box.locator(".tile").count())
    assert 20 < most <= 100
    page.locator(".library-scroll").evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    page.wait_for_function("() => document.querySelector('.tile[aria-posinset=\"100000\"]')")


def test_i_drop_a_picture_on_png_info_and_send_its_seed_to_the_form(learn: Page, house: LibraryHouse) -> None:
    path = next(house.outputs.rglob("00005-5.png"))
    learn.locator("#pnginfo_image input[type=file]").set_input_files(path)
    expect(learn.locator("#pnginfo_text")).to_have_value(infotext(PROMPTS[1], negative="blurry", seed=105))
    learn.get_by_role("button", name="None").click()
    learn.get_by_role("checkbox", name="Use Seed").check()
    learn.get_by_role("button", name="Use its parameters").click()
    expect(learn.locator("#txt2img_seed input")).to_have_value("105")
    expect(learn.locator("#txt2img_prompt textarea")).to_have_value("")
    learn.get_by_role("tab", name="Learn").click()
    learn.locator("#pnginfo_image input[type=file]").set_input_files(
        {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    expect(learn.locator(".pnginfo-told")).to_contain_text("This file is none of PNG")


def test_i_compare_two_files_of_mine(learn: Page, house: LibraryHouse) -> None:
    first, second = sorted(house.outputs.rglob("*.png"))[:2]
    learn.get_by_role("tab", name="Compare").click()
    learn.get_by_label("First picture").set_input_files(first)
    learn.get_by_label("Second picture").set_input_files(second)
    expect(learn.locator(".own.compare_pictures .compare-found")).to_contain_text("% of the pixels differ")


def test_i_add_a_folder_of_another_program(page: Page, house: LibraryHouse, tmp_path: Path) -> None:
    shutil.copytree(house.outputs / "txt2img-grids", tmp_path / "other")
    page.get_by_role("button", name="Folders and trash").click()
    page.get_by_role("textbox", name="Path of a folder").fill(str(tmp_path / "other"))
    page.get_by_role("button", name="Add folder").click()
    expect(page.locator(".folders li")).to_have_count(2)
    page.get_by_role("button", name="Close").click()
    expect(tiles(page)).to_have_count(27)


def test_everybody_can_use_the_library(page: Page) -> None:
    page.get_by_role("button", name="Filters").click()
    tiles(page).nth(1).click(modifiers=["ControlOrMeta"])
    expect(page.locator(".facet").first).to_be_visible()
    assert axe_in_both_themes(page, "#library") == []
    page.keyboard.press("Escape")
    tiles(page).nth(0).click()
    expect(page.locator(".picture-dialog table.parameters")).to_be_visible()
    assert axe_in_both_themes(page, ".picture-dialog") == []


def test_on_a_phone_i_search_and_open_a_picture(
    browser: Browser, phone_context: BrowserContext, house: LibraryHouse
) -> None:
    with opened(browser, house, lasting=phone_context, size=PHONE) as page:
        look_for(page, "castle")
        expect(page.locator(".library-count")).to_have_text("6 pictures")
        expect(tiles(page)).to_have_count(6)
        tiles(page).nth(0).tap()
        dialog = page.get_by_role("dialog", name="Picture")
        expect(dialog.get_by_role("button", name="Use its parameters")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_picture_that_i_drop_is_made_again_and_the_difference_explained(
    learn: Page, house: LibraryHouse, tmp_path: Path
) -> None:
    made = house.engine.submit(GenerationRequest(prompt="a pier", seed=7, width=64, height=64), save=True).result(30)
    first = made.images[0]
    pixels = np.array(first.image)
    pixels[3, 3] ^= 2
    other = Image.fromarray(pixels)
    chunks = PngInfo()
    chunks.add_text("parameters", first.infotext)
    other.save(path := tmp_path / "pier.png", pnginfo=chunks)
    learn.locator("#pnginfo_image input[type=file]").set_input_files(path)
    learn.locator("#pnginfo_again").click()
    expect(learn.locator(".pnginfo-again .compare-found")).to_contain_text("by at most 2 of 255")
    why = learn.locator(".learn-why")
    expect(why.get_by_role("heading", level=2)).to_have_text("The same picture, rounded otherwise")
    expect(why.locator("ol.compare-causes li").first).to_contain_text("Precision and device")
    expect(why.locator("ul.compare-causes")).to_contain_text("would move outlines")
    assert axe(learn, "#learn") == []
    if folder := os.environ.get("WEBUI_SHOTS"):
        learn.screenshot(path=str(Path(folder, "again.png")))
