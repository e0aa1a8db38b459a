"""Seconds a step of full-size SD1.5 with guidance (two rows): `--precision auto` beside diffusers in fp32 and bf16."""

import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from benchmarks.alternating import alternately
from benchmarks.children import answer, measure
from benchmarks.models import FULL, diffusers_folder, models_dir
from benchmarks.report import Row
from webui.library.library import ModelLibrary
from webui.sampling.steps import ModelCall, Step
from webui.weights.families.registry import FAMILIES
from webui.weights.kernel_choice import settled
from webui.weights.load import load_model
from webui.weights.precision import allow_fast_products, resolve
from webui.weights.speed import speed_up

PART = "step"
ROUNDS: Mapping[int, int] = {256: 4, 512: 2}  # pixels a side -> repeats
TARGET = 3.3  # over diffusers in fp32; where bf16 computes at most twice as fast as fp32, it cannot be met exactly
TIMESTEP = 500.0
OURS, FP32, BF16 = "ours", "diffusers fp32", "diffusers bf16"
Run = Callable[[], Tensor]


def rows(cache: Path, checkpoint: Path) -> Iterator[Row]:
    """Measured in one process, alternately."""
    found = measure(__name__, cache, checkpoint)
    for side, times in found["times"].items():
        for name, values in times.items():
            label = f"ours ({found['dtype']})" if name == OURS else name
            spread = (min(values), max(values))
            yield Row(PART, f"{side}x{side}, {label}", statistics.median(values), "s", spread=spread)
        for name, target in ((FP32, TARGET), (BF16, 1.0)):
            ratios = [there / here for there, here in zip(times[name], times[OURS], strict=True)]
            yield Row(
                PART, f"{side}x{side}, speed-up over {name}", statistics.median(ratios), "x", target=target,
                at_least=True, spread=(min(ratios), max(ratios)), note="CPU time, 1 thread, alternated",
            )  # fmt: skip
        for name in (OURS, BF16):
            error = found["errors"][side][name]
            yield Row(PART, f"{side}x{side}, {name}: distance from fp32", error, "of its norm", note="random weights")


def _runs(side: int, ours: Any, plain: Mapping[str, UNet2DConditionModel]) -> dict[str, Run]:
    """One call of each network with the same inputs."""
    torch.manual_seed(0)
    sample = torch.randn(2, 4, side // 8, side // 8)
    context = torch.randn(2, 77, FULL.text_width)
    times = torch.full((2,), TIMESTEP)
    level = torch.tensor(1.0)
    call = ModelCall(Step(0, 1, level, level), sample, times, context, torch.tensor([True, False]))

    def plain_run(module: UNet2DConditionModel) -> Run:
        inputs = sample.to(module.dtype), times, context.to(module.dtype)
        return lambda: module(*inputs, return_dict=False)[0].float()

    return {OURS: lambda: ours(call, None), **{name: plain_run(module) for name, module in plain.items()}}


def _distance(there: Tensor, here: Tensor) -> float:
    return float((there - here).norm() / here.norm())


@torch.inference_mode()
def main(cache: Path, checkpoint: Path) -> None:
    """Measure in this process."""
    torch.set_num_threads(1)
    library = ModelLibrary(models_dir(FULL, cache), cache / "library", FAMILIES)
    device, dtype, is_fast = resolve("cpu", "auto")
    allow_fast_products(is_fast)
    dtype, kernels = settled(cache, "auto", dtype, fast_cpu=is_fast)
    ours = load_model(library, library.checkpoint(checkpoint.name), None, device, dtype, fast_cpu=is_fast).unet
    if kernels is not None:
        speed_up(ours.module, kernels, ours.resident)
    config = str(diffusers_folder(FULL, cache))
    plain = {
        name: UNet2DConditionModel.from_single_file(
            str(checkpoint), config=config, subfolder="unet", torch_dtype=plain_dtype, local_files_only=True
        )
        for name, plain_dtype in ((FP32, torch.float32), (BF16, torch.bfloat16))
    }

    def set_up(name: str) -> None:
        allow_fast_products(is_fast and name == OURS)  # the setting is process-wide, so it is turned off for diffusers

    times: dict[int, dict[str, list[float]]] = {}
    errors: dict[int, dict[str, float]] = {}
    for side, rounds in ROUNDS.items():
        runs = _runs(side, ours, plain)
        answers = {name: run() for name, run in runs.items()}  # warms up too
        errors[side] = {name: _distance(answers[name], answers[FP32]) for name in (OURS, BF16)}
        times[side] = alternately(runs, rounds, set_up)
    answer({"dtype": str(dtype).removeprefix("torch."), "times": times, "errors": errors})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
