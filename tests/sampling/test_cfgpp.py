"""CFG++ samplers: equal to their namesakes without guidance, and exact where both estimates are known."""

import pytest
import torch
from torch import Tensor

from tests.sampling.toy import NoHooks, SineNoise, gaussian, geometric, karras, pixel, run, unwatched
from webui.domain.catalog import SAMPLERS
from webui.sampling.loop import sample
from webui.sampling.samplers import SamplerOptions
from webui.sampling.steps import Pair, Step

NAMESAKES = {
    "Euler CFG++": "Euler", "Euler a CFG++": "Euler a", "DPM++ 2S a CFG++": "DPM++ 2S a", "DPM++ 2M CFG++": "DPM++ 2M",
}  # fmt: skip
START = 3.0


def plain(step: Step, latents: Tensor, sigma: Tensor) -> Tensor:
    raise AssertionError("a CFG++ sampler asks for both estimates")


def guided_run(label: str, guided: float, uncond: float, sigmas: Tensor, eta: float = 0.0) -> float:
    """The end of a run in which each estimate is one number, whatever the latents are."""
    end = sample(
        SAMPLERS[label], plain, pixel(START), sigmas, options=SamplerOptions(eta=eta), noise=SineNoise(),
        hooks=NoHooks(), watch=unwatched, pairs=lambda step, latents, sigma: Pair(pixel(guided), pixel(uncond)),
    )  # fmt: skip
    return float(end)


@pytest.mark.parametrize("label", NAMESAKES)
def test_without_guidance_each_is_its_namesake(label: str) -> None:
    ends = [
        run(one, lambda step, latents, sigma: gaussian(latents, sigma), pixel(START), karras(9), eta=0.7)
        for one in (label, NAMESAKES[label])
    ]
    torch.testing.assert_close(ends[0], ends[1], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("label", NAMESAKES)
def test_a_run_ends_at_the_guided_estimate(label: str) -> None:
    assert guided_run(label, 2.5, -1.0, karras(6), eta=1.0) == pytest.approx(2.5, abs=1e-12)


def test_euler_keeps_the_noise_that_the_negative_prompt_sees() -> None:
    sigmas = geometric(5)
    guided, uncond, latents = 2.5, -1.0, START
    for sigma, following in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
        latents = guided + (latents - uncond) / sigma * following
    assert guided_run("Euler CFG++", guided, uncond, sigmas) == pytest.approx(latents, rel=1e-12)


def test_the_two_of_higher_order_are_exact_for_linear_estimates() -> None:
    """In one step x' = g + r (x - u), with r the ratio of the levels; the guided second estimate of 2S is the same."""
    sigmas = geometric(1)
    ratio = float(sigmas[1] / sigmas[0])
    expected = {"DPM++ 2M CFG++": 2.5 + ratio * (START + 1), "DPM++ 2S a CFG++": 2.5 + ratio * (START + 3.5 - 2.5)}
    for label, end in expected.items():
        assert guided_run(label, 2.5, -1.0, sigmas) == pytest.approx(end, rel=1e-12)
