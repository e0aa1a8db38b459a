"""What it costs to record a run for the tab Learn: Stable Diffusion 1.5 in its real size with random weights, 20 steps
at 512 x 512, each in a process of its own. Time is the processor's, so that other programs count little.

By itself, for another checkpoint: `python -m benchmarks.looking CACHE CHECKPOINT off|on|places [STEPS SIDE]`.
"""

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.children import ROOT, answer, measure
from benchmarks.report import Row

PART = "learn"
STEPS = 20
SIDE = 512  # pixels
TIME_TARGET, MEMORY_TARGET = 25.0, 1024.0  # percent of a run's time, MiB
HOUR = 3600.0  # seconds that one process may take
MODES = ("off", "on", "places")  # `places`: self-attention, too
MIB = 2**20


def rows(cache: Path, checkpoint: Path) -> Iterator[Row]:
    """Each mode in a process of its own."""
    found: dict[str, dict[str, float]] = {
        mode: measure(__name__, cache, checkpoint, mode, timeout=HOUR) for mode in MODES
    }
    off = found["off"]
    yield Row(PART, "a run that is not recorded", off["seconds"], "s", note="processor time")
    for mode, what in (("on", "recorded"), ("places", "recorded, with self-attention")):
        one = found[mode]
        share = 100 * (one["seconds"] / off["seconds"] - 1)
        yield Row(PART, f"{what}: more time", share, "%", target=TIME_TARGET)
        yield Row(PART, f"{what}: more memory at the peak", one["peak"] - off["peak"], "MiB", target=MEMORY_TARGET)
        yield Row(PART, f"{what}: kept in the front", one["kept"], "MiB", target=64)


def main(cache: Path, checkpoint: Path, mode: str, steps: int = STEPS, side: int = SIDE) -> None:
    """One run in this process, after a shorter one that loads everything."""
    import torch

    from webui.domain.request import GenerationRequest
    from webui.domain.settings import BackSettings
    from webui.processing.back import build

    torch.set_num_threads(1)
    config = BackSettings(
        models_dir=checkpoint.parents[1], data_dir=cache / "learn", extensions_dir=ROOT / "extensions", device="cpu",
        precision="fp32", threads=1,
    )  # fmt: skip
    back = build(config)
    options = {"off": {}, "on": {"enabled": True}, "places": {"enabled": True, "self_attention": True}}[mode]
    request = GenerationRequest(
        prompt="a red circle to the left of a blue square", checkpoint=checkpoint.stem, sampler="Euler", steps=steps,
        width=side, height=side, seed=1, extensions={"run_recorder": options} if options else {},
    )  # fmt: skip
    back.run(request.with_(steps=1, width=64, height=64), _keeping())
    kept = _keeping()
    began = time.process_time()
    back.run(request, kept)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answer({"seconds": seconds, "peak": peak, "kept": sum(kept.sizes.values()) / MIB})


def _keeping() -> Any:
    """A reporter that counts what is recorded."""
    from tools.train_mini.evaluate import Quiet
    from webui.domain.recording import RecordedPart

    class Counting(Quiet):
        def __init__(self) -> None:
            self.sizes: dict[str, int] = {}

        def recorded(self, part: RecordedPart) -> None:
            self.sizes[part.name] = len(part.data)

    return Counting()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
