"""Runs of a sampler on the pretended device, with a network that answers zeros; what one of their steps costs."""

from typing import Any

import torch
from torch import Tensor

from tests.gpu.ledger import Ledger
from tests.gpu.pretended import PretendedDevice
from tests.sampling.toy import unwatched
from webui.domain.request import GenerationRequest
from webui.plugins.jobhooks import JobHooks
from webui.processing.plan import make_plan
from webui.processing.sample import Noising, Origin, Sampled, sample_batch
from webui.prompt.conditioning import Conditioning, Part, Span
from webui.sampling.denoiser import Stage
from webui.sampling.parameterisation import VarianceExploding
from webui.sampling.steps import ModelCall, Network, Residuals, StepHooks
from webui.weights.families.stable_diffusion.members import SD1
from webui.weights.families.stable_diffusion.noise_table import standard_table

FEW, MANY = 8, 10  # steps; the timesteps of both are evenly spaced


class Counting:
    """A network that answers a tenth of its sample; what it does itself is counted apart."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        self._ledger.depth += 1
        try:
            return call.sample * 0.1 + call.timestep[:, None, None, None] * 1e-4 + call.context.mean() * 0.1
        finally:
            self._ledger.depth -= 1


def text_of(parts: int, images: int, device: torch.device) -> Conditioning:
    """The text of some images, of so many AND parts each."""
    part = Part(1.0, (Span(99, torch.ones(77, 8).to(device)),))
    negative = (Span(99, torch.zeros(77, 8).to(device)),)
    return Conditioning(((part,) * parts,) * images, (negative,) * images, torch.zeros(77, 8).to(device))


def sampled(
    request: GenerationRequest,
    device: torch.device,
    network: Network,
    *,
    parts: int = 1,
    hooks: StepHooks | None = None,
    origin: Origin | None = None,
) -> Sampled:
    """One run over the first batch of a request."""
    plan, table = make_plan(request), standard_table()
    noising = Noising(SD1, table, VarianceExploding(table))
    stage = Stage(network, noising.asked, text_of(parts, request.batch_size, device))
    with torch.inference_mode():
        return sample_batch(
            plan, plan.batches[0], lambda done, calls: stage, noising, hooks or JobHooks(), unwatched,
            device=device, origin=origin,
        )  # fmt: skip


def step_cost(mode: PretendedDevice, label: str, **changed: Any) -> tuple[float, float, float]:
    """Operations outside the network, synchronisations and awaited copies of one step, on the mean of two."""
    totals = []
    options = {key: changed.pop(key) for key in ("parts", "hooks", "origin") if key in changed}
    for steps in (FEW, MANY):
        mode.ledger.clear()
        request = GenerationRequest(prompt="a", sampler=label, steps=steps, width=64, height=64, seed=1, **changed)
        sampled(request, mode.device, Counting(mode.ledger), **options)
        totals.append(mode.ledger.totals())
    few, many = totals
    return tuple((more - less) / (MANY - FEW) for less, more in zip(few, many, strict=True))  # type: ignore[return-value]
