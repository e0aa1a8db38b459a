"""What people do with the suggestions at the cursor of a prompt, and with its explanation, in a browser."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route, expect

from tests.ui import driving
from tests.ui.accessibility import axe
from tests.ui.driving import eventually, generate, visited_page
from tests.ui.house import House

PROMPT, NEGATIVE = "#txt2img_prompt textarea", "#txt2img_neg_prompt textarea"
LIST = ".completion:not([hidden])"
HERE = """async () => {
  const { data } = await import(`${webui.base}internal/page/static/${webui.version}/completion_data.js`);
  await data.load();
}"""
RENEWED = """(list) => {
  webui.keep("completion", JSON.stringify({ list }));
  dispatchEvent(new Event("webui:completion"));
}"""
TAGS = (
    '1girl,0,6008644,"1girls,sole_female"\nlong_hair,0,4350743,"/lh,longhair"\nvery_long_hair,0,900000,\n'
    "long_sleeves,0,1500000,\nfate_(series),3,150000,\nhatsune_miku,4,100950,miku\n<b>torn</b>,5,12,\n"
)


@contextmanager
def list_of_tags(home: House) -> Iterator[None]:
    """The program behind a page has a list of tags."""
    tags = home.folder / driving.TAGS
    tags.mkdir()
    (tags / "danbooru.csv").write_text(TAGS)
    yield
    shutil.rmtree(tags)


@pytest.fixture(scope="module")
def address(home: House) -> Iterator[str]:
    """Of a page with a list of tags and a style."""
    styles = home.folder / driving.STYLES
    styles.write_text("name,prompt,negative_prompt\nink wash,ink wash of {prompt},\n")
    with home.lent(), list_of_tags(home):
        yield home.address
    styles.unlink()


@pytest.fixture(scope="module")
def opened(shared_context: BrowserContext, address: str) -> Iterator[Page]:
    with visited_page(shared_context, address) as page:
        expect(page.locator("#txt2img_negative_fold")).to_be_visible()
        yield page


@pytest.fixture
def page(opened: Page) -> Iterator[Page]:
    """The page with empty prompts and without wishes."""
    yield opened
    opened.evaluate("""() => {
      window.webui.keep("completion", null);
      document.activeElement?.blur();
    }""")
    opened.locator("#txt2img_clear").click()
    expect(opened.locator(PROMPT)).to_have_value("")


def typed(page: Page, text: str, box: str = PROMPT) -> None:
    page.locator(box).focus()
    page.keyboard.type(text)


def names(page: Page) -> list[str]:
    expect(page.locator(LIST)).to_be_visible()
    return page.locator(f"{LIST} .completion-name").all_inner_texts()


def test_tags_are_suggested_while_i_type_and_tab_takes_the_first(page: Page) -> None:
    typed(page, "1girl, lon")
    assert names(page) == ["long_hair", "long_sleeves", "very_long_hair"]
    assert page.locator(f"{LIST} .completion-count").all_inner_texts() == ["4.3M", "1.5M", "900k"]
    page.keyboard.press("Tab")
    expect(page.locator(PROMPT)).to_have_value("1girl, long hair, ")
    expect(page.locator(LIST)).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.locator(PROMPT)).to_have_value("1girl, lon")


def test_arrow_keys_mark_a_tag_enter_takes_it_and_enter_alone_is_a_new_line(page: Page) -> None:
    typed(page, "lon")
    names(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    box = page.locator(PROMPT)
    marked = page.locator(f"{LIST} [aria-selected=true]")
    expect(marked).to_contain_text("long_sleeves")
    assert box.get_attribute("aria-activedescendant") == marked.get_attribute("id")
    assert axe(page, "#dock, .completion") == []
    page.keyboard.press("Enter")
    expect(box).to_have_value("long sleeves, ")
    typed(page, "lon")
    names(page)
    page.keyboard.press("Enter")
    expect(box).to_have_value("long sleeves, lon\n")
    expect(page.locator(LIST)).to_have_count(0)


def test_suggestions_that_come_late_do_not_open_over_what_i_did_since(page: Page) -> None:
    held: list[Route] = []
    page.route("**/internal/page/prompt-words", lambda route: held.append(route))
    page.reload()
    expect(page.locator("#txt2img_negative_fold")).to_be_visible()  # the scripts of the prompt are there
    typed(page, "lon")
    eventually(page, lambda: len(held) == 1)
    page.keyboard.press("Escape")
    held.pop().continue_()
    page.evaluate(HERE)
    expect(page.locator(LIST)).to_have_count(0)
    page.keyboard.type("g")
    assert "long_hair" in names(page)
    page.unroute("**/internal/page/prompt-words")


def test_escape_closes_the_list_and_nothing_else(page: Page) -> None:
    typed(page, "(fate")
    assert names(page) == ["fate_(series)"]
    page.keyboard.press("Escape")
    expect(page.locator(LIST)).to_have_count(0)
    expect(page.locator(PROMPT)).to_be_focused()
    expect(page.locator(PROMPT)).to_have_value("(fate")
    typed(page, " (")
    expect(page.locator(LIST)).to_have_count(0)


def test_a_tag_is_found_by_another_name_and_its_kind_is_written_beside_it(page: Page) -> None:
    typed(page, "miku")
    assert names(page) == ["hatsune_miku"]
    assert page.locator(f"{LIST} .completion-kind").all_inner_texts() == ["Character"]
    page.keyboard.press("Backspace")
    typed(page, "u, 1girls")
    assert names(page) == ["1girls → 1girl"]
    page.locator(f"{LIST} [role=option]").click()
    expect(page.locator(PROMPT)).to_have_value("miku, 1girl, ")
    expect(page.locator(PROMPT)).to_be_focused()


def test_brackets_are_written_so_that_they_are_no_weight(page: Page) -> None:
    typed(page, "fate")
    names(page)
    page.keyboard.press("Tab")
    expect(page.locator(PROMPT)).to_have_value("fate \\(series\\), ")


def test_networks_embeddings_and_styles_are_suggested_too(page: Page) -> None:
    typed(page, "<")
    assert set(names(page)) == {"ink", "<b>oil", "face"}
    typed(page, "lora:i")
    assert names(page)[0] == "ink"
    page.keyboard.press("Tab")
    expect(page.locator(PROMPT)).to_have_value("<lora:ink:1>, ")
    typed(page, "fac")
    assert names(page) == ["face"]
    page.keyboard.press("Tab")
    typed(page, "$")
    assert names(page) == ["ink wash"]
    page.keyboard.press("Tab")
    expect(page.locator(PROMPT)).to_have_value("<lora:ink:1>, face, ")
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles (1)")
    page.locator("#txt2img_styles_button").click()
    page.locator("#txt2img_styles .style-use").first.click()
    page.keyboard.press("Escape")


def test_the_negative_prompt_is_completed_too_and_nothing_is_asked_for_a_key(page: Page) -> None:
    page.locator("#txt2img_negative_fold").click()
    typed(page, "lon", NEGATIVE)
    names(page)
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    typed(page, "g_ha", NEGATIVE)
    assert names(page) == ["long_hair", "very_long_hair"]
    assert [url for url in asked if "tokens" not in url] == []
    page.keyboard.press("Tab")
    expect(page.locator(NEGATIVE)).to_have_value("long hair, ")
    page.remove_listener("request", note)
    page.locator("#txt2img_negative_fold").click()


def test_how_tags_are_written_is_chosen_in_the_settings(page: Page) -> None:
    page.locator("#tab_settings-button").click()
    writing = page.locator('[data-setting="completion_writing"]')
    for label in ("Blanks instead of underscores", "A backslash before brackets", "A comma behind it"):
        writing.get_by_role("switch", name=label).uncheck()
    expect(page.locator('[data-setting="completion_list"]')).to_contain_text("danbooru.csv")
    page.locator("#tab_txt2img-button").click()
    typed(page, "fate")
    names(page)
    page.keyboard.press("Tab")
    expect(page.locator(PROMPT)).to_have_value("fate_(series)")
    page.evaluate("window.webui.keep('completion', JSON.stringify({ on: false }))")
    typed(page, ", lon")
    expect(page.locator(LIST)).to_have_count(0)


def test_the_list_of_tags_that_was_chosen_last_is_used(page: Page, home: House) -> None:
    (home.folder / driving.TAGS / "e621.csv").write_text("wolf,5,100,\n")
    typed(page, "lon")
    assert "long_hair" in names(page)
    held: list[Route] = []
    page.route("**/internal/page/tags/*", lambda route: held.append(route))
    page.evaluate(RENEWED, "e621.csv")
    eventually(page, lambda: len(held) == 1)
    page.evaluate(RENEWED, "danbooru.csv")
    held[0].continue_()
    page.evaluate(HERE)
    page.keyboard.type("g")
    assert "long_hair" in names(page)
    page.unroute("**/internal/page/tags/*")
    page.evaluate("webui.keep('completion', null)")
    (home.folder / driving.TAGS / "e621.csv").unlink()


def test_a_card_that_is_put_in_opens_no_list(page: Page) -> None:
    typed(page, "a, ")
    page.locator("#txt2img_extra_networks .drawer-button").click()
    page.locator("#txt2img_extra_networks .card-use").first.click()
    expect(page.locator(PROMPT)).not_to_have_value("a, ")
    expect(page.locator(LIST)).to_have_count(0)
    page.keyboard.press("Escape")


# ---- what the prompt comes to


def explained(page: Page, text: str) -> Locator:
    """The open panel that explains a prompt."""
    page.locator(PROMPT).fill(text)
    page.locator("#txt2img_token_counter").click()
    panel = page.locator(".explain-panel")
    expect(panel.locator(".explain-chunk").first).to_be_visible()
    return panel


def test_the_counter_opens_what_the_prompt_comes_to(page: Page) -> None:
    panel = explained(page, "a (red:1.5) cat [dog] <lora:ink:0.8> <lora:gone:1> BREAK face")
    expect(panel.locator(".explain-head")).to_have_text(["Chunk 1: 4 of 75 tokens", "Chunk 2: 1 of 75 tokens"])
    assert panel.locator(".explain-word").all_inner_texts() == ["a", "red\n1.5", "cat", "dog\n0.91", "face"]
    expect(panel.locator(".explain-piece.more")).to_have_text("red1.5")
    expect(panel.locator(".explain-piece.less")).to_have_text("dog0.91")
    expect(panel.locator(".explain-tags .missing")).to_contain_text("gone")
    expect(panel.locator(".explain-tags li").first).to_contain_text("ink")
    assert axe(page, ".explain-panel") == []
    page.locator(PROMPT).fill("a dog")
    expect(panel.locator(".explain-head")).to_have_text(["Chunk 1: 2 of 75 tokens"])
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()


def test_texts_stand_as_bars_over_the_steps_and_parts_with_their_weights(page: Page) -> None:
    panel = explained(page, "a [cat:dog:0.25] AND sky :0.5")
    expect(panel.locator("h3")).to_have_text(["Part 1weight 1", "Part 2weight 0.5"])
    rows = panel.locator(".explain-row")
    expect(rows).to_have_count(2)
    assert [row.replace("\n", " ") for row in rows.all_inner_texts()] == ["a cat steps 1–5", "a dog steps 6–20"]
    expect(panel.locator(".explain-word").nth(1)).to_have_text("cat")
    rows.nth(1).click()
    expect(panel.locator(".explain-word").nth(1)).to_have_text("dog")
    expect(rows.nth(1)).to_be_focused()
    expect(rows.nth(1)).to_have_attribute("aria-pressed", "true")
    assert axe(page, ".explain-panel") == []
    panel.get_by_role("radio", name="Negative prompt").click()
    expect(panel.locator(".explain-chunk")).to_contain_text("only padding")
    page.keyboard.press("Escape")


def test_why_a_prompt_cannot_be_explained_is_said(page: Page) -> None:
    panel = explained(page, "a cat")
    page.locator(PROMPT).fill("a (cat:1.2.3)")
    expect(panel.locator("[role=status]")).to_contain_text("1.2.3")
    expect(panel.locator(".explain-chunk")).to_have_count(0)
    page.keyboard.press("Escape")


# ---- a picture in words


def test_a_picture_is_described_and_its_words_come_into_the_prompt(page: Page) -> None:
    answers = [(404, {"detail": "Model not found: models/BLIP is empty"}), (200, {"text": "a red cat"})]

    def answer(route: Route) -> None:
        status, told = answers.pop(0)
        route.fulfill(status=status, json=told)

    page.route("**/internal/page/describe*", answer)
    generate(page, "made")
    expect(page.locator('#stage [data-act="img2img"]')).to_be_enabled()
    page.locator("#stage_more").click()
    page.get_by_role("menuitem", name="Describe it in words").click()
    dialog = page.get_by_role("dialog", name="Describe the picture")
    dialog.get_by_role("button", name="Describe", exact=True).click()
    expect(dialog.get_by_role("status")).to_have_text("Model not found: models/BLIP is empty")
    dialog.get_by_role("button", name="Describe", exact=True).click()
    expect(dialog.get_by_role("textbox", name="The picture in words")).to_have_value("a red cat")
    assert axe(page, "dialog") == []
    dialog.get_by_role("button", name="Put it into the prompt").click()
    expect(dialog).to_have_count(0)
    expect(page.locator(PROMPT)).to_have_value("made, a red cat")
    page.unroute("**/internal/page/describe*")
