"""What people do with cards: put networks in with their words and weights, look inside, give a checkpoint settings."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, BrowserContext, Page, expect
from safetensors.torch import save_file

from tests.ui.driving import eventually, generate, keeps, picture, type_prompt
from tests.ui.library_house import LibraryHouse, library_house, opened
from webui.library.files import ModelFile

PROMPT = "#txt2img_prompt textarea"
DRAWER = "#txt2img_extra_networks"
PANEL = f"{DRAWER} .dock-panel"
CHECKPOINT = "#setting_sd_model_checkpoint input"


def add(house: LibraryHouse, folder: Path, name: str, metadata: dict[str, str], **beside: Any) -> None:
    """A LoRA, and JSON files beside it by their ending."""
    path = folder / "models" / "Lora" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"lora_unet_input_blocks_1_1_x.lora_down.weight": torch.zeros(4, 8)}, path, metadata)
    for ending, table in beside.items():
        path.with_name(f"{name}.{ending.replace('_', '.')}").write_text(json.dumps(table), encoding="utf-8")
    house.engine.library.named.append(ModelFile(path, "lora", path.name))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cards")


@pytest.fixture(scope="module")
def page(browser: Browser, shared_context: BrowserContext, port: int, folder: Path) -> Iterator[Page]:
    site = {
        "trainedWords": ["wet brush, splash"],
        "baseModel": "SD 1.5",
        "model": {"name": "Ink wash", "tags": ["asia"]},
    }
    with library_house(folder, port) as house:
        library = house.engine.library
        library.models_dir = folder / "models"
        library.safetensors = lambda file: file.path  # type: ignore[method-assign]
        add(house, folder, "wash", {}, civitai_info=site, json={"preferred weight": 0.6, "rating": 5})
        add(house, folder, "grand", {"ss_base_model_version": "sdxl_base_v1-0", "ss_network_dim": "4"})
        with opened(browser, house, tab="txt2img", lasting=shared_context) as shown:
            expect(shown.locator(f"{DRAWER} .drawer-button")).to_be_visible()
            yield shown


def card(page: Page, name: str) -> Any:
    return page.locator(f"{PANEL} .card").filter(has=page.locator("b", has_text=re.compile(f"^{name}$")))


def open_drawer(page: Page, kind: str) -> None:
    if not page.locator(PANEL).is_visible():
        page.locator(f"{DRAWER} .drawer-button").click()
    page.locator(PANEL).get_by_role("radio", name=kind, exact=True).click()


def test_i_put_a_lora_in_with_the_weight_and_words_that_lie_beside_it(page: Page) -> None:
    open_drawer(page, "LoRA")
    page.locator(PANEL).get_by_role("searchbox").fill("asia splash")  # a tag and a trigger word
    expect(page.locator(f"{PANEL} .drawer-count")).to_have_text("1 file")
    card(page, "wash").locator(".card-use").click()
    expect(page.locator(PROMPT)).to_have_value("<lora:wash:0.6>")
    card(page, "wash").hover()
    card(page, "wash").get_by_role("button", name="Put the trigger words of wash").click()
    expect(page.locator(PROMPT)).to_have_value("<lora:wash:0.6> wet brush, splash")
    page.locator(PANEL).get_by_role("searchbox").fill("")
    expect(card(page, "grand")).to_be_visible()
    page.locator(PANEL).get_by_label("Order").select_option("size")
    expect(page.locator(f"{PANEL} .card b").first).to_have_text("grand")
    type_prompt(page, "")


def test_a_lora_for_another_kind_of_checkpoint_is_dimmed_and_says_why(page: Page) -> None:
    open_drawer(page, "LoRA")
    expect(card(page, "grand")).to_have_class(re.compile("unfit"))
    expect(card(page, "grand").locator(".card-use")).to_have_attribute("title", re.compile("^Made for SDXL; "))
    expect(card(page, "ink")).not_to_have_class(re.compile("unfit"))


def test_i_look_into_a_file(page: Page) -> None:
    open_drawer(page, "LoRA")
    card(page, "grand").hover()
    page.get_by_role("button", name="About grand").click()
    dialog = page.get_by_role("dialog", name="grand")
    dialog.get_by_text("What is in this file").click()
    expect(dialog.get_by_text("LoRA, rank 4 · 1 tensor with 32 numbers")).to_be_visible()
    expect(dialog.get_by_role("table", name="Blocks").get_by_role("rowheader")).to_have_text("IN01")
    expect(dialog.get_by_role("table", name="Training")).to_contain_text("Rank")
    page.keyboard.press("Escape")


def test_a_picture_of_the_library_becomes_the_preview_of_the_card(page: Page, folder: Path) -> None:
    generate(page, "a boat <lora:wash:1>")
    picture(page)
    open_drawer(page, "LoRA")
    page.locator(PANEL).get_by_label("Order").select_option("used")
    expect(page.locator(f"{PANEL} .card b").first).to_have_text("wash")
    card(page, "wash").hover()
    page.get_by_role("button", name="About wash").click()
    dialog = page.get_by_role("dialog", name="wash")
    dialog.get_by_role("button", name="Choose a picture of the Library").click()
    expect(dialog.get_by_text("The newest pictures that were made with it.")).to_be_visible()
    dialog.locator(".card-pictures button").first.click()
    eventually(page, (folder / "models" / "Lora" / "wash.preview.png").is_file)
    expect(card(page, "wash").locator("img")).to_be_visible()
    assert json.loads((folder / "models" / "Lora" / "wash.json").read_text("utf-8"))["rating"] == 5


def test_a_checkpoint_brings_its_settings_and_what_i_set_by_hand_stays(page: Page) -> None:
    steps = page.locator("#txt2img_steps input[type=number]")
    usual = steps.input_value()
    steps.fill("33")
    steps.blur()
    keeps(page, {"steps": 33})
    open_drawer(page, "Checkpoints")
    card(page, "mini").hover()
    page.get_by_role("button", name="About mini").click()
    dialog = page.get_by_role("dialog", name="mini")
    dialog.get_by_role("button", name="Use these settings with this checkpoint").click()
    expect(dialog.get_by_role("spinbutton", name="Steps")).to_have_value("33")
    dialog.get_by_role("button", name="Remove VAE").click()
    expect(dialog.get_by_role("button", name="Remove VAE")).to_have_count(0)
    dialog.get_by_label("Beginning of the prompt").fill("masterpiece")
    dialog.get_by_label("Beginning of the prompt").blur()
    expect(dialog.get_by_text("Saved.")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#form_reset").click()
    expect(steps).to_have_value(usual)
    type_prompt(page, "a cat")
    open_drawer(page, "Checkpoints")
    card(page, "other").locator(".card-use").click()
    expect(page.locator(CHECKPOINT)).to_have_value(re.compile("other"))
    card(page, "mini").locator(".card-use").click()
    expect(steps).to_have_value("33")
    expect(page.locator(PROMPT)).to_have_value("masterpiece, a cat")
    card(page, "other").locator(".card-use").click()
    expect(steps).to_have_value(usual)
    expect(page.locator(PROMPT)).to_have_value("a cat")
    steps.fill("12")
    steps.blur()
    keeps(page, {"steps": 12})
    card(page, "mini").locator(".card-use").click()
    expect(page.get_by_text("What you set by hand stays: steps.")).to_be_visible()
    expect(steps).to_have_value("12")
