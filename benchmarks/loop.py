"""The cost of the sampling loop beside the network: 50 Euler steps with a tiny UNet, and as many bare calls of it."""

import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.alternating import alternately
from benchmarks.children import answer, measure
from benchmarks.models import TINY, models_dir
from benchmarks.report import Row
from webui.domain.request import GenerationRequest
from webui.library.library import ModelLibrary
from webui.plugins.jobhooks import JobHooks
from webui.processing.plan import make_plan
from webui.processing.sample import Noising, sample_batch
from webui.prompt.conditioning import Conditioning, Part, Span
from webui.sampling.denoiser import Stage
from webui.sampling.parameterisation import VarianceExploding
from webui.sampling.steps import ModelCall, Network, Residuals, Step
from webui.weights.families.registry import FAMILIES
from webui.weights.families.stable_diffusion.members import SD1
from webui.weights.families.stable_diffusion.noise_table import standard_table
from webui.weights.load import load_model
from webui.weights.model import LoadedModel

PART = "loop"
STEPS = 50
ROUNDS = 15
TARGET_MS = 1.0
SIDE = 64  # pixels


class Silence:
    """A network that returns zeros at no cost, so that only the arithmetic of the loop remains."""

    def __init__(self, zeros: Tensor) -> None:
        self._zeros = zeros

    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        return self._zeros


def rows(cache: Path) -> Iterator[Row]:
    """Measured in one process, the two kinds alternately."""
    found: dict[str, list[float]] = measure(__name__, cache)
    for what in ("bare", "ours"):
        values = found[what]
        name = {"bare": "UNet alone", "ours": "our loop around it"}[what]
        yield Row(PART, f"{name}, a step", statistics.median(values), "ms", spread=(min(values), max(values)))
    over = [ours - bare for ours, bare in zip(found["ours"], found["bare"], strict=True)]
    yield Row(
        PART, "overhead of our loop, a step", statistics.median(over), "ms", target=TARGET_MS,
        spread=(min(over), max(over)), note="difference of neighbours: as noisy as the UNet itself",
    )  # fmt: skip
    silent = found["silent"]
    yield Row(
        PART, "our loop around a network that answers at once", statistics.median(silent), "ms", target=TARGET_MS,
        spread=(min(silent), max(silent)), note="the same overhead without the UNet's noise",
    )  # fmt: skip


def sampler(
    unet: Network, context_width: int, *, steps: int = STEPS, side: int = SIDE, hooks: JobHooks | None = None
) -> Callable[[], Tensor]:
    """A whole run of the sampler as the pipeline makes it: noise, schedule, guidance, hooks; without text and VAE."""
    request = GenerationRequest(prompt="a", sampler="Euler", steps=steps, width=side, height=side, seed=1)
    plan = make_plan(request)
    contexts = torch.randn(2, 77, context_width)
    text = Conditioning(((Part(1.0, (Span(steps, contexts[0]),)),),), ((Span(steps, contexts[1]),),))
    table = standard_table()
    noising = Noising(SD1, table, VarianceExploding(table))
    stage = Stage(unet, noising.asked, text)
    acting = hooks or JobHooks()

    def stage_at(done: float, calls: int) -> Stage:
        return stage

    def watch(step: Step, denoised: Tensor) -> None:
        """Do nothing."""

    def run() -> Tensor:
        return sample_batch(
            plan,
            plan.batches[0],
            stage_at,
            noising,
            acting,
            watch,
            device=torch.device("cpu"),
        ).latents

    return run


def bare(model: LoadedModel) -> Callable[[], None]:
    """The same number of calls of diffusers' module, with inputs of the same shapes, and nothing else."""
    latents = torch.randn(2, 4, SIDE // 8, SIDE // 8)
    context = torch.randn(2, 77, model.spec.unet.context_width)
    timesteps = [torch.full((2,), 999.0 - 20 * number) for number in range(STEPS)]

    def run() -> None:
        for timestep in timesteps:
            model.unet.module(latents, timestep, context, return_dict=False)

    return run


@torch.inference_mode()
def main(cache: Path) -> None:
    """Measure in this process."""
    torch.set_num_threads(1)
    library = ModelLibrary(models_dir(TINY, cache), cache / "library", FAMILIES)
    model = load_model(library, library.checkpoints()[0], None, torch.device("cpu"), torch.float32)
    width = model.spec.unet.context_width
    runs = {
        "bare": bare(model),
        "ours": sampler(model.unet, width),
        "silent": sampler(Silence(torch.zeros(2, 4, SIDE // 8, SIDE // 8)), width),
    }
    for run in runs.values():
        run()
    found = alternately(runs, ROUNDS)
    answer({name: [seconds * 1000 / STEPS for seconds in values] for name, values in found.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
