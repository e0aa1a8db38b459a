"""Time and memory of loading a full-size SD1.5 file: this program beside diffusers, each load in a fresh process.

Beside each other, both load UNet, text encoder and VAE in one number format.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.children import answer, measure
from benchmarks.report import Row

OURS, MAPPED, COPIED = "ours", "diffusers", "diffusers, disable_mmap"
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "fp16": (OURS, MAPPED, COPIED),  # stored so: unconverted weights stay in the mapped file unless it is told not to
    "bf16": (OURS, MAPPED),
    "fp32": (OURS, MAPPED),
    "auto": (OURS,),  # as the program does it here: on a CPU, text encoder and VAE are fp32 beside a bf16 UNet
}
ROUNDS = 3
PEAK_TARGET = 1.25  # of the file's size, for fp16 kept as fp16
TIME_TARGET = 1.0  # of diffusers' time
PART = "loading"
Facts = dict[str, float]


def rows(cache: Path, checkpoint: Path) -> Iterator[Row]:
    """Load alternately in both programs, in every format."""
    size = checkpoint.stat().st_size
    for number_format, programs in PROGRAMS.items():
        results: dict[str, list[Facts]] = {program: [] for program in programs}
        for _ in range(ROUNDS):
            for program in programs:
                results[program].append(measure(__name__, program, number_format, cache, checkpoint))
        for program in programs:
            yield from _facts(f"{number_format}, {program}", results[program], size, is_bound=program == OURS)
        for other in programs[1:]:
            yield _ratio(number_format, results[OURS], other, results[other])


def _facts(name: str, results: list[Facts], size: int, *, is_bound: bool) -> Iterator[Row]:
    for what, key in (("wall", "wall"), ("CPU", "cpu")):
        values = [result[key] for result in results]
        yield Row(PART, f"{name}: {what}", statistics.median(values), "s", spread=(min(values), max(values)))
    peak = statistics.median(result["peak"] for result in results) / size
    imports = statistics.median(result["imported"] for result in results) / size
    target = PEAK_TARGET if is_bound and name.startswith("fp16") else None
    note = "of the process, imports included"
    yield Row(PART, f"{name}: peak memory", peak, "x file", target=target, note=note)
    yield Row(PART, f"{name}: peak memory of loading", peak - imports, "x file", target=target, note="without imports")


def _ratio(number_format: str, ours: list[Facts], other: str, theirs: list[Facts]) -> Row:
    ratios = [here["cpu"] / there["cpu"] for here, there in zip(ours, theirs, strict=True)]
    is_copying = (number_format, other) != ("fp16", MAPPED)
    return Row(
        PART,
        f"{number_format}: CPU time, ours / {other}",
        statistics.median(ratios),
        "x",
        target=TIME_TARGET if is_copying else None,
        spread=(min(ratios), max(ratios)),
        note="" if is_copying else "diffusers only maps the file, which is read when it is first used",
    )


def _ours(number_format: str, cache: Path, checkpoint: Path) -> Callable[[], Any]:
    import torch

    from webui.library.library import ModelLibrary
    from webui.library.shapes import require_vae
    from webui.weights.build import build_unet, build_vae
    from webui.weights.families.contract import networks_of
    from webui.weights.families.registry import FAMILIES
    from webui.weights.load import load_model
    from webui.weights.precision import resolve
    from webui.weights.tensors import TensorFile

    library = ModelLibrary(checkpoint.parents[1], cache / "library", FAMILIES)
    library.refresh()
    file = library.checkpoint(checkpoint.name)
    device = torch.device("cpu")

    def as_here() -> Any:
        _, dtype, is_fast = resolve("cpu", "auto")
        return load_model(library, file, None, device, dtype, fast_cpu=is_fast)

    def all_alike() -> Any:
        dtype, spec = _dtype(number_format), library.spec(file)
        with TensorFile(file.path) as source:
            return (
                build_unet(source, spec.unet, spec.heads, device, dtype),
                networks_of(spec.family).build_text(source, spec, device, dtype),
                build_vae(source, require_vae(source.header.shapes), device, dtype),
            )

    return as_here if number_format == "auto" else all_alike


def _diffusers(number_format: str, cache: Path, checkpoint: Path, *, mapped: bool) -> Callable[[], Any]:
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline
    from diffusers.utils import logging
    from transformers import CLIPTokenizer

    from benchmarks.models import FULL, diffusers_folder

    logging.disable_progress_bar()
    config = diffusers_folder(FULL, cache)
    vocabulary = {"a": 0, "<|startoftext|>": 1, "<|endoftext|>": 2}  # no part of the weights, so not timed
    given = {
        "tokenizer": CLIPTokenizer(vocab=vocabulary, merges=[]), "scheduler": EulerDiscreteScheduler(steps_offset=1),
        "safety_checker": None, "feature_extractor": None, "image_encoder": None,
    }  # fmt: skip
    dtype = _dtype(number_format)

    def load() -> Any:
        return StableDiffusionPipeline.from_single_file(
            str(checkpoint), config=str(config), torch_dtype=dtype, local_files_only=True, disable_mmap=not mapped,
            **given,
        )  # fmt: skip

    return load


def _dtype(number_format: str) -> Any:
    import torch

    return {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[number_format]


def _memory(field: str) -> int:
    """A field of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"{field} is not in /proc/self/status; this benchmark needs Linux")


def main(program: str, number_format: str, cache: Path, checkpoint: Path) -> None:
    """Load once in this process and answer with what it took."""
    import torch

    torch.set_num_threads(1)
    if program == OURS:
        load = _ours(number_format, cache, checkpoint)
    else:
        load = _diffusers(number_format, cache, checkpoint, mapped=program == MAPPED)
    imported = _memory("VmRSS")
    began, cpu = time.perf_counter(), time.process_time()
    model = load()
    facts = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    answer({**facts, "imported": imported, "peak": _memory("VmHWM")})
    del model  # it had to live until here


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
