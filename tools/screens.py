"""Takes the screenshots in `docs/screens/`: every tab, dark and light, on a desktop and on a phone.

    .venv/bin/python tools/screens.py [--only WORD ...] [--into FOLDER]

The program runs as it is started by everybody, with the miniature of `models/`, in a data folder of its own that is
removed afterwards. It makes a few pictures first, so that stage, strip and library have something to show.
"""

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--headless=new", "--no-first-run", "--disable-background-networking")
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
THEMES = ("dark", "light")
PATIENCE = 240.0  # seconds for the program to start, and for a picture
QUALITY = 80  # of WebP
SETTLING = 900  # milliseconds after which a tab has what it shows
STARTING = {"checkpoint": "mini.safetensors", "steps": 20, "width": 128, "height": 128}
PROMPTS = (
    "a yellow star on a green background", "a white circle on a black background",
    "a green square on a white background", "a blue triangle on a yellow background",
    "a red circle on a blue background",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows: a tab, and what is done there first."""

    name: str
    tab: str
    act: Callable[[Page], None] = lambda page: None


def show_keys(page: Page) -> None:
    page.evaluate("document.activeElement?.blur()")
    page.keyboard.press("?")


def open_sheet(page: Page) -> None:
    button = page.locator("#header .sheet-button")
    if button.is_visible():
        button.click()


def of_learn(view: str) -> Callable[[Page], None]:
    """Opens a view of Learn; the newest picture is taken apart where there is no run yet."""

    def show(page: Page) -> None:
        page.get_by_role("tab", name=view, exact=True).click()
        page.wait_for_timeout(SETTLING)  # a run that was recorded before is asked for
        button = page.get_by_role("button", name="Take my last picture apart", exact=True)
        if button.is_visible():  # the example is shown
            button.click()
            page.locator(
                ".learn-of", has_text=f"{STARTING['steps']} steps"
            ).wait_for()  # while it records, a note stands there

    return show


def with_pictures(view: str, fields: str, drawn: str) -> Callable[[Page], None]:
    """Opens a view of Learn, gives the picture on the stage to its fields, and waits for what is drawn then."""

    def show(page: Page) -> None:
        page.get_by_role("tab", name=view, exact=True).click()
        page.evaluate(
            """async (fields) => {
              const shown = document.querySelector("#txt2img_gallery .plane .now").src;
              const file = new File([await (await fetch(shown)).blob()], "picture.png", { type: "image/png" });
              for (const field of document.querySelectorAll(fields)) field.take(file);
            }""",
            fields,
        )
        page.locator(drawn).first.wait_for()

    return show


def open_tour(page: Page) -> None:
    page.evaluate("window.webui.keep('learn_tour', '5')")  # the stop about guidance
    if page.locator("#learn_tour").get_attribute("aria-expanded") == "false":
        page.locator("#learn_tour").click()
    page.locator(".learn-ringed").wait_for()


def with_example(page: Page) -> None:
    """Draws the data set that Train offers to whoever has none."""
    button = page.locator("#train_example")
    if button.is_visible():
        button.click()
        page.locator("#train .tr-card img[src]").first.wait_for()


SCENES = (
    Scene("txt2img", "txt2img"),
    Scene("settings-of-the-picture", "txt2img", open_sheet),
    Scene("img2img", "img2img"),
    Scene("inpaint", "inpaint"),
    Scene("upscale", "extras"),
    Scene("library", "image_browser"),
    Scene("models", "modelmerger"),
    Scene("learn-run", "pnginfo", of_learn("Run under the glass")),
    Scene("learn-words", "pnginfo", of_learn("Words")),
    Scene("learn-network", "pnginfo", of_learn("The network")),
    Scene("learn-scheduler", "pnginfo", of_learn("Scheduler")),
    Scene(
        "learn-noise", "pnginfo", with_pictures("Noise your own picture", ".noise-view .picture-field", ".noise-grid")
    ),
    Scene("learn-png-info", "pnginfo", with_pictures("PNG Info", ".pnginfo .picture-field", "table.parameters")),
    Scene("learn-compare", "pnginfo", with_pictures("Compare", ".compare-fields .picture-field", ".comparison")),
    Scene("learn-tour", "pnginfo", open_tour),
    Scene("train", "train", with_example),
    Scene("extensions", "extensions"),
    Scene("settings", "settings"),
    Scene("keys", "txt2img", show_keys),
)


@contextmanager
def program(folder: Path) -> Iterator[str]:
    """The program, started with the miniature; its address."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    data = folder / "data"
    data.mkdir()
    (data / "starting_values.json").write_text(json.dumps(STARTING))
    process = subprocess.Popen(
        [sys.executable, "-m", "webui", "--port", str(port), "--data-dir", data, "--outputs-dir", folder / "outputs"],
        cwd=ROOT,
    )
    try:
        yield _answering(f"http://127.0.0.1:{port}/", process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _answering(address: str, process: "subprocess.Popen[bytes]") -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the program ended with {process.returncode} before it answered")
        with suppress(OSError), urllib.request.urlopen(f"{address}health", timeout=5):
            return address
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    raise TimeoutError(f"{address} did not answer within {PATIENCE:.0f} s")


def make_pictures(page: Page, folder: Path) -> None:
    """Make one picture for each prompt, by the page itself."""
    for number, prompt in enumerate(PROMPTS, 1):
        page.locator("#txt2img_prompt textarea").fill(prompt)
        page.locator("#txt2img_generate").click()
        end = time.monotonic() + PATIENCE
        while len([*folder.rglob("*.png")]) < number:
            if time.monotonic() > end:
                raise TimeoutError(f"no picture of {prompt!r} within {PATIENCE:.0f} s")
            page.wait_for_timeout(200)
    page.wait_for_timeout(1500)


def opened(browser: Browser, address: str, size: tuple[int, int], theme: str) -> Page:
    """A whole page in a window of that size."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=size[0] < 700)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(f"{address}?__theme={theme}")
    page.locator(":root:not([data-loading])").wait_for(state="attached")
    page.locator("#txt2img_prompt textarea").fill(PROMPTS[-1])  # that of the newest picture
    page.wait_for_timeout(1000)
    return page


def take(browser: Browser, address: str, into: Path, only: Sequence[str]) -> None:
    """Take every picture whose name holds one of the words; all where there is none."""
    for device, size in SIZES.items():
        for theme in THEMES:
            page = opened(browser, address, size, theme)
            for scene in SCENES:
                name = f"{scene.name}-{device}-{theme}.webp"
                if only and not any(word in name for word in only):
                    continue
                page.locator(f"#tab_{scene.tab}-button").click()
                page.locator(f"#tab_{scene.tab}-button[aria-selected=true]").wait_for()
                scene.act(page)
                page.wait_for_timeout(SETTLING)
                Image.open(BytesIO(page.screenshot())).save(into / name, quality=QUALITY, method=6)
                page.keyboard.press("Escape")  # closes what the scene has opened
                print(into / name, flush=True)
            page.context.close()


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Takes the screenshots in docs/screens/.")
    parser.add_argument("--only", nargs="*", default=(), help="parts of names")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "screens")
    chosen = parser.parse_args()
    chosen.into.mkdir(parents=True, exist_ok=True)
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as folder, program(Path(folder)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = opened(browser, address, SIZES["desktop"], "dark")
        make_pictures(page, Path(folder) / "outputs")
        page.context.close()
        take(browser, address, chosen.into, chosen.only)
        browser.close()


if __name__ == "__main__":
    main()
