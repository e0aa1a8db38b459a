"""Time to put a LoRA of rank 16 into a full-size SD1.5 model and to take it out, and what a second job with it costs.

The LoRA has what kohya's trainer makes by default: every linear layer and 1x1 convolution of the transformers in the
UNet, every linear layer of the text encoder.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.children import answer, measure
from benchmarks.report import Row

PART = "networks"
RANK = 16
ROUNDS = 7
THREADS = 2
FORMATS = ("fp32", "auto")
APPLY_TARGET = 1.5  # seconds, applied and removed
AGAIN_TARGET = 0.01  # seconds, for a job with the same set


def rows(cache: Path, checkpoint: Path) -> Iterator[Row]:
    """Measure in a fresh process for each number format."""
    for number_format in FORMATS:
        facts: Mapping[str, list[float]] = measure(__name__, number_format, cache, checkpoint)
        both = [there + back for there, back in zip(facts["apply"], facts["remove"], strict=True)]
        yield _row(f"{number_format}: applied and removed", both, APPLY_TARGET, f"{THREADS} threads, file in memory")
        yield _row(f"{number_format}: the same in CPU time of {THREADS} threads", facts["cpu"], None, "of all threads")
        yield _row(f"{number_format}: of this, removed", facts["remove"], None, "")
        yield _row(f"{number_format}: file read", facts["read"], None, "once, then kept")
        again = f"{number_format}: second job with the same set"
        yield _row(again, facts["again"], AGAIN_TARGET, "all hooks of the job")
        yield _row(f"{again}, CPU time", facts["again_cpu"], None, "")


def _row(what: str, values: list[float], target: float | None, note: str) -> Row:
    return Row(PART, what, statistics.median(values), "s", target=target, spread=(min(values), max(values)), note=note)


def lora_file(model: Any, models_dir: Path) -> Path:
    """A LoRA with random weights for every layer that a default training touches."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    path = models_dir / "Lora" / "rank16.safetensors"
    if path.is_file():
        return path
    modules = [("lora_unet_", name, one) for name, one in model.unet.module.named_modules() if ".attentions." in name]
    modules += [("lora_te_text_model_", name, one) for name, one in model.text.encoders[0].module.named_modules()]
    tensors = {}
    for prefix, name, module in modules:
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        key = prefix + name.removeprefix("text_model.").replace(".", "_")
        rest = module.weight.shape[2:]
        tensors[f"{key}.lora_down.weight"] = torch.randn(RANK, module.weight.shape[1], *rest).half() * 0.01
        tensors[f"{key}.lora_up.weight"] = torch.randn(module.weight.shape[0], RANK, *(1 for _ in rest)).half() * 0.01
        tensors[f"{key}.alpha"] = torch.tensor(8.0).half()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def main(number_format: str, cache: Path, checkpoint: Path) -> None:
    """Apply and remove in this process, set up as a worker is, and answer with the times."""
    import torch

    from extensions.lora.member import Member
    from webui.domain.request import GenerationRequest
    from webui.extension_api import JobContext, extra_networks
    from webui.library.library import ModelLibrary
    from webui.plugins.models import LibraryModels
    from webui.plugins.patches import Patch, Patches
    from webui.weights.families.registry import FAMILIES
    from webui.weights.load import load_model
    from webui.weights.precision import Precision, allow_fast_products, resolve

    torch.set_num_threads(THREADS)
    precision: Precision = "fp32" if number_format == "fp32" else "auto"
    device, dtype, is_fast = resolve("cpu", precision)
    allow_fast_products(is_fast)
    library = ModelLibrary(checkpoint.parents[1], cache / "library", FAMILIES)
    library.refresh()
    model = load_model(library, library.checkpoint(checkpoint.name), None, device, dtype, fast_cpu=is_fast)
    lora_file(model, checkpoint.parents[1])
    library.refresh()
    models = LibraryModels(library)
    request = GenerationRequest(prompt="a cat <lora:rank16:0.8>")
    facts: dict[str, list[float]] = {"apply": [], "remove": [], "read": [], "again": []}
    facts |= {"cpu": [], "again_cpu": []}

    def patch() -> Patch:
        member = Member(JobContext(request, None, device, dtype, models, lambda text: None))
        member.use_networks(extra_networks(request.prompt)[1])
        context = member.patch_model(model)
        member.image_fields()
        if context is None:
            raise RuntimeError("the network did not fit")
        return Patch("lora", context)

    def refuse(patch: Patch, error: Exception) -> None:
        raise error

    with torch.inference_mode():
        _timed(facts["read"], patch)
        for _ in range(ROUNDS):
            patches = Patches()
            cpu = time.process_time()
            _timed(facts["apply"], lambda patches=patches: patches.apply([patch()], refuse))
            facts["cpu"].append(time.process_time() - cpu)
            cpu = time.process_time()
            _timed(facts["again"], lambda patches=patches: patches.apply([patch()], refuse))
            facts["again_cpu"].append(time.process_time() - cpu)
            cpu = time.process_time()
            _timed(facts["remove"], patches.leave)
            facts["cpu"][-1] += time.process_time() - cpu
    answer(facts)


def _timed(times: list[float], work: Any) -> None:
    began = time.perf_counter()
    work()
    times.append(time.perf_counter() - began)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
