"""Memory and time of large plots: `python -m benchmarks.plots`.

A plot of 1,000 cells of 64 x 64 is made by an engine whose back paints at once, opened and exported; and a sheet of
16,384 x 16,384 pixels is written. Each in a process of its own, whose peak the system reports (`ru_maxrss`).
"""

import argparse
import json
import resource
import tempfile
import time
from functools import partial
from pathlib import Path

from PIL import Image

from benchmarks.children import answer, measure
from tests.engine_bench import Library
from tests.painting import PaintingBack
from webui.api.page.plot_exports import page_file, sheet_file
from webui.domain.request import GenerationRequest
from webui.domain.saving import Saving
from webui.engine.engine import Engine
from webui.executors.inline import InlineExecutor
from webui.experiments.plans import started
from webui.experiments.script import Surroundings
from webui.imaging.png_rows import PngRows
from webui.imaging.sheet_strips import SheetStrips
from webui.jobs.store import JobStore
from webui.output.store import ImageStore

CASES = ("cells", "sheet")
COUNT = 1000
TARGET_MIB = 300  # more than one cell
SIDE, ACROSS = 512, 32  # of the large sheet: pixels of a cell, cells along each axis
TIMEOUT_SECONDS = 1800


def main() -> None:
    """Run each case and print what it took."""
    parser = argparse.ArgumentParser(description="Measure memory and time of large plots.")
    parser.add_argument("--case", choices=CASES, help="run this one alone, in this process")
    given = parser.parse_args()
    if given.case:
        answer(_cells() if given.case == "cells" else _sheet())
        return
    for case in CASES:
        print(case, json.dumps(measure("benchmarks.plots", "--case", case, timeout=TIMEOUT_SECONDS)), flush=True)
    print(f"target: under {TARGET_MIB} MiB more than one cell")


def _cells() -> dict[str, float]:
    """1,000 cells beside one, in MiB; seconds until it is made, opened and exported."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = Engine(
            partial(InlineExecutor, PaintingBack()), Library(folder / "models"),  # type: ignore[arg-type]
            JobStore(folder / "jobs.sqlite3"), ImageStore(folder / "outputs", Saving()), data_dir=folder,
        )  # fmt: skip
        _made(engine, "1", "1")
        before, found = _peak(), {}
        began = time.monotonic()
        plot_id = _made(engine, "1-40", "1-25")
        found["made_s"] = time.monotonic() - began
        began = time.monotonic()
        if (plot := engine.plots.find(plot_id)) is None:
            raise LookupError("the plot is gone")
        cells = engine.plots.cells(plot)
        found["opened_s"] = time.monotonic() - began
        if sum(cell.state == "there" for cell in cells) != COUNT:
            raise LookupError("cells are missing")
        for key, make in (("png_s", sheet_file), ("html_s", page_file)):
            began = time.monotonic()
            make(engine.plots, plot).unlink()
            found[key] = time.monotonic() - began
        engine.close()
        return {name: round(value, 2) for name, value in found.items()} | {"more_than_one_cell_mib": _peak() - before}


def _made(engine: Engine, seeds: str, steps: str) -> str:
    request = GenerationRequest(prompt="a cat", steps=1, width=64, height=64, checkpoint="tiny")
    axes = [{"id": "seed", "values": seeds}, {"id": "steps", "values": steps}]
    job = engine.experiment(started(json.dumps({"kind": "xyz", "axes": axes}), request, Surroundings()), save=True)
    job.result(TIMEOUT_SECONDS)
    return job.work.plot


def _sheet() -> dict[str, float]:
    """A sheet of noise, which compresses badly."""
    picture = Image.effect_noise((SIDE, SIDE), 80).convert("RGB")
    names = [str(number) for number in range(ACROSS)]
    sheet = SheetStrips(names, names, [""], (SIDE, SIDE), legend=False)
    before, began = _peak(), time.monotonic()
    with tempfile.TemporaryFile() as file:
        rows = PngRows(file, *sheet.size, {})
        for strip in sheet.strips(lambda x, y, z: picture):
            rows.write(strip)
        rows.close()
        size = file.tell() / 2**20
    seconds = round(time.monotonic() - began, 1)
    return {"pixels_a_side": sheet.size[0], "file_mib": round(size), "seconds": seconds, "more_mib": _peak() - before}


def _peak() -> int:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
