"""What tests do with the page in a real browser: serve it, type, generate, wait. The fixtures are in conftest.py."""

import contextlib
import functools
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from tests.narrowing import known
from tests.ui.fakes import FakeEngine
from tests.ui.visiting import DESKTOP, forget, visit
from webui.api.application import create
from webui.api.page.page_routes import picture_files
from webui.api.page.picture_by_id import finder_of_pictures
from webui.api.parts import Parts
from webui.domain.saving import Saving
from webui.library.tag_lists import TagLists
from webui.prompt.style_book import StyleBook
from webui.server.app import encoded
from webui.ui.mount import mount

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--headless=new",
    # The popups of the address bar are pages of their own that are drawn all the time, though no test sees them. The
    # other names are those that Playwright disables: a second list replaces the first.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,AvoidUnnecessaryBeforeUnloadCheckSync,"
    "DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,LensOverlay,MediaRouter,PaintHolding,"
    "ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,OptimizationHints",
)  # fmt: skip
WAIT = 60_000  # milliseconds
STYLES, TAGS = "styles.csv", "tags"  # in the folder of a page


def chromium() -> str:
    """The browser's program.

    Raises:
        FileNotFoundError: says how to install one.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise FileNotFoundError(
            f"the browser tests need one of {', '.join(BROWSERS)} on the PATH: on Debian, run apt-get install chromium"
        )
    return found


def whole_page(engine: FakeEngine, folder: Path, **more: Any) -> FastAPI:
    """The page with the routes that it asks, as the program serves them without `--api`; `more` is for `mount`.

    Styles are in `styles.csv` of the folder, and lists of tags in `tags`; neither is there at first.
    """
    encode = functools.partial(encoded, Saving())
    styles = StyleBook(folder / STYLES)
    parts = Parts(
        engine, encode, styles=styles.read, style_book=styles, tags=TagLists([folder / TAGS]),
        cache_dir=folder / "cache", is_shared=False,
    )  # fmt: skip
    pictures = picture_files(parts)
    application = create(parts, with_api=False, pictures=pictures)
    more = {"find_picture": finder_of_pictures(parts, pictures), **more}
    mounted: FastAPI = mount(application, engine, temp_dir=folder / "temp", outputs_dir=engine.outputs, **more)
    return mounted


@contextlib.contextmanager
def served(app: FastAPI, port: int = 0) -> Iterator[str]:
    """The application on this port, or on a free one, and its address."""
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # as the program's own does
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{door.getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)
    door.close()


@contextlib.contextmanager
def opened_page(
    browser: Browser, address: str, *, before: Callable[[Page], None] = lambda page: None, **context: Any
) -> Iterator[Page]:
    """A page in a context of its own, closed at the end; then nothing may have gone wrong in its scripts.

    Args:
        before: called with the page before the address is opened.
        context: of `Browser.new_context`.
    """
    own = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **context})
    page = own.new_page()
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    before(page)
    page.goto(address)
    yield page
    own.close()
    assert faults == []


@contextlib.contextmanager
def visited_page(context: BrowserContext, address: str, size: tuple[int, int] = DESKTOP) -> Iterator[Page]:
    """As `opened_page`, in the tab of a lasting context, whose browser has compiled the page's scripts already."""
    page = visit(context, size)
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    faults: list[str] = []

    def note(error: Error) -> None:
        faults.append(str(error))

    page.on("pageerror", note)
    page.goto(address)
    yield page
    page.remove_listener("pageerror", note)
    forget(context, urljoin(address, "/"))
    assert faults == []


def unfold_experts(page: Page) -> None:
    """Show the parts of the form that are folded away until somebody asks for them."""
    button = page.locator(".unfold")
    if button.get_attribute("aria-expanded") == "false":
        button.click()


def type_prompt(page: Page, text: str) -> None:
    page.locator("#txt2img_prompt textarea").fill(text)


def generate(page: Page, text: str) -> None:
    type_prompt(page, text)
    page.locator("#txt2img_generate").click()


def keeps(page: Page, fields: dict[str, Any]) -> None:
    """Wait until the form keeps what its controls were set to, by the names of fields; not their usual values.

    From then on a change is a step of its own for undo, and a reload brings it back.
    """
    page.wait_for_function(
        "(fields) => Object.entries(fields).every(([name, value]) => webui.form.state.kept[name] === value)", arg=fields
    )


def eventually(page: Page, is_so: Callable[[], bool]) -> None:
    """Wait for something that the page does not show."""
    for _ in range(WAIT // 100):
        if is_so():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not come to be")


def picture(page: Page) -> str:
    """Address of the large picture, once it is there."""
    large = page.locator("#txt2img_gallery .plane .now")
    expect(large).to_have_attribute("src", re.compile(r"/pictures/\d+$"))
    return known(large.get_attribute("src"))
