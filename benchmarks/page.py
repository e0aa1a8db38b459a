"""How soon the page can be used in a browser: requests, bytes on the wire, and seconds until a typed prompt is sent.

The program is started as users start it, with the miniature of its checkout, and Chromium opens the page with an empty
cache. In the page a script looks at each frame whether the prompt is there; then it types one and clicks Generate,
until a request that holds the typed words leaves. That request is kept from the server, so no picture takes the
processor. What a stream sends that stays open is not in the bytes.

    python benchmarks/page.py [CHECKOUT ...]

Each further checkout (a folder with another version of this project) is measured in turn with this one, round by round.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, sync_playwright

if not __package__:  # started as a script: Python has put this folder where the project's should be
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.children import ROOT, ChildFailed, environment  # needs the line above
from benchmarks.report import Row

PART = "page"
ROUNDS = 5  # after one that is thrown away: it fills the server's caches
TARGET = 2.0  # seconds, on two quiet cores
PATIENCE = 120.0  # seconds
QUIET = 1500  # milliseconds without a request, after which the page counts as loaded
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--headless=new", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WORDS = "words that only the benchmark types"
WATCH = """
(() => {
  const words = WORDS;
  const own = window.fetch;
  window.fetch = (address, more = {}) => {
    if (!String(more.body ?? "").includes(words)) return own(address, more);
    window.usable ??= performance.now();
    return new Promise(() => {});
  };
  let clicked = 0;
  const look = () => {
    const box = document.querySelector("#txt2img_prompt textarea");
    const button = document.querySelector("#txt2img_generate");
    const seen = (one) => one?.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !one.disabled;
    if (seen(box) && seen(button) && performance.now() > clicked + 100) {
      window.seen ??= performance.now();
      box.value = words;
      box.dispatchEvent(new InputEvent("input", { bubbles: true }));
      clicked = performance.now();
      setTimeout(() => button.click());
    }
    if (window.usable === undefined) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
""".replace("WORDS", json.dumps(WORDS))


@dataclass
class Wire:
    """What a page has asked for, as the browser's own network panel counts it."""

    requests: int = 0
    encoded: int = 0
    last: float = field(default_factory=time.monotonic)
    _counted: set[str] = field(default_factory=set)

    def listen(self, session: CDPSession) -> None:
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.dataReceived", self._data)
        session.on("Network.responseReceived", self._response)
        session.on("Network.loadingFinished", self._finished)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": False})

    def _sent(self, told: dict[str, Any]) -> None:
        if told["request"]["url"].startswith("http"):
            self._counted.add(told["requestId"])
            self.requests += 1
            self.last = time.monotonic()

    def _data(self, told: dict[str, Any]) -> None:
        self.last = time.monotonic()

    def _response(self, told: dict[str, Any]) -> None:
        self.last = time.monotonic()

    def _finished(self, told: dict[str, Any]) -> None:
        if told["requestId"] in self._counted:
            self.encoded += int(told["encodedDataLength"])


@dataclass(frozen=True, slots=True)
class Visit:
    """One opening of the page.

    Attributes:
        seen: seconds until prompt and Generate are in view.
        usable: seconds until Generate has sent what was typed.
        script: seconds that the page's scripts and layout had the processor until it was loaded.
        encoded: bytes on the wire, headers and packed bodies.
    """

    seen: float
    usable: float
    script: float
    requests: int
    encoded: int


def visit(browser: Browser, address: str) -> Visit:
    """Open the page with an empty cache.

    Raises:
        ChildFailed: it cannot be used in time.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    session, wire = context.new_cdp_session(page), Wire()
    wire.listen(session)
    session.send("Performance.enable")
    page.goto(address, wait_until="commit")
    end = time.monotonic() + PATIENCE
    while page.evaluate("window.usable === undefined") or time.monotonic() - wire.last < QUIET / 1000:
        if time.monotonic() > end:
            raise ChildFailed(f"{address} could not be used after {PATIENCE:.0f} s")
        page.wait_for_timeout(100)
    spent = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    seen, usable = (float(page.evaluate(f"window.{name}")) / 1000 for name in ("seen", "usable"))
    context.close()
    return Visit(seen, usable, spent["TaskDuration"], wire.requests, wire.encoded)


def rows(checkouts: Sequence[Path] = ()) -> Iterator[Row]:
    """Measure this version and others in turn."""
    places = [ROOT, *checkouts]
    with sync_playwright() as playwright, contextlib.ExitStack() as stack:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        stack.callback(browser.close)
        addresses = [stack.enter_context(_program(place)) for place in places]
        found: list[list[Visit]] = [[] for _ in places]
        for turn in range(ROUNDS + 1):
            for address, visits in zip(addresses, found, strict=True):
                one = visit(browser, address)
                if turn:
                    visits.append(one)
    for place, visits in zip(places, found, strict=True):
        name = "this version" if place == ROOT else place.name
        for what, key, unit, target in (
            ("usable after", "usable", "s", TARGET if place == ROOT else None),
            ("in view after", "seen", "s", None),
            ("processor of the page", "script", "s", None),
            ("requests", "requests", "", None),
            ("bytes on the wire", "encoded", "B", None),
        ):
            values = [float(getattr(one, key)) for one in visits]
            base = statistics.median(float(getattr(one, key)) for one in found[0])
            middle = statistics.median(values)
            note = "" if place == ROOT else f"{base / middle:.2f} of it here"
            yield Row(PART, f"{name}: {what}", middle, unit, target, spread=(min(values), max(values)), note=note)


@contextlib.contextmanager
def _program(checkout: Path) -> Iterator[str]:
    """The program of a checkout in folders of its own, with its miniature; ended as Ctrl+C would end it."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="webui-page-") as name, Path(name, "log").open("w+b") as log:
        command = [
            sys.executable, "-m", "webui", "--port", str(port), "--data-dir", f"{name}/data", "--outputs-dir",
            f"{name}/outputs",
        ]  # fmt: skip
        variables = environment() | {"PYTHONPATH": str(checkout)}
        process = subprocess.Popen(command, env=variables, cwd=checkout, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}/"
            _until_there(process, address, log.name)
            yield address
        finally:
            process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_there(process: "subprocess.Popen[bytes]", address: str, log: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as page:
                page.read()
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise ChildFailed(f"{address} did not answer:\n{Path(log).read_text('utf-8', 'replace')[-2000:]}")


def chromium() -> str:
    """The browser's program. Raises ChildFailed where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise ChildFailed(f"none of {', '.join(BROWSERS)} is on the PATH; install Chromium")
    return found


if __name__ == "__main__":
    from benchmarks.report import table

    print(table(list(rows([Path(one).resolve() for one in sys.argv[1:]]))))
