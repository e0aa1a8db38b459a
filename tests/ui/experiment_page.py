"""The face of experiments on the page, for the journeys: a stand-in answers in the place of the routes of plots."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.driving import eventually
from tests.ui.fakes import FakeEngine
from tests.ui.plots_stand_in import PlotsStandIn
from tests.ui.staying import Staying
from webui.ui.create import submit

CFG: dict[str, Any] = {"id": "cfg_scale", "values": "4-9 [3]"}
WORDS: dict[str, Any] = {"id": "prompt_sr", "values": ["mist", "rain", "snow"]}
SAMPLERS: dict[str, Any] = {"id": "sampler", "values": ["DPM++ 2M", "Euler a", "UniPC"]}


@pytest.fixture(scope="module")
def plots() -> PlotsStandIn:
    return PlotsStandIn()


@pytest.fixture
def page(staying: Staying, engine: FakeEngine, plots: PlotsStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The page of the file with an empty plan, the face of experiments in view, and the stand-in for the routes."""
    monkeypatch.setattr(submit, "start_plan", plots.start)
    opened = staying.open(before=plots.attach)
    plots.refusal = None
    opened.unroute_all()
    plots.attach(opened)
    opened.set_viewport_size({"width": 1440, "height": 900})
    opened.keyboard.press("Escape")
    plan(opened)
    yield opened
    try:
        staying.check()
    except BaseException:
        staying.leave()
        raise


def plan(page: Page, *axes: dict[str, Any]) -> None:
    """Put a plan into the pane, as it was sent before."""
    face(page).get_by_role("radio", name="Experiment").click()
    say(page, "experiment:fill", {"plan": {"kind": "xyz", "axes": [*axes]}})


def say(page: Page, name: str, detail: dict[str, Any]) -> None:
    """Tell the parts of the page something."""
    script = """async ([name, detail]) => {
      const { say } = await import(`${window.webui.base}internal/page/static/${window.webui.version}/bus.js`);
      say(name, detail);
    }"""
    page.evaluate(script, [name, detail])


def face(page: Page) -> Locator:
    return page.locator("#experiment")


def foot(page: Page) -> Locator:
    return page.locator("#experiment .e-foot")


def generate(page: Page) -> Locator:
    return page.locator("#txt2img_generate")


def cells(page: Page) -> Locator:
    return page.locator("#sheet .s-cell")


def tray(page: Page) -> Locator:
    return page.locator("#sheet .s-tray")


def begun(page: Page, plots: PlotsStandIn, *axes: dict[str, Any]) -> str:
    """A plot that runs, and its id."""
    plan(page, *axes)
    count = len(plots.sent)
    expect(generate(page)).to_have_text(re.compile(r"Generate \d+"))
    generate(page).click()
    eventually(page, lambda: len(plots.sent) == count + 1)
    plot_id = f"plot{count + 1}"
    plots.run(plot_id)
    expect(page.locator("#sheet .s-status")).to_contain_text("Picture 1 of")
    return plot_id
