"""What people do around the prompt, in a browser: write, weigh, count, fold, choose networks and styles, go back."""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page, Request, expect
from safetensors.torch import save_file

from tests.ui.accessibility import axe_in_both_themes
from tests.ui.driving import STYLES as STYLES_FILE
from tests.ui.driving import generate, type_prompt
from tests.ui.fakes import FakeEngine, named
from tests.ui.house import House
from webui.library.files import ModelFile
from webui.prompt.style_book import StyleBook
from webui.prompt.styles import Style

PROMPT, NEGATIVE = "#txt2img_prompt textarea", "#txt2img_neg_prompt textarea"
COUNTER = "#txt2img_token_counter .tokens"
DRAWER = "#txt2img_extra_networks"
PANEL = f"{DRAWER} .dock-panel"
STYLES = "#txt2img_styles"
FOLD = "#txt2img_negative_fold"
INFOTEXT = "a blue cat\nNegative prompt: dog\nSteps: 7, Sampler: Euler a, CFG scale: 5, Seed: 3, Size: 64x64"


@pytest.fixture
def styles(home: House, engine: FakeEngine) -> Iterator[StyleBook]:
    yield StyleBook(home.folder / STYLES_FILE)
    (home.folder / STYLES_FILE).unlink(missing_ok=True)


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    """An open page whose dock is drawn."""
    expect(page_that_stays.locator(FOLD)).to_be_visible()
    return page_that_stays


AS_UNTOUCHED = """() => {
  const drawer = document.querySelector("#txt2img_extra_networks");
  const searches = document.querySelectorAll(":is(.drawer-panel, .styles-panel) input[type=search]");
  for (const search of searches) search.value = "";
  drawer.querySelector("[data-value=vae]").click();
  drawer.querySelector("[data-value=lora]").click();  // which looks into all folders again
}"""


@pytest.fixture
def brought_back() -> Callable[[Page], None]:
    """Neither drawer nor styles keep what was last looked at."""
    return lambda page: page.evaluate(AS_UNTOUCHED)


def asked(page: Page, path: str) -> list[Request]:
    """The requests to a route of the page from now on."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if f"internal/page/{path}" in request.url else None)
    return found


def type_quickly(page: Page, text: str) -> None:
    """Type at the end of the prompt so quickly that the page comes to nothing else between the keys."""
    page.locator(PROMPT).evaluate(
        """(box, text) => {
          box.focus();
          box.setSelectionRange(box.value.length, box.value.length);
          for (const key of text) document.execCommand("insertText", false, key);
        }""",
        text,
    )


def mark(page: Page, start: int, end: int) -> None:
    page.locator(PROMPT).evaluate("(box, [start, end]) => box.setSelectionRange(start, end)", [start, end])


def open_drawer(page: Page, kind: str = "LoRA") -> None:
    page.locator(f"{DRAWER} .drawer-button").click()
    if kind != "LoRA":
        page.locator(PANEL).get_by_role("radio", name=kind, exact=True).click()


def card(page: Page, name: str) -> Any:
    return page.locator(PANEL).get_by_role("button", name=re.compile(re.escape(name))).and_(page.locator(".card-use"))


def open_styles(page: Page) -> None:
    page.locator("#txt2img_styles_button").click()


# ---- writing


def test_the_counter_follows_what_i_type_and_asks_once(page: Page, engine: FakeEngine) -> None:
    expect(page.locator(COUNTER)).to_have_text("0/75")
    questions = asked(page, "tokens")
    type_quickly(page, "a cat on a mat, thirty letters")
    expect(page.locator(COUNTER)).to_have_text("8/75")
    assert len(questions) == 1
    type_quickly(page, " <lora:ink:0.8>")
    page.wait_for_timeout(500)
    assert len(questions) == 1
    type_prompt(page, "cat " * 80)
    expect(page.locator(COUNTER)).to_have_text("80/150")
    type_prompt(page, "(cat:1.2.3)")
    expect(page.locator(COUNTER)).to_have_attribute("title", re.compile("prompt"))
    page.locator("#txt2img_clear").click()
    expect(page.locator(COUNTER)).to_have_text("0/75")
    assert engine.asked == []


def test_i_weigh_marked_words_by_keys_and_take_it_back(page: Page) -> None:
    type_prompt(page, "a cat on a mat")
    mark(page, 2, 5)
    page.keyboard.press("Control+ArrowUp")
    page.keyboard.press("Control+ArrowUp")
    expect(page.locator(PROMPT)).to_have_value("a (cat:1.2) on a mat")
    page.keyboard.press("Control+z")
    expect(page.locator(PROMPT)).to_have_value("a (cat:1.1) on a mat")
    page.keyboard.press("Control+ArrowDown")
    expect(page.locator(PROMPT)).to_have_value("a cat on a mat")


def test_i_move_a_part_of_the_prompt_by_keys_and_send_what_i_see(page: Page, engine: FakeEngine) -> None:
    type_prompt(page, "a cat, a mat, ink")
    mark(page, 15, 15)
    page.keyboard.press("Alt+ArrowLeft")
    page.keyboard.press("Alt+ArrowLeft")
    expect(page.locator(PROMPT)).to_have_value("ink, a cat, a mat")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => true")
    for _ in range(100):
        if engine.asked:
            break
        page.wait_for_timeout(100)
    assert engine.asked[0].prompt == "ink, a cat, a mat"


def test_a_bracket_that_is_not_closed_is_named_and_found(page: Page) -> None:
    type_prompt(page, "a cat on (a mat")
    fault = page.locator(".brackets")
    expect(fault).to_have_text("( …cat on (a mat")
    expect(fault).to_have_attribute("aria-label", "( is not closed: …cat on (a mat")
    fault.click()
    place = page.locator(PROMPT).evaluate("(box) => [document.activeElement === box, box.selectionStart]")
    assert place == [True, 9]
    page.keyboard.press("End")
    page.keyboard.type(")")
    expect(fault).to_be_hidden()


def test_the_negative_prompt_folds_and_tells_whether_it_holds_something(page: Page) -> None:
    expect(page.locator(NEGATIVE)).to_be_hidden()
    expect(page.locator(FOLD)).to_have_attribute("aria-label", "Negative prompt, empty")
    page.locator("#stage").click(position={"x": 5, "y": 5})
    page.keyboard.press("n")
    expect(page.locator(NEGATIVE)).to_be_focused()
    page.keyboard.type("blurry (dog")
    expect(page.locator(".brackets")).to_have_text("( blurry (dog")
    expect(page.locator("#txt2img_negative_token_counter .tokens")).to_have_text("2/75")
    page.locator(FOLD).click()
    expect(page.locator(NEGATIVE)).to_be_hidden()
    expect(page.locator(FOLD)).to_have_attribute("aria-label", "Negative prompt, holds a text")


def test_the_prompt_grows_without_moving_the_page(page: Page) -> None:
    type_prompt(page, "one line")
    low = page.locator(PROMPT).bounding_box()
    type_prompt(page, "\n".join(f"line {number}" for number in range(40)))
    high = page.locator(PROMPT).bounding_box()
    assert low is not None
    assert high is not None
    assert low["height"] < high["height"] <= 180
    assert page.evaluate("() => document.documentElement.scrollHeight <= innerHeight")


# ---- networks


def test_i_find_a_lora_in_the_drawer_put_it_in_and_take_it_out(page: Page) -> None:
    type_prompt(page, "a cat")
    open_drawer(page)
    ink = card(page, "ink")
    expect(card(page, "<b>oil")).to_be_visible()  # shown as text
    ink.click()
    expect(page.locator(PROMPT)).to_have_value("a cat <lora:ink:0.8>")
    expect(ink).to_have_attribute("aria-pressed", "true")
    ink.click()
    expect(page.locator(PROMPT)).to_have_value("a cat")
    expect(ink).to_have_attribute("aria-pressed", "false")
    page.locator(PANEL).get_by_role("searchbox").fill("OIL sub")
    expect(ink).to_have_count(0)
    card(page, "<b>oil").press("Enter")
    expect(page.locator(PROMPT)).to_have_value(re.compile("<lora:.*oil.*>"))
    page.keyboard.press("Escape")
    expect(page.locator(PANEL)).to_be_hidden()
    expect(page.locator(f"{DRAWER} .drawer-button")).to_be_focused()


def test_i_change_the_weight_of_a_lora_on_its_chip(page: Page) -> None:
    type_prompt(page, "a cat <lora:ink:0.8> <lora:nobody:1>")
    number = page.get_by_role("button", name=re.compile("Weight of ink"))
    number.focus()
    number.press("ArrowUp")
    expect(page.locator(PROMPT)).to_have_value("a cat <lora:ink:0.85> <lora:nobody:1>")
    expect(number).to_be_focused()
    number.hover()
    page.mouse.wheel(0, 100)
    page.mouse.wheel(0, 100)
    expect(page.locator(PROMPT)).to_have_value("a cat <lora:ink:0.75> <lora:nobody:1>")
    expect(page.get_by_label("There is no file of the name nobody: it has no effect.")).to_be_visible()
    page.get_by_role("button", name="Take nobody out of the prompt").click()
    expect(page.locator(PROMPT)).to_have_value("a cat <lora:ink:0.75>")


def test_an_embedding_goes_where_i_wrote_last_and_a_checkpoint_is_chosen(page: Page, engine: FakeEngine) -> None:
    page.locator(FOLD).click()
    page.locator(NEGATIVE).fill("blurry")
    open_drawer(page, "Embeddings")
    card(page, "face").click()
    expect(page.locator(NEGATIVE)).to_have_value("blurry face")
    page.locator(PANEL).get_by_role("radio", name="Checkpoints").click()
    card(page, "other").click()
    expect(page.locator("#setting_sd_model_checkpoint input")).to_have_value("sdxl/other.safetensors [0123456789]")
    assert engine.starting["checkpoint"] == "sdxl/other.safetensors"


def test_three_thousand_loras_are_a_short_page_and_all_can_be_reached(page: Page, engine: FakeEngine) -> None:
    engine.library.named += [
        named("lora", f"pack{number % 7}/style {number:04}.safetensors") for number in range(3_000)
    ]
    open_drawer(page)
    expect(page.locator(f"{PANEL} .drawer-count")).to_have_text("3002 files")
    expect(page.locator(f"{PANEL} .card").nth(5)).to_be_visible()
    assert page.locator(f"{PANEL} .card").count() <= 100
    page.locator(f"{PANEL} .card-use").first.focus()
    page.keyboard.press("End")
    expect(card(page, "<b>oil")).to_be_focused()
    assert page.locator(f"{PANEL} .card").count() <= 100
    page.keyboard.press("Home")
    expect(card(page, "ink")).to_be_focused()
    page.locator(PANEL).get_by_role("button", name="pack3").click()
    expect(page.locator(f"{PANEL} .drawer-count")).to_have_text("429 files")
    page.locator(PANEL).get_by_role("searchbox").fill("style 0010")
    expect(page.locator(f"{PANEL} .drawer-count")).to_have_text("1 file")
    card(page, "style 0010").click()
    expect(page.locator(PROMPT)).to_have_value("<lora:style 0010:0.8>")


@pytest.fixture
def real_lora(engine: FakeEngine, tmp_path: Path) -> Path:
    """A file in the library whose header can be read."""
    folder = tmp_path
    loras = folder / "models" / "Lora"
    loras.mkdir(parents=True)
    path = loras / "real.safetensors"
    save_file(
        {"x": torch.zeros(1)},
        path,
        {"modelspec.trigger_phrase": "<i>brush</i>", "ss_tag_frequency": json.dumps({"1_wash": {"often": 3}})},
    )
    engine.library.models_dir = folder / "models"
    engine.library.named.append(ModelFile(path, "lora", "real.safetensors"))
    engine.library.safetensors = lambda file: file.path  # type: ignore[method-assign]
    return path


def test_i_read_about_a_lora_insert_its_words_and_note_a_weight(page: Page, real_lora: Path) -> None:
    open_drawer(page)
    page.get_by_role("button", name="About real").click()
    dialog = page.get_by_role("dialog", name="real")
    dialog.get_by_role("button", name="<i>brush</i>").click()
    expect(page.locator(PROMPT)).to_have_value("<i>brush</i>")
    dialog.get_by_role("button", name="often").click()
    expect(page.locator(PROMPT)).to_have_value("<i>brush</i>, often")
    dialog.get_by_label("Preferred weight").fill("0.6")
    dialog.get_by_label("Trigger words that come").fill("wash style")
    dialog.get_by_role("button", name="Save notes").click()
    expect(dialog.get_by_text("Saved.")).to_be_visible()
    assert json.loads(real_lora.with_suffix(".json").read_text("utf-8"))["activation text"] == "wash style"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    card(page, "real").click()
    expect(page.locator(PROMPT)).to_have_value("<i>brush</i>, often <lora:real:0.6> wash style")
    card(page, "real").click()
    expect(page.locator(PROMPT)).to_have_value("<i>brush</i>, often")


# ---- styles


def test_my_prompts_become_a_style_that_is_used_changed_and_deleted(
    page: Page, engine: FakeEngine, styles: StyleBook
) -> None:
    type_prompt(page, "{prompt}, ink drawing")
    page.locator(FOLD).click()
    page.locator(NEGATIVE).fill("photo")
    open_styles(page)
    page.locator("#txt2img_style_new").click()
    expect(page.locator("#txt2img_style_prompt")).to_have_value("{prompt}, ink drawing")
    page.locator("#txt2img_style_name").fill("ink")
    page.locator("#txt2img_style_save").click()
    row = page.locator(STYLES).get_by_role("button", name=re.compile("^i? ?ink"))
    expect(row).to_be_visible()
    assert styles.read()["ink"] == Style("ink", "{prompt}, ink drawing", "photo")

    page.locator(NEGATIVE).fill("")
    type_prompt(page, "a cat")
    row.click()
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles (1)")
    expect(page.locator(COUNTER)).to_have_text("5/75")  # with the style's own words
    page.locator("#txt2img_generate").click()
    for _ in range(100):
        if engine.asked:
            break
        page.wait_for_timeout(100)
    assert (engine.asked[0].prompt, engine.asked[0].styles) == ("a cat", ("ink",))

    page.locator("#txt2img_style_apply").click()
    expect(page.locator(PROMPT)).to_have_value("a cat, ink drawing")
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles")

    page.get_by_role("button", name="Edit ink").click()
    page.locator("#txt2img_style_prompt").fill("pen drawing")
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_styles_editor")).to_have_count(0)
    assert styles.read()["ink"].prompt == "pen drawing"
    page.get_by_role("button", name="Edit ink").click()
    page.locator("#txt2img_style_delete").click()
    page.locator("#txt2img_style_delete").click()
    expect(row).to_have_count(0)
    assert styles.names() == ()


def test_styles_that_i_chose_are_still_chosen_after_a_reload(page: Page, styles: StyleBook) -> None:
    styles.add(Style("ink", "ink drawing"))
    type_prompt(page, "a cat")
    open_styles(page)
    page.locator(STYLES).get_by_role("button", name=re.compile("^i? ?ink")).click()
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles (1)")
    page.wait_for_timeout(1_000)  # the form is kept a moment after a change
    page.reload()
    expect(page.locator(PROMPT)).to_have_value("a cat")
    expect(page.locator("#txt2img_styles_button")).to_have_text("Styles (1)")
    expect(page.locator(COUNTER)).to_have_text("5/75")


def test_a_style_that_somebody_else_changed_is_not_overwritten(page: Page, styles: StyleBook) -> None:
    styles.add(Style("ink", "ink"))
    styles.add(Style("oil", "oil"))
    open_styles(page)
    page.get_by_role("button", name="Edit ink").click()
    page.locator("#txt2img_style_name").fill("oil")
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_style_status")).to_have_text("There is a style 'oil' already, in styles.csv.")
    styles.change("ink", "styles.csv", Style("ink", "another"))
    page.locator("#txt2img_style_name").fill("ink")
    page.locator("#txt2img_style_save").click()
    expect(page.locator("#txt2img_style_status")).to_contain_text("changed elsewhere meanwhile")
    assert styles.read()["ink"].prompt == "another"


# ---- what comes from elsewhere, and what was before


def drop(page: Page, where: str, name: str, kind: str, content: bytes) -> None:
    """Let go of a file over an element."""
    page.locator(where).evaluate(
        """(element, [name, kind, content]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(content)], name, { type: kind }));
          for (const event of ["dragover", "drop"]) {
            element.dispatchEvent(new DragEvent(event, { dataTransfer: transfer, bubbles: true, cancelable: true }));
          }
        }""",
        [name, kind, list(content)],
    )


def said(page: Page, message: str) -> None:
    """Remember what is said on the bus; `heard` reads it."""
    page.evaluate(
        """async (message) => {
          const { hear } = await import(`${webui.base}internal/page/static/${webui.version}/bus.js`);
          window.heard = [];
          hear(message, (detail) => window.heard.push(detail));
        }""",
        message,
    )


def heard(page: Page) -> Any:
    page.wait_for_function("() => window.heard.length > 0")
    return page.evaluate("() => window.heard")


def paste(page: Page, text: str) -> None:
    """Paste a text into the prompt."""
    page.locator(PROMPT).evaluate(
        """(box, text) => {
          const transfer = new DataTransfer();
          transfer.setData("text/plain", text);
          box.focus();
          box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
        }""",
        text,
    )


def test_the_text_of_a_plot_pasted_into_the_prompt_brings_the_plot_back(page: Page) -> None:
    paste(page, f'{INFOTEXT}, Script: X/Y/Z plot, X Type: Steps, X Values: "3, 5, 7", Y Type: Seed, Y Values: "1,2"')
    expect(page.locator("#experiment").get_by_role("radio", name="Experiment")).to_be_checked()
    expect(page.locator("#txt2img_generate")).to_have_text("Generate 6")
    expect(page.locator("#txt2img_steps input[type=number]")).to_have_value("7")


def test_a_whole_generation_text_pasted_into_the_prompt_fills_the_form(page: Page) -> None:
    paste(page, INFOTEXT)
    expect(page.locator(PROMPT)).to_have_value("a blue cat")
    expect(page.locator("#txt2img_steps input[type=number]")).to_have_value("7")
    expect(page.locator(FOLD)).to_have_attribute("aria-label", "Negative prompt, holds a text")
    expect(page.locator(COUNTER)).to_have_text("3/75")


def test_a_picture_dropped_on_the_prompt_offers_its_parameters(page: Page) -> None:
    told = PngInfo()
    told.add_text("parameters", INFOTEXT)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG", pnginfo=told)
    said(page, "form:fill")
    drop(page, PROMPT, "cat.png", "image/png", buffer.getvalue())
    dialog = page.get_by_role("dialog", name="cat.png")
    expect(dialog.get_by_label("Generation parameters")).to_contain_text("a blue cat")
    dialog.get_by_role("button", name="Use its parameters").click()
    assert heard(page) == [{"text": INFOTEXT}]
    expect(dialog).to_have_count(0)


def test_a_picture_without_parameters_can_still_be_sent_to_img2img(page: Page) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 16)).save(buffer, "PNG")
    said(page, "picture:send")
    drop(page, ".pane-settings", "plain.png", "image/png", buffer.getvalue())
    dialog = page.get_by_role("dialog", name="plain.png")
    expect(dialog.get_by_role("button", name="Use its parameters")).to_be_disabled()
    dialog.get_by_role("button", name="Send to img2img").click()
    (sent,) = heard(page)
    assert (sent["to"], sent["picture"]["width"], sent["picture"]["height"]) == ("img2img", 32, 16)


def test_a_text_file_dropped_on_the_prompt_is_written_into_it(page: Page) -> None:
    drop(page, PROMPT, "idea.txt", "text/plain", b"a cat in the rain\n")
    expect(page.locator(PROMPT)).to_have_value("a cat in the rain")


def test_what_i_sent_before_comes_back_by_keys_and_from_the_list(page: Page) -> None:
    for text in ("a cat", "a dog"):
        generate(page, text)
    type_prompt(page, "an unfinished thought")
    page.locator(PROMPT).press("Control+Shift+ArrowUp")
    expect(page.locator(PROMPT)).to_have_value("a dog")
    page.keyboard.press("Control+Shift+ArrowUp")
    expect(page.locator(PROMPT)).to_have_value("a cat")
    for _ in range(2):
        page.keyboard.press("Control+Shift+ArrowDown")
    expect(page.locator(PROMPT)).to_have_value("an unfinished thought")
    page.reload()
    expect(page.locator("#txt2img_generate")).to_be_visible()
    page.locator("#txt2img_prompt_history").click()
    panel = page.get_by_role("dialog", name="Prompts that were sent")
    panel.get_by_role("searchbox").fill("CAT")
    panel.get_by_role("button", name="a cat").click()
    expect(page.locator(PROMPT)).to_have_value("a cat")


# ---- for every body, on every screen


def test_nothing_around_the_prompt_is_closed_to_anybody(page: Page, real_lora: Path, styles: StyleBook) -> None:
    styles.add(Style("ink", "ink drawing"))
    type_prompt(page, "a cat (on <lora:ink:0.8> <lora:nobody:1>")
    page.locator(FOLD).click()
    expect(page.get_by_label("There is no file of the name nobody: it has no effect.")).to_be_visible()
    assert axe_in_both_themes(page, "#dock") == []
    open_drawer(page)
    expect(card(page, "real")).to_be_visible()
    assert axe_in_both_themes(page, "#dock") == []
    page.get_by_role("button", name="About real").click()
    expect(page.get_by_role("button", name="Save notes")).to_be_visible()
    assert axe_in_both_themes(page, "dialog") == []
    page.keyboard.press("Escape")
    open_styles(page)
    expect(page.get_by_role("button", name="Edit ink")).to_be_visible()
    assert axe_in_both_themes(page, "#dock") == []
    page.get_by_role("button", name="Edit ink").click()
    assert axe_in_both_themes(page, "dialog") == []
