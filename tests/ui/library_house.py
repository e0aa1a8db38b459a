"""The page with its Library: a real index over a real folder, behind an engine that paints."""

import sqlite3
from collections.abc import Iterator
from colorsys import hsv_to_rgb
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.api.fakes import encode
from tests.ui.driving import WAIT, served
from tests.ui.fakes import FakeEngine
from tests.ui.settings_page import preferences_in
from tests.ui.visiting import forget, visit
from webui.api.application import create
from webui.api.page.library_door import LibraryDoor
from webui.api.parts import Parts
from webui.engine.indexing import indexing
from webui.gallery.gallery import Gallery
from webui.preferences.door import PreferencesDoor
from webui.preferences.presets import Presets
from webui.ui.mount import mount

DESKTOP, PHONE = (1440, 900), (390, 844)


@dataclass(frozen=True)
class LibraryHouse:
    """A served page, and what stands behind it."""

    address: str
    outputs: Path
    gallery: Gallery
    engine: FakeEngine

    def forget(self) -> None:
        """Be as at first: without pictures, and without folders of others."""
        self.engine.forget()
        self.gallery.scanner.wait(60)

        def change(connection: sqlite3.Connection) -> None:
            for table in ("words", "tags", "loras", "texts", "pictures", "traits"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("DELETE FROM folders WHERE own = 0")

        self.gallery.index.write(change)


@contextmanager
def library_house(folder: Path, port: int = 0) -> Iterator[LibraryHouse]:
    """The page over an empty outputs folder, on this port or on a free one."""
    outputs = folder / "outputs"
    outputs.mkdir()
    gallery = Gallery(folder / "data", outputs)
    engine = FakeEngine(outputs, on_picture=indexing(gallery))
    preferences = PreferencesDoor(
        preferences_in(folder), Presets(folder / "presets.json"), lambda client, headers: False
    )
    parts = Parts(engine=engine, encode=encode, library=LibraryDoor(gallery, engine), preferences=preferences)
    app = create(parts, with_api=False)
    app = mount(app, engine, temp_dir=folder / "temp", outputs_dir=outputs)
    try:
        with served(app, port) as address:
            yield LibraryHouse(address, outputs, gallery, engine)
    finally:
        engine.close()
        gallery.close()


@contextmanager
def opened(
    browser: Browser,
    house: LibraryHouse,
    *,
    size: tuple[int, int] = DESKTOP,
    tab: str = "library",
    theme: str = "dark",
    lasting: BrowserContext | None = None,
) -> Iterator[Page]:
    """A page at a tab; what its scripts complain of is checked at the end.

    Args:
        lasting: a context in which it is one of several visits, for a page that is no phone's; None: it has its own.
    """
    if lasting is None:
        page = browser.new_page(
            viewport={"width": size[0], "height": size[1]}, accept_downloads=True, has_touch=size == PHONE
        )
    else:
        page = visit(lasting, size)
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(f"{house.address}?tab={tab}&__theme={theme}")
    expect(page.locator("#tabs")).to_be_visible()  # it is hidden, though drawn, until all of it is there
    yield page
    if lasting is None:
        page.context.close()
    else:
        forget(lasting, house.address)
    assert faults == []


def landscape(hue: int, size: tuple[int, int] = (256, 256)) -> Image.Image:
    """A picture that can be told from others: a sky, a sun, and hills."""

    def colour(light: float, strength: float = 0.6) -> tuple[int, int, int]:
        red, green, blue = hsv_to_rgb(hue / 360, strength, light)
        return int(red * 255), int(green * 255), int(blue * 255)

    image = Image.new("RGB", size, colour(0.9, 0.4))
    draw = ImageDraw.Draw(image)
    width, height = size
    sun = (width * (hue % 7 + 1) // 9, height // 4)
    draw.ellipse((sun[0] - 18, sun[1] - 18, sun[0] + 18, sun[1] + 18), fill=colour(1.0, 0.1))
    for row in range(4):
        top = height // 2 + row * height // 9
        peaks = [(x, top - (x * (row + 3) * (hue + 7) % 37)) for x in range(0, width + 32, 32)]
        draw.polygon([(0, height), *peaks, (width, height)], fill=colour(0.7 - 0.15 * row))
    return image
