"""How soon suggestions are there after a key, among 140,000 tags, in a real browser: milliseconds from key to list.

A csv file with made-up tags in the proportions of danbooru's list (counts that fall off fast, two other names for every
second tag, some in Japanese) is read by the program's own reader, and the page's own scripts search in it. Each query
is typed letter by letter, as people do; a time is that of one letter. `python -m benchmarks.completion`, or
`python benchmarks/run.py completion`.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, sync_playwright

from benchmarks.page import FLAGS, chromium
from benchmarks.report import Row
from webui.library.tag_file import packed, read_tags

PART = "completion"
COUNT = 140_000
ROWS = 8
TARGET = 16.0  # milliseconds: one frame
QUERIES = (
    "long_hair", "looking at v", "blue eyes", "hatsune", "a girl with a red dress", "1boy", "fate (series)", "zqxzqx",
    "qwertyuiop", "ae", "ux", "初音", "very_long_name_that_no_tag_has", "standing on one leg", "xx_yy",
)  # fmt: skip
SITE = "http://completion.test/"
STATIC = Path(__file__).resolve().parents[1] / "webui" / "ui" / "static"
MEASURE = """async ([site, rows, queries]) => {
  const { TagList } = await import(`${site}tag_search.js`);
  const { placeAt, queries: asked } = await import(`${site}completion_place.js`);
  const { CompletionList } = await import(`${site}completion_list.js`);
  const text = await (await fetch(`${site}tags`)).text();
  const began = performance.now();
  const tags = new TagList(text);
  const read = performance.now() - began;
  const box = document.querySelector("textarea");
  const list = new CompletionList(box, () => {});
  const times = [];
  for (const query of [...queries, ...queries]) {
    for (let length = 1; length <= query.length; length += 1) {
      box.value = query.slice(0, length);
      box.setSelectionRange(length, length);
      const start = performance.now();
      const place = placeAt(box.value, length);
      let found = [];
      for (const one of place ? asked(place) : []) {
        found = tags.search(one.query, rows).map((row) => ({ kind: "tag", ...row }));
        if (found.length) break;
      }
      if (found.length) list.show(found, query, "danbooru");
      else list.close();
      list.list.offsetHeight; // laid out
      times.push(performance.now() - start);
      await new Promise((done) => setTimeout(done));
    }
  }
  return { read, size: tags.size, times: times.slice(times.length / 2) };
}"""


def rows() -> Iterator[Row]:
    """The times of keys, and how long the list takes to be read by server and browser."""
    with tempfile.TemporaryDirectory(prefix="webui-completion-") as folder:
        path = Path(folder, "danbooru.csv")
        path.write_text(made_up(COUNT), encoding="utf-8")
        began = time.perf_counter()
        content = packed(read_tags(path))
        server = (time.perf_counter() - began) * 1000
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
            page = browser.new_page()
            told = _measured(page, content)
            browser.close()
    times = sorted(told["times"])
    p95 = times[int(len(times) * 0.95)]
    note = f"{told['size']} tags, {len(times)} keys, median {statistics.median(times):.1f} ms"
    yield Row(PART, "a key: p95 until the list is laid out", p95, "ms", TARGET, spread=(times[0], times[-1]), note=note)
    yield Row(
        PART, "the list is read in the browser, once", told["read"], "ms", 500.0, note=f"{len(content) >> 10} KiB"
    )
    yield Row(PART, "the list is read and packed by the server, once", server, "ms", 5000.0)


def made_up(count: int) -> str:
    """A csv file with so many tags."""
    chance = random.Random(7)
    syllables = [first + second for first in "bcdfghjklmnprstvwyz" for second in ("a", "e", "i", "o", "u", "air", "en")]
    words = [
        "long",
        "hair",
        "blue",
        "eyes",
        "girl",
        "red",
        "dress",
        "hatsune",
        "looking",
        "at",
        "standing",
        "one",
        "leg",
    ]
    words += ["".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(20_000)]
    names: dict[str, None] = {}
    while len(names) < count:
        picked = [words[min(len(words) - 1, int(chance.paretovariate(0.3)))] for _ in range(chance.randint(1, 3))]
        name = "_".join(picked)
        if chance.random() < 0.2:
            name += f"_({chance.choice(words)})"
        names[name if name not in names else f"{name}_{chance.choice(words)}"] = None
    lines = []
    for place, name in enumerate(names):
        others = [chance.choice(words) + "_" + chance.choice(words) for _ in range(2 * (place % 2))]
        if place % 10 == 0:
            others.append("".join(chr(chance.randint(0x30A1, 0x30F6)) for _ in range(5)))
        lines.append(f'{name},{chance.choice((0, 0, 1, 3, 4, 5))},{int(6e6 / (place + 1)) + 20},"{",".join(others)}"')
    return "\n".join(lines)


def _measured(page: Page, content: bytes) -> dict[str, Any]:
    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(SITE)
        if name == "tags":
            route.fulfill(body=content, content_type="text/plain; charset=utf-8")
        elif name.endswith((".js", ".css")):
            kind = "text/javascript" if name.endswith(".js") else "text/css"
            route.fulfill(path=STATIC / name, content_type=kind)
        else:
            route.fulfill(body="<!doctype html><textarea rows=3 cols=80></textarea>", content_type="text/html")

    page.route("**/*", answer)
    page.goto(SITE)
    told: dict[str, Any] = page.evaluate(MEASURE, [SITE, ROWS, list(QUERIES)])
    return told


def main() -> None:
    """Print the numbers."""
    for row in rows():
        spread = f"({row.spread[0]:.1f} to {row.spread[1]:.1f})" if row.spread else ""
        print(f"{row.what:50} {row.value:8.1f} ms  {spread}  {row.note}")


if __name__ == "__main__":
    main()
