"""A bare page with nothing but the canvas, served without Gradio, and the pixels that are on it."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page

from tests.ui.visiting import forget, visit
from webui.ui import __file__ as ui_file

STATIC = Path(ui_file).parent / "static"
PAGE = """<!doctype html><html lang="en" data-theme="dark" data-mode="inpaint"><head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><title>Canvas</title>
<link rel="stylesheet" href="tokens.css"><link rel="stylesheet" href="canvas.css">
<style>html, body, #stage { margin: 0; height: 100%; background: #000; font: 13px sans-serif }</style></head>
<body><div id="stage"><div class="own canvas"></div></div><script type="module">
  window.webui = { base: document.baseURI };
  window.sent = [];
  const upload = async (file) => {
    const path = `/uploads/${window.sent.length}/${file.name}`;
    window.sent.push({ path, name: file.name, bytes: [...new Uint8Array(await file.arrayBuffer())] });
    return { path, url: "there" };
  };
  window.bus = await import("./bus.js");
  window.notices = [];
  window.bus.hear("notice", (notice) => window.notices.push(notice.text));
  const { mount } = await import("./canvas.js");
  window.canvas = mount({ element: document.querySelector(".own.canvas"), upload, props: {}, watch() {} });
  document.documentElement.dataset.ready = "yes";
</script></body></html>"""


class Handler(http.server.SimpleHTTPRequestHandler):
    """The folder `static`, the page, and an answer that an upload is still there."""

    asked: list[str]

    def __init__(self, *args: Any, asked: list[str], pictures: dict[str, bytes], **more: Any) -> None:
        self.asked = asked
        self.pictures = pictures
        super().__init__(*args, directory=str(STATIC), **more)

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.lstrip("/").partition("?")[0]
        if not name:
            self._answer(PAGE.encode(), "text/html")
        elif name in self.pictures:
            self._answer(self.pictures[name], "image/png")
        else:
            super().do_GET()

    def _answer(self, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Site:
    """Serves the page; `asked` are the addresses that were asked for, `pictures` are files of the server."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.pictures: dict[str, bytes] = {}
        handler = functools.partial(Handler, asked=self.asked, pictures=self.pictures)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@contextlib.contextmanager
def visiting(context: BrowserContext, site: Site, size: tuple[int, int] = (900, 700)) -> Iterator[Page]:
    """The page in the tab of a context, without what earlier visits kept; faults in its scripts fail the test."""
    site.asked.clear()
    site.pictures.clear()
    page = visit(context, size)
    page.set_default_timeout(30_000)
    faults: list[str] = []

    def note_fault(error: Error) -> None:
        faults.append(str(error))

    def note_console(said: ConsoleMessage) -> None:
        if said.type == "error":
            faults.append(said.text)

    page.on("pageerror", note_fault)
    page.on("console", note_console)
    page.goto(site.address)
    page.wait_for_function("document.documentElement.dataset.ready")
    yield page
    page.remove_listener("pageerror", note_fault)
    page.remove_listener("console", note_console)
    forget(context, site.address)
    assert faults == []


def spot(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the picture is in the window."""
    box = page.locator(".canvas-picture").bounding_box()
    assert box is not None
    width = page.locator(".canvas-picture").evaluate("(image) => image.naturalWidth")
    scale = box["width"] / width
    return box["x"] + x * scale, box["y"] + y * scale


def stroke(page: Page, *points: tuple[float, float]) -> None:
    """A line with the mouse through points of the picture."""
    page.mouse.move(*spot(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*spot(page, *point), steps=6)
    page.mouse.up()
