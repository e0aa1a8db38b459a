"""How soon the sheet of a plot of 1,000 cells is in view: seconds from the order to open it to the cells, and to their
pictures. The plot is made by the program, with a back that paints plain colours of 64 x 64, and is opened in Chromium
with an empty cache: `python benchmarks/run.py sheet`.
"""

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.report import Row
from tests.ui.driving import FLAGS, chromium, served, whole_page
from tests.ui.fakes import FakeEngine
from webui.domain.request import GenerationRequest
from webui.experiments.plans import started

PART = "sheet"
ROUNDS = 5
TARGET = 1.0  # seconds
PATIENCE = 600.0  # seconds in which the plot has to be made
PLAN = {"kind": "xyz", "axes": [{"id": "seed", "values": "1-40"}, {"id": "cfg_scale", "values": "1-25"}]}
OPEN = """async (id) => {
  const { say } = await import(`${window.webui.base}internal/page/static/${window.webui.version}/bus.js`);
  const began = performance.now();
  const until = (isSo) => new Promise((done) => {
    const look = () => (isSo() ? done((performance.now() - began) / 1000) : requestAnimationFrame(look));
    look();
  });
  say("plot:open", { id });
  const cells = () => [...document.querySelectorAll("#sheet .s-cell")];
  const drawn = await until(() => cells().length > 9);
  const isLoaded = (cell) => cell.querySelector("img")?.complete;
  return [drawn, await until(() => cells().every(isLoaded)), cells().length];
}"""


def rows() -> Iterator[Row]:
    """Both times, and how many cells the page holds for it."""
    with tempfile.TemporaryDirectory(prefix="webui-sheet-") as name, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "outputs").mkdir()
        engine = FakeEngine(folder / "outputs")
        plot = _made(engine)
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        with served(whole_page(engine, folder)) as address:
            found = [_opened(browser, address, plot) for _ in range(ROUNDS + 1)][1:]
        browser.close()
        engine.close()
    for what, values, unit, target in (
        ("cells after", [one[0] for one in found], "s", TARGET),
        ("pictures in view after", [one[1] for one in found], "s", None),
        ("cells that exist", [one[2] for one in found], "", None),
    ):
        yield Row(PART, what, statistics.median(values), unit, target, spread=(min(values), max(values)))


def _made(engine: FakeEngine) -> str:
    """A plot of 1,000 cells, and its id."""
    request = GenerationRequest(prompt="a hill", checkpoint="mini.safetensors", steps=1, width=64, height=64)
    job = engine.experiment(started(json.dumps(PLAN), request, engine.surroundings()), save=True)
    job.result(PATIENCE)
    return job.work.plot


def _opened(browser: Browser, address: str, plot: str) -> tuple[float, float, float]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.locator("#txt2img_generate").wait_for()
    drawn, loaded, count = page.evaluate(OPEN, plot)
    context.close()
    return drawn, loaded, count
