"""The dictionaries of the page: the Chinese one has every text of the sources, and no other is left on the page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.ui.driving import WAIT, served
from tests.ui.fakes import FakeEngine
from tests.ui.settings_page import preferences_in, settings_app
from tests.ui.words_of_the_page import COUNTED, UI, needs_words, of_forms, of_python, of_scripts, of_tables, singulars
from webui.plugins.describing import describe_all
from webui.ui.frame import TITLES

EXTENSIONS = Path(__file__).resolve().parents[2] / "extensions"
CHINESE: dict[str, str] = json.loads((UI / "localizations" / "zh_CN.json").read_text())
STAYS = re.compile(  # names that are the same in every language: of programs, formats, methods, files, keys
    r"Stable Diffusion|txt2img|img2img|LoRA|LyCORIS|VAE|ControlNet|ControlNet Integrated|CLIP|SDXL|Eta|Hires\. fix"
    r"|PNG|PNG Info|JPEG|WebP|English|iris|AUTOMATIC1111|ComfyUI|SGM|NGMS|CFG|CPU|GPU|NV|API|UniPC"
    r"|Euler a?|DPM.*|DDIM.*"
    r"|LMS.*|Heun|PLMS|LCM|Restart|Karras|Lanczos|Nearest|Bicubic|Latent.*|png|jpg|webp|auto|low|high|fp16|fp32|bf16"
    r"|Eta（DDIM）|ENSD|Rho|Alpha|Beta|Ties|Dare|TIES|DARE|[A-C]|LoRAs|Not Found|other|torn|float32|CodeFormer|GFPGAN"
    r"|\d+(?:\.\d)? %（CFG \d+）"
    r"|Ctrl.*|Alt.*|Esc|Space|[\w./~-]+\.(?:safetensors|pt|py|json|csv|yaml|png).*|mini.*|https?://.*"
)
OPENED = """() => {
  for (const one of document.querySelectorAll(".section > .head .switch input:not(:checked)")) {
    if (one.checkVisibility()) one.click();
  }
}"""
VISIBLE = r"""() => {
  const found = [];
  const add = (text, where) => {
    const clean = text.trim().replace(/\s+/g, " ");
    if (/[A-Za-z]{3}/.test(clean) && !/[\u3400-\u9fff]/.test(clean)) found.push(`${clean} <${where}>`);
  };
  const skipped = "[translate=no], script, style, code, pre, kbd, textarea, .setting-example, option";
  const where = (element) => element.closest("[id]")?.id ?? element.className;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  for (let one = walker.currentNode; one; one = walker.nextNode()) {
    const element = one.nodeType === Node.TEXT_NODE ? one.parentElement : one;
    if (element.closest(skipped) || !element.checkVisibility()) continue;
    if (one.nodeType === Node.TEXT_NODE) add(one.data, where(element));
    else for (const name of ["placeholder", "aria-label", "title", "data-tip", "alt"]) {
      add(element.getAttribute(name) ?? "", `${where(element)} ${name}`);
    }
  }
  return [...new Set(found)];
}"""


def test_what_counts_things_has_words_for_one_thing() -> None:
    never_one = re.compile(r"too many|Entry \{n\}|\{n\} files\. Search|stands for|loads \{n\} times|the \{n\} chosen")
    told, texts = singulars(), of_scripts()
    lacking = {text: where for text, where in texts.items() if COUNTED.search(text) and text not in told}
    assert {text: where for text, where in lacking.items() if never_one.search(text) is None} == {}
    assert told.keys() - texts.keys() == set(), "what no script says"
    for several, one in told.items():
        assert set(re.findall(r"\{\w+\}", several)) - {"{n}"} == set(re.findall(r"\{\w+\}", one)), several


def test_the_chinese_dictionary_has_every_text_of_the_sources() -> None:
    texts = {**of_scripts(), **of_python(), **of_tables()}
    assert len(texts) > 500
    missing = {text: where for text, where in texts.items() if needs_words(text) and text not in CHINESE}
    assert missing == {}


def test_the_chinese_dictionary_has_every_text_of_the_bundled_extensions(tmp_path: Path) -> None:
    infos = describe_all(EXTENSIONS, tmp_path / "described.json", ())
    assert len(infos) > 5
    missing = {text: where for text, where in of_forms(infos).items() if is_plain(text) and text not in CHINESE}
    assert missing == {}


def is_plain(text: str) -> bool:
    """Whether a text is words, and no name of a method, a format or a file."""
    return (needs_words(text) and " " in text) or (STAYS.fullmatch(text) is None and text[:1].isupper())


def test_a_translation_has_the_places_of_its_text() -> None:
    places = re.compile(r"\{\w+\}")
    wrong = [text for text, other in CHINESE.items() if sorted(places.findall(text)) != sorted(places.findall(other))]
    assert wrong == []


def test_a_dictionary_says_each_text_once() -> None:
    pairs: list[tuple[str, str]] = []
    json.loads((UI / "localizations" / "zh_CN.json").read_text(), object_pairs_hook=pairs.extend)
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))


@pytest.fixture
def address(engine: FakeEngine, tmp_path: Path) -> Iterator[str]:
    preferences = preferences_in(tmp_path)
    preferences.change({"language": "zh_CN"}, may_widen=True)
    with served(settings_app(engine, preferences, tmp_path, is_local=True)) as place:
        yield place


def test_no_english_is_left_on_a_chinese_page(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    held: list[Route] = []
    page.route("**/localizations/zh_CN.json", lambda route: held.append(route))
    page.goto(address)
    expect(page.locator("#txt2img_hr_section .line")).to_be_attached()
    page.wait_for_timeout(500)  # by then Gradio has called the scripts of its first events
    for route in held:  # the dictionary comes late, as on a slow line
        route.continue_()
    expect(page.get_by_role("tab", name=CHINESE["Settings"])).to_be_visible()
    expect(page.locator("#first_run h2")).to_be_visible()
    left: list[str] = []
    for name in TITLES:
        page.locator(f"#tab_{name}-button").click()
        page.wait_for_timeout(600)
        page.evaluate(OPENED)
        page.wait_for_timeout(600)
        left += [f"{name}: {text}" for text in page.evaluate(VISIBLE)]
    context.close()
    english = [text for text in left if not STAYS.fullmatch(text.partition(": ")[2].rpartition(" <")[0])]
    assert "\n".join(sorted(set(english))) == ""
