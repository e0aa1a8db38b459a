"""A page with nothing on it but the scripts of `webui/ui/static`, for tests of single scripts without a server.

The scripts are joined as the program joins them: one file is asked for instead of fifty.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route

from webui.ui.assets import KINDS, Assets
from webui.ui.mount import read_assets

ORIGIN = "http://bare.test/"
STYLES = ("tokens.css", "controls.css", "stage.css", "strip.css", "queue_panel.css")

# In place of the browser's own: what the test says is what the server sends.
FAKE_STREAM = """
window.streams = [];
window.EventSource = class extends EventTarget {
  constructor(address) { super(); this.address = address; this.isClosed = false; window.streams.push(this); }
  close() { this.isClosed = true; }
};
window.streamNow = () => window.streams.findLast((one) => !one.isClosed);
window.sent = (name, data) =>
  window.streamNow().dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
window.broken = () => window.streamNow().onerror(new Event("error"));
"""


@cache
def assets() -> Assets:
    """The files of the page."""
    return read_assets({})


@contextmanager
def bare_page(
    browser: Browser, *, body: str = "", width: int = 1000, height: int = 700, pictures: bytes = b""
) -> Iterator[Page]:
    """A page at `ORIGIN` that can import the scripts; what goes wrong in them fails the test at the end.

    Args:
        body: HTML inside `<body>`.
        pictures: the PNG that every address below `picture/` answers.
    """
    links = "".join(f'<link rel="stylesheet" href="static/{name}">' for name in STYLES)
    html = (
        f"<!doctype html><html data-theme=dark data-mode=txt2img><head>{links}</head><body style='margin:0'>"
        f"<div id=stage style='position:relative;width:{width}px;height:{height}px'>{body}</div></body></html>"
    )

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
        if not path:
            route.fulfill(body=html, content_type="text/html")
        elif path.startswith("picture/"):
            route.fulfill(body=pictures, content_type="image/png")
        elif path.startswith("static/") and (name := path.removeprefix("static/")) in assets().files:
            route.fulfill(body=assets().files[name], content_type=KINDS[Path(name).suffix])
        elif route.request.method == "POST":
            route.fulfill(json={})
        else:
            route.fulfill(status=404, body="")

    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(error.stack or str(error)))
    page.route(f"{ORIGIN}**", answer)
    page.add_init_script(f"{FAKE_STREAM}; window.webui = {{base: {json.dumps(ORIGIN)}}};")
    page.goto(ORIGIN)
    try:
        yield page
    finally:
        context.close()
    assert faults == [], "; ".join(faults)


def call(page: Page, script: str, body: str, argument: Any = None) -> Any:
    """What a function body answers in the page; it has `module`, the script of that name, and `argument`."""
    return page.evaluate(
        f"async ([address, argument]) => {{ const module = await import(address); {body} }}",
        [f"{ORIGIN}static/{script}", argument],
    )


def job_row(job_id: str, state: str = "waiting", **more: Any) -> dict[str, Any]:
    """A job as the server sends it."""
    return {
        "id": job_id, "kind": "txt2img", "title": f"a cat, {job_id}", "facts": "512 × 512 · 20 steps", "state": state,
        "mine": True, "position": 0 if state == "waiting" else None, "reason": "", "pictures": 0, "expected": 1,
        "thumb": None, "created": 1.0, "forever": False, **more,
    }  # fmt: skip


def job_picture(job_id: str, index: int = 0, **more: Any) -> dict[str, Any]:
    """A picture as the server sends it."""
    return {
        "id": f"{job_id}/{index}", "job": job_id, "index": index, "url": f"picture/{job_id}/{index}",
        "thumb": f"picture/{job_id}/{index}/thumb", "width": 512, "height": 512, "seed": 7 + index,
        "text": f"a cat, {job_id}\nSteps: 20, Seed: {7 + index}", "kind": "txt2img", "created": 1.0, "grid": False,
        **more,
    }  # fmt: skip


def whole_state(
    jobs: list[dict[str, Any]] | None = None, history: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """The first event of a stream."""
    return {
        "server": "one", "paused": False, "reason": "", "jobs": jobs or [], "history": history or [], "more": False,
        "forever": False, **more,
    }  # fmt: skip


def job_progress(job_id: str, fraction: float, **more: Any) -> dict[str, Any]:
    """How far a job is, as the server sends it."""
    return {
        "id": job_id, "fraction": fraction, "step": round(fraction * 20), "steps": 20, "phase": "sampling", "image": 1,
        "images": 1, "seconds_left": 3.2, "preview": None, **more,
    }  # fmt: skip
