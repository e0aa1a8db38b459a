"""The cost of sampling with a ControlNet, compared with bare calls of the UNet and of the control network (SD1.5).

The control network is in the state in which training begins: a copy of the checkpoint's encoder (Zhang et al. 2023),
here with random weights in the additional layers.
"""

import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.alternating import alternately
from benchmarks.children import answer, measure
from benchmarks.loop import sampler
from benchmarks.report import Row
from extensions.controlnet.control_job import ControlJob
from extensions.controlnet.control_net import ControlNet
from extensions.controlnet.options import ControlOptions
from extensions.controlnet.unit_networks import load
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.extension_api import JobContext
from webui.library.library import ModelLibrary
from webui.plugins.jobhooks import JobHooks
from webui.plugins.models import LibraryModels
from webui.sampling.steps import ModelCall, Residuals, Step
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_model
from webui.weights.model import LoadedModel
from webui.weights.precision import allow_fast_products, resolve

PART = "control"
STEPS = 3
ROUNDS = 5
SIDE = 256  # pixels
TARGET = 1.05  # of the bare calls
PREFIX = "model.diffusion_model."
WIDTHS = (*(320,) * 4, *(640,) * 3, *(1280,) * 5)  # of SD1's twelve input blocks
HINT = ((3, 16), (16, 16), (16, 32), (32, 32), (32, 96), (96, 96), (96, 256), (256, 320))


def rows(cache: Path, checkpoint: Path) -> Iterator[Row]:
    """Measured in one process, the two kinds alternately."""
    found: dict[str, list[float]] = measure(__name__, cache, checkpoint)
    for name, label in (("bare", "UNet and control network alone"), ("ours", "our sampling with the extension")):
        values = found[name]
        yield Row(PART, f"{label}, a step", statistics.median(values), "s", spread=(min(values), max(values)))
    ratios = [ours / bare for ours, bare in zip(found["ours"], found["bare"], strict=True)]
    yield Row(
        PART, f"sampling over bare calls, {SIDE}x{SIDE}", statistics.median(ratios), "x", target=TARGET,
        spread=(min(ratios), max(ratios)), note="CPU time, 1 thread, alternated",
    )  # fmt: skip


def control_file(checkpoint: Path) -> Path:
    """A ControlNet of the size of SD1.5's, made if it is not there."""
    path = checkpoint.parents[1] / "ControlNet" / "control-random.safetensors"
    if path.is_file():
        return path
    tensors: dict[str, Tensor] = {}
    with safe_open(checkpoint, framework="pt") as source:
        names = source.keys()
        for name in names:
            inner = name.removeprefix(PREFIX)
            if inner.startswith(("time_embed.", "input_blocks.", "middle_block.")):
                tensors[f"control_model.{inner}"] = source.get_tensor(name)
    for number, width in enumerate(WIDTHS):
        tensors |= _convolution(f"zero_convs.{number}.0", width, width, 1)
    tensors |= _convolution("middle_block_out.0", WIDTHS[-1], WIDTHS[-1], 1)
    for number, (inputs, outputs) in enumerate(HINT):
        tensors |= _convolution(f"input_hint_block.{2 * number}", inputs, outputs, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def _convolution(name: str, inputs: int, outputs: int, side: int) -> dict[str, Tensor]:
    weight = torch.randn(outputs, inputs, side, side) * 0.1 / (inputs * side * side) ** 0.5
    return {f"control_model.{name}.weight": weight.half(), f"control_model.{name}.bias": torch.zeros(outputs).half()}


def bare(model: LoadedModel, network: Callable[..., tuple[Tensor, ...]]) -> Callable[[], None]:
    """The same number of calls of both networks, with inputs of the same shapes, and nothing else."""
    dtype, cells = model.unet.dtype, SIDE // 8
    latents = torch.randn(2, 4, cells, cells)
    context = torch.randn(2, 77, model.spec.unet.context_width)
    level = torch.tensor(1.0)
    hint = torch.randn(1, WIDTHS[0], cells, cells).to(dtype)
    step = Step(0, STEPS, level, level)

    def run() -> None:
        for number in range(STEPS):
            times = torch.full((2,), 900.0 - number)
            *down, mid = network(latents.to(dtype), times, context.to(dtype), None, hint)
            model.unet(
                ModelCall(step, latents, times, context, torch.tensor([True, False])), Residuals(tuple(down), mid)
            )

    return run


@torch.inference_mode()
def main(cache: Path, checkpoint: Path) -> None:
    """Measure in this process."""
    torch.set_num_threads(1)
    device, dtype, is_fast = resolve("cpu", "auto")
    allow_fast_products(is_fast)
    file = control_file(checkpoint)
    library = ModelLibrary(checkpoint.parents[1], cache / "library", FAMILIES)
    library.refresh()
    model = load_model(library, library.checkpoint(checkpoint.name), None, device, dtype, fast_cpu=is_fast)
    picture = Picture.of(Image.new("RGB", (SIDE, SIDE), "white")).to_base64()
    unit = {"enabled": True, "module": "none", "model": file.stem, "image": picture}
    options = {"units": [unit]}
    request = GenerationRequest(
        sampler="Euler", steps=STEPS, width=SIDE, height=SIDE, seed=1, extensions={"controlnet": options}
    )
    models = LibraryModels(library)
    hooks = JobHooks()
    context = JobContext(request, None, device, dtype, models, lambda text: None)
    hooks.join("controlnet", ControlJob(context, ControlOptions.model_validate(options)))
    network = load(models, file, device, dtype)
    if not isinstance(network, ControlNet):
        raise TypeError(f"{file.name} is no ControlNet, but a {type(network).__name__}")
    network.set_heads(model.spec.heads)
    ours = sampler(model.unet, model.spec.unet.context_width, steps=STEPS, side=SIDE, hooks=hooks)
    runs: dict[str, Callable[[], object]] = {"bare": bare(model, network), "ours": ours}
    with hooks.patches(model)[0].context:
        for run in runs.values():
            run()
        found = alternately(runs, ROUNDS)
    answer({name: [seconds / STEPS for seconds in values] for name, values in found.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
