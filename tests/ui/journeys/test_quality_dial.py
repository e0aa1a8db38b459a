"""The dial from exact to fastest: it says that nothing was measured, measures, shows what it found, fills the form."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from extensions.speed_dial import kept_result
from extensions.speed_dial.options import MeasureOptions
from extensions.speed_dial.ways import machine_of, ways
from tests.doors import DoorEngine, ThreadedExecutor
from tests.narrowing import known, untyped
from tests.painting import PaintingBack
from tests.ui.driving import eventually, keeps, served, visited_page, whole_page
from tests.ui.fakes import FakeLibrary
from webui.domain.errors import Cancelled
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ExtensionInfo
from webui.plugins.catalog import Catalog
from webui.plugins.host import ExtensionHost
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels

BUNDLED = Path(__file__).parents[3] / "extensions"
CPU = torch.device("cpu")


@dataclass
class MeasuringBack(PaintingBack):
    """Keeps a made-up measurement when it is asked for one and `finishes` is set; the dial is the extension's."""

    host: ExtensionHost | None = None
    data_dir: Path = Path()
    asked: list[dict[str, Any]] = field(default_factory=list)
    finishes: threading.Event = field(default_factory=threading.Event)

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        return known(self.host).loaded.infos

    def act(
        self, call: ActionCall, progress: Callable[[ActionProgress], None], stopped: Callable[[], bool], *_: object
    ) -> ActionOutcome:
        if call.action != "measure":
            return known(self.host).act(call, progress, stopped)
        self.asked.append(dict(call.options))
        progress(ActionProgress(0, 0, "step 3 of 20"))
        while not self.finishes.wait(0.02):
            if stopped():
                raise Cancelled("stopped")
        machine = machine_of(CPU)
        rows = {
            way.name: kept_result.row_of(way, 1 + at / 4, at / 100, Image.new("RGB", (64, 64), (40 + 15 * at, 60, 90)))
            for at, way in enumerate(ways(MeasureOptions(), machine))
        }
        kept_result.keep(self.data_dir, kept_result.Measurement("2026-11-29", machine.name, "mini", 512, 512, 20, rows))
        return ActionOutcome("measured")


@dataclass(frozen=True)
class House:
    page: Page
    engine: DoorEngine
    back: MeasuringBack

    @property
    def dial(self) -> Locator:
        return self.page.locator("#quality_dial")

    def form(self, name: str) -> Any:
        return self.page.evaluate("(name) => window.webui.form.values()[name]", name)


@pytest.fixture(scope="module")
def house(shared_context: BrowserContext, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("dial")
    chosen = folder / "extensions"
    chosen.mkdir()
    for name in ("speed_dial", "guidance"):
        (chosen / name).symlink_to(BUNDLED / name)
    loaded = load_all(chosen)
    library = FakeLibrary(folder / "cache")
    host = ExtensionHost(loaded, LibraryModels(library), CPU, torch.float32, data_dir=folder / "data")
    back = MeasuringBack(host=host, data_dir=folder / "data")
    engine: Any = DoorEngine(
        lambda path: library, lambda on_event: ThreadedExecutor(back, on_event), extensions=Catalog(loaded.infos)
    )
    engine.outputs = folder / "outputs"
    engine.outputs.mkdir()
    try:
        with served(whole_page(engine, folder), port) as address, visited_page(shared_context, address) as page:
            expect(page.locator("#txt2img_generate")).to_be_visible()
            yield House(page, engine, back)
    finally:
        back.finishes.set()
        engine.close()


def test_it_says_that_nothing_was_measured_and_measures(house: House) -> None:
    dial = house.dial
    dial.scroll_into_view_if_needed()
    expect(dial.get_by_role("radio")).to_have_count(0)  # it is one line, as every part that is off
    dial.locator(".qd-head").click()
    expect(dial.get_by_role("radio")).to_have_count(5)
    expect(dial.get_by_role("radio", name="Exact")).to_have_attribute("aria-checked", "true")
    expect(dial).to_contain_text("has not been measured on this machine yet")
    expect(dial.locator(".qd-plot")).to_have_count(0)
    held: list[Route] = []
    house.page.route("**/actions/measure", lambda route: held.append(route))
    house.page.locator("#quality_dial_measure").click()
    eventually(house.page, lambda: len(held) == 1)
    expect(dial.locator(".qd-work")).to_contain_text("Waiting for its turn")  # so it is not begun twice
    expect(house.page.locator("#quality_dial_measure")).to_have_count(0)
    expect(dial.get_by_role("button", name="Stop")).to_be_disabled()
    held[0].continue_()
    house.page.unroute("**/actions/measure")
    expect(dial.locator(".qd-work")).to_contain_text("Measuring: step 3 of 20")
    dial.get_by_role("button", name="Stop").click()
    expect(house.page.locator("#quality_dial_measure")).to_be_visible()
    house.back.finishes.set()
    house.page.locator("#quality_dial_measure").click()
    expect(dial.locator(".qd-plot circle")).to_have_count(5 + 6)
    expect(dial).to_contain_text("mini, 512 × 512, 20 steps")
    assert house.back.asked[0] == house.back.asked[1]
    assert house.back.asked[1]["checkpoint"].startswith("mini")
    assert (house.back.asked[1]["steps"], house.back.asked[1]["rounds"]) == (20, 1)


def test_a_stop_fills_the_form_and_the_plot_marks_it(house: House) -> None:
    dial = house.dial
    dial.get_by_role("radio", name="Fastest").click()
    expect(dial.locator(".qd-short")).to_have_text("2.00 × · 4.00 %")
    assert house.form("speed.block_cache") == 0.2
    assert house.form("speed.eight_bits") == "int8"
    assert house.form("#txt2img_speed_enable") is True
    assert house.form("#txt2img_extension_guidance_options")["hypertile"]["unet"] is True
    expect(dial.locator("circle.chosen")).to_have_attribute("data-stop", "fastest")
    expect(dial.locator("figcaption")).to_have_text(["Exact", "Fastest"])
    dial.locator("details summary").click()
    expect(dial.locator("details tbody tr")).to_have_count(6)
    house.page.locator("#txt2img_generate").click()
    eventually(house.page, lambda: len(house.engine.asked_for) == 1)
    sent = house.engine.asked_for[0].request
    assert (sent.speed.block_cache, sent.speed.eight_bits, sent.token_merging.ratio) == (0.2, "int8", 0.5)
    assert sent.guidance.s_min_uncond == 3
    assert untyped(sent.extensions["guidance"])["hypertile"]["unet"] is True


def test_keys_go_from_stop_to_stop_and_exact_leaves_nothing_on(house: House) -> None:
    dial, page = house.dial, house.page
    dial.get_by_role("radio", name="Fastest").focus()
    for name in ("Fast", "Balanced", "Careful", "Exact"):
        page.keyboard.press("ArrowLeft")
        expect(dial.get_by_role("radio", name=name, exact=True)).to_be_focused()
        expect(dial.get_by_role("radio", name=name, exact=True)).to_have_attribute("aria-checked", "true")
    expect(dial.locator(".qd-short")).to_have_text("exact")
    assert house.form("#txt2img_speed_enable") is False
    assert house.form("#txt2img_token_merging_enable") is False
    assert house.form("guidance.s_min_uncond") == 0
    assert house.form("#txt2img_extension_guidance_options")["hypertile"]["unet"] is False


def test_a_change_by_hand_is_a_mix_of_its_own_and_undo_brings_the_stop_back(house: House) -> None:
    dial, page = house.dial, house.page
    dial.get_by_role("radio", name="Careful").click()
    expect(dial.locator("circle.chosen")).to_have_attribute("data-stop", "careful")
    keeps(page, {"speed.text_gate": 0.7})
    page.evaluate("() => window.webui.form.take({'speed.text_gate': 0.33})")
    expect(dial.locator(".qd-short")).to_have_text("your own mix")
    expect(dial.locator("circle.chosen")).to_have_count(0)
    keeps(page, {"speed.text_gate": 0.33})
    page.locator("#form_undo").click()
    expect(dial.get_by_role("radio", name="Careful")).to_have_attribute("aria-checked", "true")
    dial.locator(".qd-head").click()
    expect(dial.locator(".qd-plot")).to_be_hidden()
    expect(dial.locator(".qd-short")).to_be_visible()
