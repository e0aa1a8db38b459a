"""Time and memory of loading a full-size SD1.5 file: this program beside diffusers, each load in a fresh process."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.children import answer, measure
from benchmarks.report import Row

FORMATS = ("fp16", "bf16", "fp32")
PROGRAMS = ("ours", "diffusers")
ROUNDS = 3
PEAK_TARGET = 1.25  # of the file's size, for fp16 kept as fp16
TIME_TARGET = 1.0  # of diffusers' time
PART = "loading"


def rows(cache: Path, checkpoint: Path) -> Iterator[Row]:
    """Load alternately in both programs, in every format."""
    size = checkpoint.stat().st_size
    for number_format in FORMATS:
        results: dict[str, list[dict[str, float]]] = {program: [] for program in PROGRAMS}
        for _ in range(ROUNDS):
            for program in PROGRAMS:
                results[program].append(measure(__name__, program, number_format, cache, checkpoint))
        yield from _compared(number_format, results, size)


def _compared(number_format: str, results: Mapping[str, list[dict[str, float]]], size: int) -> Iterator[Row]:
    for program in PROGRAMS:
        for what, key in (("wall", "load_wall"), ("CPU", "load_cpu"), ("CPU, every weight read once", "used_cpu")):
            values = [result[key] for result in results[program]]
            spread = (min(values), max(values))
            yield Row(PART, f"{number_format}, {program}: {what}", statistics.median(values), "s", spread=spread)
    for what, key in (("to load", "load_cpu"), ("to load and read", "used_cpu")):
        ratios = [a[key] / b[key] for a, b in zip(results["ours"], results["diffusers"], strict=True)]
        is_fair = key == "used_cpu"
        note = "" if is_fair else "diffusers may leave weights in the mapped file, not read yet"
        yield Row(
            PART, f"{number_format}: CPU time {what}, ours / diffusers", statistics.median(ratios), "x",
            target=TIME_TARGET if is_fair else None, spread=(min(ratios), max(ratios)), note=note,
        )  # fmt: skip
    for program in PROGRAMS:
        peak = statistics.median(result["peak"] for result in results[program]) / size
        imports = statistics.median(result["imported"] for result in results[program]) / size
        target = PEAK_TARGET if (number_format, program) == ("fp16", "ours") else None
        note = f"{imports:.2f} before loading (imports alone)"
        yield Row(PART, f"{number_format}, {program}: peak memory / file size", peak, "x", target=target, note=note)
        own = statistics.median(result["peak"] - result["imported"] for result in results[program]) / size
        yield Row(PART, f"{number_format}, {program}: the same without imports", own, "x")


def _ours(number_format: str, cache: Path, checkpoint: Path) -> Callable[[], list[Any]]:
    import torch

    from webui.library.library import ModelLibrary
    from webui.weights.load import load_model

    dtype = _dtype(number_format)
    library = ModelLibrary(checkpoint.parent.parent, cache / "library")
    library.refresh()
    file = library.checkpoint(checkpoint.name)

    def load() -> list[Any]:
        model = load_model(library, file, None, torch.device("cpu"), dtype, fast_cpu=dtype == torch.bfloat16)
        towers = [tower.module for tower in model.text.encoders]  # type: ignore[attr-defined]
        return [model.unet.module, model.vae.module, *towers]

    return load


def _diffusers(number_format: str, cache: Path, checkpoint: Path) -> Callable[[], list[Any]]:
    from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline
    from diffusers.utils import logging
    from transformers import CLIPTokenizer

    from benchmarks.models import FULL, diffusers_folder

    logging.disable_progress_bar()
    config = diffusers_folder(FULL, cache)
    vocabulary = {"a": 0, "<|startoftext|>": 1, "<|endoftext|>": 2}  # no part of the weights, so not timed
    given = {
        "tokenizer": CLIPTokenizer(vocab=vocabulary, merges=[]), "scheduler": EulerDiscreteScheduler(),
        "safety_checker": None, "feature_extractor": None, "image_encoder": None,
    }  # fmt: skip
    dtype = _dtype(number_format)

    def load() -> list[Any]:
        pipe = StableDiffusionPipeline.from_single_file(
            str(checkpoint), config=str(config), torch_dtype=dtype, local_files_only=True, **given
        )
        return [pipe.unet, pipe.vae, pipe.text_encoder]

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
    load = {"ours": _ours, "diffusers": _diffusers}[program](number_format, cache, checkpoint)
    imported = _memory("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    modules = load()
    load_wall, load_cpu = time.perf_counter() - wall, time.process_time() - cpu
    for module in modules:
        for parameter in module.parameters():
            parameter.detach().untyped_storage().cpu()[:0]
    used_cpu = time.process_time() - cpu
    peak = _memory("VmHWM")
    answer(
        {"load_wall": load_wall, "load_cpu": load_cpu, "used_cpu": used_cpu, "imported": imported, "peak": peak}
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
