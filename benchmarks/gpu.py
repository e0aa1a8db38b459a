"""Checks and measures the program on a graphics card: the miniature, and networks of full size with random numbers.

    python -m benchmarks.gpu                             # everything, about five minutes
    python -m benchmarks.gpu --parts golden,loop         # of golden, loop, memory, speed
    python -m benchmarks.gpu --device cpu --small        # a try without a card

golden: pictures on the device in each number format beside the CPU's in fp32. loop: the time of a step and how often it
waits for the device. memory: memory runs out while sampling and while decoding, and what SDXL needs under ceilings.
speed: steps a second of SD1.5 and SDXL as diffusers computes them, and as the program does. Prints a table and keeps it
in gpu_results.json beside this file; ends with 1 where a check failed.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.full_networks import NAMES, ask_of, bare_call, network_of
from benchmarks.report import Row, machine, table
from webui.domain.hires import Hires
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest, Txt2Img
from webui.domain.result import GeneratedImage, GenerationResult, Progress
from webui.domain.settings import BackSettings, Precision
from webui.processing.back import Back, build
from webui.weights.fast.fast_network import FastNetwork
from webui.weights.residency import GIB, Residency
from webui.weights.unet import UnetWrapper
from webui.weights.vae import VaeWrapper

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("gpu_results.json")
LEAST: Mapping[Precision, float] = MappingProxyType({"fp32": 45.0, "fp16": 30.0, "bf16": 22.0})  # dB
GOALS = MappingProxyType({"sd15": 100.0, "sdxl": 25.0})  # steps a second on an H200-class card
CEILINGS = (4, 6, 8, 12)  # GiB
RESERVE = 0.7  # GiB
SAMPLERS = ("Euler", "Euler a", "DPM++ 2M", "DPM++ 2M SDE", "DDIM", "UniPC", "LCM")
Pictures = NDArray[np.int16]


class Quiet:
    """A reporter that lets everything run."""

    def progress(self, progress: Progress) -> None: ...
    def image(self, image: GeneratedImage) -> None: ...
    def recorded(self, part: RecordedPart) -> None: ...
    def stopped(self) -> str:
        return ""

    def finishing(self) -> bool:
        return False


def request(**changes: object) -> GenerationRequest:
    """A request to the miniature."""
    usual = {"checkpoint": "mini", "prompt": "a red circle", "steps": 8, "width": 128, "height": 128, "seed": 1}
    return GenerationRequest.model_validate({**usual, "sampler": "Euler", **changes})


def cases(*, small: bool) -> dict[str, GenerationRequest]:
    """What is compared with the CPU."""
    if small:
        return {"Euler": request()}
    return {
        **{name: request(sampler=name) for name in SAMPLERS},
        "batch of 3": request(batch_size=3),
        "AND": request(prompt="a red circle AND a square:0.5"),
        "LoRA": request(prompt="a red circle <lora:mini-ink:1>"),
        "hires, latent": request(task=Txt2Img(hires=Hires(enabled=True, upscaler="Latent", scale=1.5))),
        "tiling": request(tiling=True),
    }


@contextmanager
def back_on(device: str, precision: Precision) -> Iterator[Back]:
    """The program's back over the models of the checkout."""
    with tempfile.TemporaryDirectory(prefix="webui-gpu-") as folder:
        made = build(
            BackSettings(
                models_dir=ROOT / "models", data_dir=Path(folder), extensions_dir=ROOT / "extensions", device=device,
                precision=precision, preview_every=0,
            )
        )  # fmt: skip
        try:
            yield made
        finally:
            made.close()


def pictures(result: GenerationResult) -> Pictures:
    return np.stack([np.asarray(one.image) for one in result.images]).astype(np.int16)


def nearness(here: Pictures, there: Pictures) -> float:
    """PSNR in dB, 99 for equal ones."""
    error = float(((here - there) ** 2).mean())
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))


def golden(device: torch.device, *, small: bool) -> Iterator[Row]:
    asked = cases(small=small)
    with back_on("cpu", "fp32") as back:
        wanted = {name: pictures(back.run(one, Quiet())) for name, one in asked.items()}
    formats: tuple[Precision, ...] = ("fp32",) if device.type == "cpu" else ("fp32", "fp16", "bf16")
    for precision in formats:
        with back_on(str(device), precision) as back:
            for name, one in asked.items():
                made = pictures(back.run(one, Quiet()))
                near = nearness(made, wanted[name])
                yield Row("golden", f"{name}, {precision}", near, "dB", target=LEAST[precision], at_least=True)
            again = pictures(back.run(one, Quiet()))
            yield Row("golden", f"twice the same, {precision}", float(np.array_equal(again, made)), "", 1.0, True)


def loop(device: torch.device, *, small: bool) -> Iterator[Row]:
    steps, side = (6, 64) if small else (40, 512)
    with back_on(str(device), "auto") as back:
        for sampler in SAMPLERS[:1] if small else SAMPLERS:
            asked = request(sampler=sampler, steps=steps, width=side, height=side)
            back.run(asked, Quiet())
            took = back.run(asked, Quiet()).timings["sampling"] / steps * 1e3
            yield Row("loop", f"{sampler}, a step of the miniature at {side}", took, "ms")
            if device.type == "cuda":
                few, many = (_waits(back, asked.with_(steps=count)) for count in (steps // 2, steps))
                yield Row("loop", f"{sampler}, waits a step", (many - few) / (steps - steps // 2), "", target=0.0)


def _waits(back: Back, asked: GenerationRequest) -> int:
    """How often torch says that the host waits. Beside this the program waits for the step before, by an event."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            back.run(asked, Quiet())
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(one.message) for one in seen)


def memory(device: torch.device, *, small: bool) -> Iterator[Row]:
    with back_on(str(device), "auto") as back:
        wanted = pictures(back.run(request(), Quiet()))
        for where, owner, name in (("sampling", UnetWrapper, "_answer"), ("decoding", VaeWrapper, "_decode")):
            gc.collect()
            before = _allocated(device)
            with _failing_once(owner, name):
                near = nearness(pictures(back.run(request(), Quiet())), wanted)
            gc.collect()
            yield Row("memory", f"ran out while {where}: the picture", near, "dB", target=30.0, at_least=True)
            yield Row(
                "memory", f"ran out while {where}: left", (_allocated(device) - before) / 2**20, "MiB", target=32.0
            )
    if device.type != "cuda" or small:
        return
    total = torch.cuda.get_device_properties(device).total_memory / GIB
    for ceiling in (one for one in CEILINGS if one < total):
        yield Row(
            "memory", f"SDXL's UNet under {ceiling} GiB", _peak_under(device, ceiling), "GiB", target=float(ceiling)
        )


def _allocated(device: torch.device) -> int:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


@contextmanager
def _failing_once(owner: type, name: str) -> Iterator[None]:
    """While entered, the next call of a method has no room."""
    real, calls = getattr(owner, name), iter([True])

    def failing(self: object, *given: object, **named: object) -> object:
        if next(calls, False):
            raise torch.OutOfMemoryError("out of memory, injected")
        return real(self, *given, **named)

    setattr(owner, name, failing)
    try:
        yield
    finally:
        setattr(owner, name, real)


@torch.inference_mode()
def _peak_under(device: torch.device, ceiling: int) -> float:
    """GiB that a call of SDXL's UNet at 1024 needs at most, where the residency may use so many."""
    unet = network_of("sdxl", device, torch.float16)
    module: Any = unet.module
    module.to("cpu")
    torch.cuda.empty_cache()
    residency = Residency(device, int((ceiling - RESERVE) * GIB))
    residency.adopt(unet, "UNet", here=False)
    torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2):
        unet(ask_of("sdxl", device), None)
    return torch.cuda.max_memory_allocated(device) / GIB


@torch.inference_mode()
def speed(device: torch.device, *, small: bool) -> Iterator[Row]:
    if device.type == "cpu" or small:
        return
    for name in NAMES:
        unet = network_of(name, device, torch.float16)
        call = ask_of(name, device)
        plain = _rate(partial(bare_call, unet, call), device)
        yield Row("speed", f"{name}, diffusers eager", plain, "steps/s")
        module: Any = unet.module
        module.to(memory_format=torch.channels_last)
        residency = Residency(device)
        residency.adopt(unet, "UNet")
        yield Row("speed", f"{name}, ours eager", _rate(partial(unet, call, None), device), "steps/s")
        FastNetwork("captured", device, residency).attach(unet, 8)
        ours = _rate(partial(unet, call, None), device)
        yield Row("speed", f"{name}, ours, {unet.fast.told or 'as usual'}", ours, "steps/s", GOALS[name], True)
        yield Row("speed", f"{name}, ours over diffusers eager", ours / plain, "x", target=1.0, at_least=True)
        del unet, module
        gc.collect()
        torch.cuda.empty_cache()


def _rate(work: Callable[[], object], device: torch.device, count: int = 20) -> float:
    """Calls a second, after five that are not timed."""
    wait = getattr(torch, device.type).synchronize
    for _ in range(5):
        work()
    wait()
    began = time.perf_counter()
    for _ in range(count):
        work()
    wait()
    return count / (time.perf_counter() - began)


PARTS = MappingProxyType({"golden": golden, "loop": loop, "memory": memory, "speed": speed})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts asked for; 1 where a check failed."""
    parser = argparse.ArgumentParser(description="Check and measure the program on a graphics card.")
    parser.add_argument("--device", default="cuda", help="as torch names it")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--small", action="store_true", help="one case and few steps, for a try")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    device = torch.device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    print(f"{name}, torch {torch.__version__}", flush=True)
    found: list[Row] = []
    for part in given.parts.split(","):
        began = time.monotonic()
        found += PARTS[part](device, small=given.small)
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
    print(table(found))
    kept = {"card": name, "machine": asdict(machine()), "rows": [{**asdict(row), "met": row.met} for row in found]}
    given.results.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 1 if any(row.met is False for row in found) else 0


if __name__ == "__main__":
    sys.exit(main())
