"""What a person paints on the canvas, and what the miniature makes of it: real server, real models, real browser."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.answering import until_it_answers
from tests.ports import open_port
from tests.ui.canvas_page import stroke
from tests.ui.driving import type_prompt
from tests.ui.journeys.test_canvas import go, open_picture, source, tool
from tools.train_mini.drawing import draw
from tools.train_mini.scenes import Background, Scene, Thing

ROOT = Path(__file__).parents[3]
PATIENCE = 240  # seconds that a busy machine may take
STARTING = {
    "checkpoint": "mini", "sampler": "DPM++ 2M", "scheduler": "Karras", "steps": 12, "cfg_scale": 5.0,
    "width": 128, "height": 128, "seed": 3,
}  # fmt: skip
SCENE = draw(Scene((Thing("circle", "red", 64, 64, 36),), Background("blue")))  # 128 x 128


@dataclass(frozen=True)
class Painter:
    """A page of the running program, and where it saves pictures."""

    page: Page
    outputs: Path

    def made(self, count: int) -> Image.Image:
        """Press Generate and wait for the picture of that number."""
        self.page.locator("#txt2img_generate").click()
        end = time.monotonic() + PATIENCE
        while len(self.files()) < count:
            assert time.monotonic() < end, self.page.locator("#stage").inner_text()
            self.page.wait_for_timeout(200)
        return Image.open(self.files()[-1]).convert("RGB")

    def files(self) -> list[Path]:
        saved = [file for file in self.outputs.rglob("*.png") if file.stat().st_size]
        return sorted(saved, key=lambda file: file.stat().st_mtime_ns)


@pytest.fixture
def painter(browser: Browser, tmp_path: Path) -> Iterator[Painter]:
    port = open_port()
    data, outputs = tmp_path / "data", tmp_path / "outputs"
    data.mkdir()
    (data / "starting_values.json").write_text(json.dumps(STARTING))
    command = [sys.executable, "-m", "webui", "--precision", "fp32", "--port", str(port)]
    folders = {"--models-dir": ROOT / "models", "--data-dir": data, "--outputs-dir": outputs}
    process = subprocess.Popen([*command, *[str(part) for pair in folders.items() for part in pair]], cwd=ROOT)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        address = f"http://127.0.0.1:{port}"
        until_it_answers(f"{address}/health", process)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        page.goto(address)
        expect(page.locator("#txt2img_generate")).to_be_visible()
        yield Painter(page, outputs)
    finally:
        context.close()
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def pixels(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return np.asarray(image).astype(np.int16)


def test_i_mask_the_left_half_and_only_that_is_painted_anew_then_the_right_half_grows(painter: Painter) -> None:
    """One test for two wishes, because the program takes long to start."""
    page = painter.page
    go(page, "Inpaint")
    open_picture(page, SCENE)
    tool(page, "Rectangle")
    stroke(page, (0.2, 0.2), (48, 127.8))
    type_prompt(page, "a green square on a yellow background")
    result = painter.made(1)
    before, after = pixels(SCENE), pixels(result)
    assert result.size == SCENE.size
    assert np.abs(after[:, :40] - before[:, :40]).mean() > 20
    assert np.array_equal(after[:, 72:], before[:, 72:])  # beyond the mask's soft rim nothing is touched

    source(page)
    tool(page, "Clear")
    tool(page, "Outpaint: grow the picture")
    page.get_by_role("spinbutton", name="Right").fill("64")
    page.get_by_role("spinbutton", name="Right").blur()
    grown = painter.made(2)
    assert grown.size == (192, 128)
    assert np.abs(pixels(grown)[:, :100] - before[:, :100]).mean() < 3
