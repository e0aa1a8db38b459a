"""How soon 5,000 LoRAs are in view as cards: seconds from the press on the button of the drawer, in Chromium.

The files are made up: headers of 144 tensors with a trainer's metadata, JSON of downloaders beside every second, notes
beside every third, a picture beside every fourth. `first start` has never seen them; `later start` is a program that
was started again, with what is kept of them in the data folder: `python benchmarks/run.py cards`.
"""

import json
import statistics
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from benchmarks.report import Row
from tests.ui.driving import FLAGS, chromium, served, whole_page
from tests.ui.fakes import FakeEngine
from webui.cards.card_index import CardIndex, CardQuery
from webui.cards.card_store import FILE
from webui.library.files import find

PART = "cards"
COUNT = 5_000
FOLDERS = 12
ROUNDS = 3
TARGET = 1.0  # seconds
LAYERS = ("attn1_to_q", "attn1_to_k", "attn1_to_v", "attn1_to_out_0", "attn2_to_q", "attn2_to_k", "attn2_to_v",
          "attn2_to_out_0", "ff_net_0_proj", "ff_net_2", "proj_in", "proj_out")  # fmt: skip
SHAPES = {"lora_down": [1, 768], "lora_up": [320, 1]}
OPEN = """async () => {
  const began = performance.now();
  const until = (isSo) => new Promise((done) => {
    const look = () => (isSo() ? done((performance.now() - began) / 1000) : requestAnimationFrame(look));
    look();
  });
  document.querySelector("#txt2img_extra_networks .drawer-button").click();
  const cards = () => [...document.querySelectorAll("#txt2img_extra_networks .card")];
  const drawn = await until(() => cards().filter((card) => card.querySelector("b")).length > 9);
  const search = document.querySelector("#txt2img_extra_networks input[type=search]");
  const before = performance.now();
  search.value = "word0077";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  const found = await until(() => cards().length === 1);
  return [drawn, found - (before - began) / 1000, cards().length];
}"""


def rows() -> Iterator[Row]:
    """Times of a first and of later starts, and how soon a search by a trigger word is answered."""
    with tempfile.TemporaryDirectory(prefix="webui-cards-") as name, sync_playwright() as playwright:
        folder = Path(name)
        make(folder / "models" / "Lora", COUNT)
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        first = _opened(browser, folder)
        (folder / "cache" / FILE).unlink()  # as far as the page has come with it
        began = time.monotonic()
        _read_all(folder)
        reading = time.monotonic() - began
        later = [_opened(browser, folder) for _ in range(ROUNDS)]
        browser.close()
        spent = _spent(folder)
        size = (folder / "cache" / FILE).stat().st_size
    yield Row(PART, f"{COUNT} cards, first start: in view after", first[0], "s", TARGET)
    for what, place, target in (("in view after", 0, TARGET), ("search by a trigger word", 1, None)):
        values = [one[place] for one in later]
        yield Row(PART, f"{COUNT} cards, later start: {what}", statistics.median(values), "s", target,
                  spread=(min(values), max(values)))  # fmt: skip
    yield Row(PART, f"{COUNT} cards, later start: the server's part of it", spent, "s", None, note="processor time")
    yield Row(PART, "all files read, once", reading, "s", None, note="a second at a time, while somebody looks")
    yield Row(PART, "index on the disk", size / 2**20, "MiB", None)


def make(loras: Path, count: int) -> None:
    """Write the files; their tensors are holes that take no room."""
    tensors: dict[str, object] = {}
    end = 0
    for block in range(3):
        for attention in range(2):
            for layer in LAYERS:
                for part, shape in SHAPES.items():
                    start, end = end, end + 2 * shape[0] * shape[1]
                    name = f"lora_unet_down_blocks_{block}_attentions_{attention}_{layer}.{part}.weight"
                    tensors[name] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    for number in range(count):
        folder = loras / f"style {number % FOLDERS}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"lora_{number:04}.safetensors"
        metadata = {"ss_base_model_version": "sd_v1", "ss_output_name": f"lora_{number:04}"}
        header = json.dumps({"__metadata__": metadata, **tensors}).encode()
        with path.open("wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            file.truncate(8 + len(header) + end)
        if number % 2:
            site = {"trainedWords": [f"word{number:04}, more"], "baseModel": "SD 1.5", "model": {"tags": ["style"]}}
            path.with_suffix(".civitai.info").write_text(json.dumps({**site, "description": "<p>Soft.</p>" * 50}))
        if number % 3 == 0:
            path.with_suffix(".json").write_text(json.dumps({"notes": f"note {number}", "preferred weight": 0.7}))
        if number % 4 == 0:
            Image.new("RGB", (64, 96), (number % 255, 90, 120)).save(path.with_name(f"{path.stem}.preview.png"))


def _engine(folder: Path) -> FakeEngine:
    """A program that was just started over the files."""
    (folder / "outputs").mkdir(exist_ok=True)
    engine = FakeEngine(folder / "outputs")
    library = engine.library
    library.models_dir, library.cache_dir = folder / "models", folder / "cache"
    library.safetensors = lambda file: file.path  # type: ignore[method-assign]
    library.named += find(library.models_dir, "lora")
    return engine


def _opened(browser: Browser, folder: Path) -> tuple[float, float, float]:
    engine = _engine(folder)
    with served(whole_page(engine, folder)) as address:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(address)
        page.locator("#txt2img_extra_networks .drawer-button").wait_for()
        drawn, found, count = page.evaluate(OPEN)
        context.close()
    engine.close()
    return drawn, found, count


def _spent(folder: Path) -> float:
    """Processor time of the first question after a start."""
    engine = _engine(folder)
    index = CardIndex(engine.library)
    began = time.thread_time()
    index.find("lora", CardQuery(), 0, 60)
    spent = time.thread_time() - began
    engine.close()
    return spent


def _read_all(folder: Path) -> None:
    engine = _engine(folder)
    index = CardIndex(engine.library)
    while index.read_on("lora", 1.0):
        pass
    engine.close()
