"""What a machine costs that other programs keep busy: the same run of the tiny model with and without them.

Two processes stay loaded and run in turn: one waits for its threads as the program's worker does, one as torch does by
itself. Programs that only compute are then started, one for each core, and both run again.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.children import ROOT, ChildFailed, environment
from benchmarks.models import TINY
from benchmarks.report import Row
from webui.hardware.processors import WAITING, usable_cores

PART = "busy"
ROUNDS = 3
STEPS = 2
SIDE = 128  # pixels
OURS, PLAIN = "ours", "torch's own waiting"
TARGET = 3.0  # a fair share beside one busy program a core is half of the machine: 2


def rows(cache: Path) -> Iterator[Row]:
    """Wall time, since that is what other programs change; quiet and busy rounds in turn."""
    cores = usable_cores()
    times: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as until_the_end:
        runs = {OURS: _Runner(cache, WAITING, cores), PLAIN: _Runner(cache, {}, cores)}
        for run in runs.values():
            until_the_end.callback(run.close)
        for _ in range(ROUNDS):
            for state, hogs in (("as it is", 0), ("busy", cores)):
                with _busy(hogs):
                    for name, run in runs.items():
                        times.setdefault((state, name), []).append(run.seconds())
    load = f"{cores} threads, {STEPS} steps of {SIDE}x{SIDE}, load {os.getloadavg()[0]:.1f}"
    for (state, name), values in times.items():
        spread = (min(values), max(values))
        yield Row(PART, f"machine {state}, {name}", statistics.median(values), "s", spread=spread, note=load)
    for name, target in ((OURS, TARGET), (PLAIN, None)):
        ratios = [busy / before for busy, before in zip(times["busy", name], times["as it is", name], strict=True)]
        yield _ratio(f"{cores} busy programs more, {name}: time over before", ratios, target)
    gains = [plain / ours for plain, ours in zip(times["busy", PLAIN], times["busy", OURS], strict=True)]
    yield _ratio("busy machine, torch's own waiting over ours", gains)


def _ratio(what: str, ratios: list[float], target: float | None = None) -> Row:
    spread = (min(ratios), max(ratios))
    return Row(PART, what, statistics.median(ratios), "x", target=target, spread=spread, note="wall time")


class _Runner:
    """A process that has loaded the model and runs it once each time it is asked."""

    def __init__(self, cache: Path, waiting: Mapping[str, str], threads: int) -> None:
        ours = {name: value for name, value in environment().items() if name not in WAITING}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(cache), str(threads)], env={**ours, **waiting}, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.seconds()  # the first run is warming up

    def seconds(self) -> float:
        """Wall seconds of one run."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ChildFailed("the process has no pipes")
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        if not told:
            raise ChildFailed("the process that runs the model has ended")
        return float(told)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def _busy(programs: int) -> Iterator[None]:
    """While entered, so many programs compute all the time."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(programs)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def main(cache: Path, threads: int) -> None:
    """Run the tiny model once for each line of standard input, and answer with the seconds."""
    import torch

    from benchmarks.loop import sampler
    from benchmarks.models import models_dir
    from webui.library.library import ModelLibrary
    from webui.weights.families.registry import FAMILIES
    from webui.weights.load import load_model

    torch.set_num_threads(threads)
    library = ModelLibrary(models_dir(TINY, cache), cache / "library", FAMILIES)
    with torch.inference_mode():
        model = load_model(library, library.checkpoints()[0], None, torch.device("cpu"), torch.float32)
        run = sampler(model.unet, model.spec.unet.context_width, steps=STEPS, side=SIDE)
        for _ in sys.stdin:
            began = time.monotonic()
            run()
            sys.stdout.write(f"{time.monotonic() - began}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
