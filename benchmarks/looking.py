"""What it costs to record a run for the tab Learn: Stable Diffusion 1.5 in its real size with random weights, 20 steps
at 512 x 512, on one thread.

Of each run the first steps are made, then it is interrupted; runs that are recorded and runs that are not alternate in
one process. Of 20 steps five are looked at closely (the activations), of which the first is one; so a whole run is
counted as five times the first step and fifteen times a later one. Time is the processor's, so that other programs
count little; the peak of memory is reset before each run.

By itself, for another checkpoint: `python -m benchmarks.looking CACHE CHECKPOINT PRECISION MADE [SIDE]`.
"""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from benchmarks.children import ROOT, answer, measure
from benchmarks.report import Row
from webui.domain.settings import Precision

PART = "learn"
STEPS = 20
CLOSE = 5  # steps that are looked at closely
MADE = 2  # steps of each run
SIDE = 512  # pixels
TIME_TARGET, MEMORY_TARGET = 25.0, 1024.0  # percent of a run's time, MiB
LIMIT = 900.0  # seconds that the process may take
MODES: Mapping[str, Mapping[str, Any]] = {
    "off": {}, "on": {"enabled": True}, "places": {"enabled": True, "self_attention": True},
}  # fmt: skip
ORDER = ("off", "on", "places", "on", "off")
MIB = 2**20


def rows(cache: Path, checkpoint: Path) -> Iterator[Row]:
    """All runs in one process."""
    found = measure(__name__, cache, checkpoint, "bf16", str(MADE), timeout=LIMIT)
    off = found["off"]
    note = f"processor time, from the first {MADE} steps"
    yield Row(PART, f"{STEPS} steps that are not recorded", off["seconds"], "s", note=note)
    for mode, what in (("on", "recorded"), ("places", "recorded, with self-attention")):
        one = found[mode]
        share = 100 * (one["seconds"] / off["seconds"] - 1)
        yield Row(PART, f"{what}: more time", share, "%", target=TIME_TARGET, note=note)
        yield Row(PART, f"{what}: more memory at the peak", one["peak"] - off["least"], "MiB", target=MEMORY_TARGET)
        yield Row(PART, f"{what}: kept in the front", one["kept"], "MiB", target=64)


def main(cache: Path, checkpoint: Path, precision: Precision, made: int, side: int = SIDE) -> None:
    """The runs, after a shorter one that loads everything."""
    import torch

    from webui.domain.request import GenerationRequest
    from webui.domain.settings import BackSettings
    from webui.processing.back import build

    torch.set_num_threads(1)
    config = BackSettings(
        models_dir=checkpoint.parents[1], data_dir=cache / "learn", extensions_dir=ROOT / "extensions", device="cpu",
        precision=precision, threads=1,
    )  # fmt: skip
    back = build(config)
    request = GenerationRequest(
        prompt="a red circle to the left of a blue square", checkpoint=checkpoint.stem, sampler="Euler", steps=STEPS,
        width=side, height=side, seed=1,
    )  # fmt: skip
    back.run(request.with_(steps=1, width=64, height=64, extensions={"run_recorder": MODES["on"]}), _watch(1))
    runs: dict[str, list[tuple[list[float], float, float]]] = defaultdict(list)
    for mode in ORDER:
        seen = _watch(made)
        _forget_peak()
        back.run(request.with_(extensions={"run_recorder": MODES[mode]} if MODES[mode] else {}), seen)
        times = [later - before for before, later in zip(seen.at, seen.at[1:], strict=False)]
        runs[mode].append((times, _peak(), sum(seen.sizes.values()) / MIB * STEPS / made))
        sys.stderr.write(f"{mode}: {' '.join(f'{one:.2f}' for one in times)} s, peak {_peak():.0f} MiB\n")
    answer({mode: _whole_run(several) for mode, several in runs.items()})


def _whole_run(runs: list[tuple[list[float], float, float]]) -> dict[str, float]:
    """What all steps take, the highest and the lowest peak of memory in MiB, and what is kept in MiB."""
    first = statistics.mean(times[0] for times, _, _ in runs)
    later = statistics.mean(one for times, _, _ in runs for one in times[1:])
    seconds = CLOSE * first + (STEPS - CLOSE) * later
    peaks = [peak for _, peak, _ in runs]
    return {"seconds": seconds, "peak": max(peaks), "least": min(peaks), "kept": max(kept for *_, kept in runs)}


def _forget_peak() -> None:
    """Let the peak of memory begin at what is used now."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> float:
    """MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _watch(made: int) -> Any:
    """A reporter that notes when each step ends, counts what is recorded, and stops a run after some steps."""
    from tools.train_mini.evaluate import Quiet
    from webui.domain.recording import RecordedPart
    from webui.domain.result import Progress

    class Watch(Quiet):
        def __init__(self) -> None:
            self.at: list[float] = []
            self.sizes: dict[str, int] = {}
            self._step = -1

        def progress(self, progress: Progress) -> None:
            if progress.phase == "sampling" and progress.step > self._step:
                self._step = progress.step
                self.at.append(time.process_time())

        def recorded(self, part: RecordedPart) -> None:
            self.sizes[part.name] = len(part.data)

        def stopped(self) -> str:
            return "interrupt" if self._step >= made else ""

    return Watch()


if __name__ == "__main__":
    _, folder, file, numbers, *rest = sys.argv
    chosen = next(one for one in get_args(Precision) if one == numbers)
    main(Path(folder), Path(file), chosen, *map(int, rest))
