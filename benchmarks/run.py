"""The command line of the benchmarks: `python benchmarks/run.py PART ...`, where each PART is one of PARTS, or all.

Prints a table and keeps it in results.json beside this file. The module of each part says what it measures.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

if not __package__:  # started as a script: Python has put this folder where the project's should be
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import report, startup  # needs the line above
from benchmarks.children import ChildFailed, measure

PARTS = (
    "startup", "loading", "loop", "networks", "control", "memory",
    "step", "polling", "busy", "library", "page", "sheet", "cards", "completion", "learn",
)  # fmt: skip
OTHER_NAMES = {"poll": "polling"}
RESULTS = Path(__file__).with_name("results.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; 0 when all could be measured, whether or not they met their targets."""
    given = _parser().parse_args(arguments)
    cache: Path = given.cache.resolve()
    where = report.machine()
    print(f"{where.processor}, {where.cores} cores, torch {where.packages['torch']}, load {where.load_average}")
    print(f"models with random weights in {cache} (2.2 GB, made once)", flush=True)
    files: dict[str, str] = measure("benchmarks.models", cache)
    found: list[report.Row] = []
    failed = False
    asked = [OTHER_NAMES.get(part, part) for part in given.parts]
    for part in PARTS if "all" in given.parts else asked:
        began = time.monotonic()
        try:
            found += _rows(part, cache, files)
        except ChildFailed as error:
            print(f"{part}: {error}", file=sys.stderr)
            failed = True
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
    print(report.table(found))
    report.keep(given.results, found, where)
    return 1 if failed else 0


def _rows(part: str, cache: Path, files: dict[str, str]) -> Iterator[report.Row]:
    """The numbers of a part. Only the parts that are run load torch."""
    full, tiny = Path(files["sd15"]), Path(files["tiny"])
    if part == "startup":
        yield from startup.rows(tiny.parents[1])
    elif part == "polling":
        from benchmarks import polling

        yield from polling.rows()
    elif part == "library":
        from benchmarks import library_search

        yield from library_search.rows()
    elif part == "completion":
        from benchmarks import completion

        yield from completion.rows()
    elif part == "page":
        from benchmarks import page

        yield from page.rows()
    elif part == "sheet":
        from benchmarks import sheet

        yield from sheet.rows()
    elif part == "cards":
        from benchmarks import cards

        yield from cards.rows()
    elif part == "loading":
        from benchmarks import loading

        yield from loading.rows(cache, full)
    elif part == "loop":
        from benchmarks import loop

        yield from loop.rows(cache)
    elif part == "networks":
        from benchmarks import networks

        yield from networks.rows(cache, full)
    elif part == "control":
        from benchmarks import control

        yield from control.rows(cache, full)
    elif part == "busy":
        from benchmarks import busy

        yield from busy.rows(cache)
    elif part == "learn":
        from benchmarks import looking

        yield from looking.rows(cache, full)
    elif part == "memory":
        from benchmarks import memory

        yield from memory.rows(cache)
    else:
        from benchmarks import step

        yield from step.rows(cache, full)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure speed and memory of this program, beside diffusers.")
    names = (*PARTS, *OTHER_NAMES, "all")
    parser.add_argument("parts", nargs="*", choices=names, default=["all"], metavar="PART", help=", ".join(names))
    default = Path(tempfile.gettempdir()) / "webui-benchmarks"
    parser.add_argument("--cache", type=Path, default=default, help=f"for the models (default: {default})")
    parser.add_argument("--results", type=Path, default=RESULTS, help="default: results.json beside this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
