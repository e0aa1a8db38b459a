"""How soon the Library answers among 100,000 pictures, in milliseconds of processor time: pages, jumps and facets.

The index is filled at once, without files: `python benchmarks/run.py library`, or alone
`python -m benchmarks.library_search`.
"""

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.report import Row
from webui.gallery.gallery import Gallery
from webui.gallery.searching import Query

PART = "library"
COUNT = 100_000
PROJECT = 200  # pictures
REPEATS = 5
TARGET = 100.0  # milliseconds
MODELS = tuple(f"model_{number}" for number in range(20))
SAMPLERS = ("Euler a", "DPM++ 2M", "DDIM", "UniPC")
SIZES = ((512, 512), (512, 768), (1024, 1024), (832, 1216))
LORAS = ("", "ink", "film", "film\nink", "neon")
WORDS = tuple(f"word{number}" for number in range(2000))
QUERIES = (
    Query(),
    Query("castle"),  # in every second picture
    Query('"old town" -river', sort="rating"),
    Query("word77 word78"),
    Query("checkpoint:model_3 rating:>=3", sort="size"),
    Query("lora:ink castle", sort="oldest"),
)


def rows() -> Iterator[Row]:
    """A row for each query and each thing that is asked."""
    with tempfile.TemporaryDirectory(prefix="webui-library-") as folder:
        gallery = Gallery(Path(folder, "data"), Path(folder, "outputs"))
        gallery.index.write(fill)
        for query in QUERIES:
            name = f"{query.text or 'everything'}, {query.sort}"
            found = gallery.search.page(query).total
            yield _row(f"page: {name}", partial(gallery.search.page, query), f"{found} found")
            yield _row(f"jumps: {name}", partial(gallery.search.anchors, query), "")
            yield _row(f"facets: {name}", partial(gallery.search.facets, query), "")
        gallery.close()


def _row(what: str, ask: Callable[[], object], note: str) -> Row:
    ask()
    times = []
    for _ in range(REPEATS):
        began = time.thread_time()
        ask()
        times.append((time.thread_time() - began) * 1000)
    return Row(PART, what, statistics.median(times), "ms", TARGET, spread=(min(times), max(times)), note=note)


def fill(connection: sqlite3.Connection) -> None:
    """Put the rows in, with the proportions of a library that grew over years."""
    chance = random.Random(7)
    traits: dict[tuple[str, ...], int] = {}
    pictures, texts, loras, tags = [], [], [], []
    model = sampler = lora = ""
    for number in range(1, COUNT + 1):
        width, height = chance.choice(SIZES)
        if number % PROJECT == 1:  # what somebody works on for some days has one style
            model, sampler, lora = chance.choice(MODELS), chance.choice(SAMPLERS), chance.choice(LORAS)
        month = f"{2023 + (number - 1) * 36 // COUNT // 12}-{(number - 1) * 36 // COUNT % 12 + 1:02}"
        trait = (
            model, sampler, "Karras", chance.choice(("txt2img", "img2img")), "webui", f"{width}x{height}", month, lora,
        )  # fmt: skip
        words = [*chance.choices(WORDS, k=20), *chance.choices(("castle", "old town", "river"), k=2)]
        key = traits.setdefault(trait, len(traits) + 1)
        rating = chance.choice((0,) * 9 + (3, 5))
        pictures.append(
            (number, 1, f"{month}/{number:06}.png", 10**6, number, f"{number:032x}", width, height, width * height,
             1.6e9 + number * 600 + chance.random(), key, rating, str(chance.randrange(2**32)), 30.0, 7.0)
        )  # fmt: skip
        texts.append((number, ", ".join(words), "lowres, blurry"))
        loras += [(number, name) for name in lora.split("\n") if name]
        tags += [(number, "finished")] if chance.random() < 0.05 else []
    connection.executemany(
        "INSERT INTO traits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(key, *trait) for trait, key in traits.items()]
    )
    connection.executemany(
        "INSERT INTO pictures (id, folder, place, bytes, modified, digest, width, height, area, created, trait, rating,"
        " seed, steps, cfg_scale) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        pictures,
    )
    connection.executemany("INSERT INTO texts (picture, prompt, negative) VALUES (?, ?, ?)", texts)
    connection.executemany("INSERT INTO loras VALUES (?, ?)", loras)
    connection.executemany("INSERT INTO tags VALUES (?, ?)", tags)
    connection.executemany(
        "INSERT INTO words (rowid, prompt, negative, name, notes, tags) VALUES (?, ?, ?, ?, '', '')",
        [(number, prompt, negative, f"{number:06}.png") for number, prompt, negative in texts],
    )


def main() -> None:
    """Print the numbers."""
    for row in rows():
        print(
            f"{row.what:60} {row.value:7.1f} ms  ({row.spread[0]:.1f} to {row.spread[1]:.1f})  {row.note}"
            if row.spread
            else row
        )


if __name__ == "__main__":
    main()
