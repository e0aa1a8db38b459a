"""Guidance: what must hold for any network, checked on networks of one line."""

from functools import partial

import pytest
import torch
from torch import Tensor

from tests.narrowing import known
from tests.sampling.toy import NoHooks, run_timesteps, timesteps
from webui.domain.request import Guidance
from webui.plugins.jobhooks import JobHooks
from webui.prompt.conditioning import Conditioning, Part, Span
from webui.sampling.denoiser import GuidedModel, Stage
from webui.sampling.guidance import guide, rescaled, towards_picture
from webui.sampling.padding import match_lengths, stack_spans
from webui.sampling.parameterisation import Consistency, Parameterisation, VarianceExploding
from webui.sampling.steps import Ask, ModelCall, Residuals, Step, StepHooks
from webui.weights.families.stable_diffusion.noise_table import standard_table

TABLE = standard_table()
EPSILON = VarianceExploding(TABLE)
SIGMA = TABLE.sigmas[500]
STEP = Step(0, 4, SIGMA, TABLE.sigmas[400])
LATENTS = torch.linspace(-2, 2, 2 * 4 * 4 * 4).reshape(2, 4, 4, 4)


class TextUnet:
    """Answers with the mean of its text, so that a test sees which prompt spoke; remembers its calls."""

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []

    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        self.calls.append(call)
        return call.context.mean(dim=(1, 2)).reshape(-1, 1, 1, 1) * torch.ones_like(call.sample[:, :4])


def span(value: float, until: int = 100, tokens: int = 77) -> Span:
    return Span(until, torch.full((tokens, 8), value))


def model(
    unet: TextUnet,
    positive: list[list[tuple[float, float]]],
    negative: list[float],
    asked: Parameterisation = EPSILON,
    cfg_scale: float = 7.0,
    hooks: StepHooks | None = None,
    takes_guidance: bool = False,
    **options: float | bool,
) -> GuidedModel:
    text = Conditioning(
        tuple(tuple(Part(weight, (span(value),)) for value, weight in parts) for parts in positive),
        tuple((span(value),) for value in negative),
        torch.zeros(77, 8),
    )
    stage = Stage(unet, asked, text, takes_guidance=takes_guidance)
    return GuidedModel(
        lambda done, calls: stage,
        TABLE,
        hooks or JobHooks(),
        cfg_scale=cfg_scale,
        options=Guidance(**options),
        planned=4,
    )


def epsilon_of(denoised: Tensor) -> Tensor:
    return (LATENTS - denoised) / SIGMA


def test_guidance_goes_from_the_negative_prompt_through_the_prompt() -> None:
    guided = model(TextUnet(), [[(0.3, 1.0)], [(0.5, 1.0)]], [0.1, 0.2]).denoise(STEP, LATENTS, SIGMA)
    eps = epsilon_of(guided)
    torch.testing.assert_close(eps[0], torch.full((4, 4, 4), 0.1 + 7 * 0.2), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(eps[1], torch.full((4, 4, 4), 0.2 + 7 * 0.3), atol=1e-5, rtol=1e-5)


def test_a_network_that_takes_the_scale_is_asked_about_the_prompt_alone() -> None:
    unet = TextUnet()
    guided = model(unet, [[(0.3, 1.0)], [(0.5, 1.0)]], [0.1, 0.2], takes_guidance=True).denoise(STEP, LATENTS, SIGMA)
    (call,) = unet.calls
    assert (call.cfg_scale, call.positive.tolist()) == (7.0, [True, True])
    torch.testing.assert_close(epsilon_of(guided)[1], torch.full((4, 4, 4), 0.5), atol=1e-5, rtol=1e-5)


def test_parts_of_and_are_added_with_their_weights() -> None:
    unet = TextUnet()
    guided = model(unet, [[(0.3, 1.0), (0.5, -0.5)], [(0.4, 1.0)]], [0.1, 0.1]).denoise(STEP, LATENTS, SIGMA)
    torch.testing.assert_close(
        epsilon_of(guided)[0], torch.full((4, 4, 4), 0.1 + 7 * (0.2 - 0.5 * 0.4)), atol=1e-5, rtol=1e-5
    )
    assert unet.calls[0].positive.tolist() == [True, True, True, False, False]


def test_v_and_epsilon_describe_the_same_picture() -> None:
    """Where v is computed from an epsilon, both must give one clean estimate (arXiv:2202.00512, appendix D)."""
    eps = torch.full_like(LATENTS, 0.3)
    clean = LATENTS - SIGMA * eps

    class Velocity(TextUnet):
        def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
            root = (SIGMA**2 + 1).sqrt()
            return ((eps - SIGMA * clean) / root).repeat(2, 1, 1, 1)

    denoised = model(
        Velocity(), [[(0.3, 1.0)], [(0.3, 1.0)]], [0.3, 0.3], VarianceExploding(TABLE, velocity=True)
    ).denoise(STEP, LATENTS, SIGMA)
    torch.testing.assert_close(denoised, clean, atol=1e-5, rtol=1e-5)


def test_the_network_gets_unit_variance_and_its_time() -> None:
    unet = TextUnet()
    model(unet, [[(0.3, 1.0)], [(0.3, 1.0)]], [0.1, 0.1]).denoise(STEP, LATENTS, SIGMA)
    torch.testing.assert_close(unet.calls[0].sample[:2], LATENTS / (SIGMA**2 + 1).sqrt())
    torch.testing.assert_close(unet.calls[0].timestep, torch.full((4,), 500.0), atol=1e-3, rtol=0)


def test_ngms_leaves_the_negative_prompt_out_on_every_second_call_below_its_sigma() -> None:
    unet = TextUnet()
    guided = model(unet, [[(0.3, 1.0)]] * 2, [0.1] * 2, s_min_uncond=float(SIGMA) + 1)
    results = [epsilon_of(guided.denoise(STEP, LATENTS, SIGMA)) for _ in range(2)]
    assert [len(call.sample) for call in unet.calls] == [4, 2]
    torch.testing.assert_close(results[1], torch.full_like(LATENTS, 0.3), atol=1e-5, rtol=1e-5)
    every = TextUnet()
    model(every, [[(0.3, 1.0)]] * 2, [0.1] * 2, s_min_uncond=100.0, s_min_uncond_all=True).denoise(STEP, LATENTS, SIGMA)
    assert [len(call.sample) for call in every.calls] == [2]


def test_skip_early_leaves_the_negative_prompt_out_at_first() -> None:
    unet = TextUnet()
    guided = model(unet, [[(0.3, 1.0)]] * 2, [0.1] * 2, skip_early_cond=0.25)
    for _ in range(4):
        guided.denoise(STEP, LATENTS, SIGMA)
    assert [len(call.sample) for call in unet.calls] == [2, 2, 4, 4]


def test_prompts_of_other_lengths_give_what_each_gives_alone() -> None:
    text = Conditioning(((Part(1.0, (span(0.3, tokens=154),)),),) * 2, ((span(0.1),),) * 2)
    unet = TextUnet()
    stage = Stage(unet, EPSILON, text)
    guided = GuidedModel(
        lambda done, calls: stage, TABLE, JobHooks(), cfg_scale=7.0, options=Guidance(), planned=4
    ).denoise(STEP, LATENTS, SIGMA)
    torch.testing.assert_close(epsilon_of(guided), torch.full_like(LATENTS, 0.1 + 7 * 0.2), atol=1e-5, rtol=1e-5)
    assert [call.context.shape[1] for call in unet.calls] == [154, 77]


def test_padding_brings_both_prompts_to_one_length() -> None:
    long, short = stack_spans([span(1.0, tokens=154)]), stack_spans([span(2.0)])
    here, there, padded = match_lengths(long, short, torch.zeros(77, 8), Guidance(pad_conds=True))
    assert padded
    assert here.context.shape == there.context.shape == (1, 154, 8)
    assert there.context[0, 77:].abs().sum() == 0
    _, old, _ = match_lengths(short, long, None, Guidance(pad_conds_v0=True))
    assert old.context.shape == (1, 77, 8)


def test_the_prompt_alone_is_kept_for_an_interrupt() -> None:
    guided = model(TextUnet(), [[(0.3, 1.0), (0.9, 1.0)]] * 2, [0.1] * 2)
    guided.denoise(STEP, LATENTS, SIGMA)
    torch.testing.assert_close(epsilon_of(known(guided.latest)), torch.full_like(LATENTS, 0.3), atol=1e-5, rtol=1e-5)


def test_timestep_space_guides_epsilon_and_divides_the_scale_for_cfgpp() -> None:
    unet = TextUnet()
    guided = model(unet, [[(0.3, 1.0)]] * 2, [0.1] * 2, cfg_scale=12.5)
    plain = guided.epsilon(STEP, LATENTS, torch.tensor(501.0))
    torch.testing.assert_close(plain.epsilon, torch.full_like(LATENTS, 0.1 + 12.5 * 0.2))
    torch.testing.assert_close(plain.uncond, torch.full_like(LATENTS, 0.1))
    torch.testing.assert_close(unet.calls[0].sample[:2], LATENTS)
    scaled = guided.epsilon(STEP, LATENTS, torch.tensor(501.0), cfgpp=True)
    torch.testing.assert_close(scaled.epsilon, torch.full_like(LATENTS, 0.3))


class Looking(NoHooks):
    """Looks at the estimates of every call, and puts `instead` in their place where there is one."""

    edits_denoised = True

    def __init__(self, instead: Tensor | None = None) -> None:
        self.instead = instead
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def edit_denoised(
        self, step: Step, denoised: Tensor, cond: Tensor, uncond: Tensor, latents: Tensor, ask: Ask
    ) -> Tensor:
        self.seen.append((denoised, cond, uncond))
        return denoised if self.instead is None else self.instead


@pytest.mark.parametrize("timestep", [1.0, 501.0, 640.25])
def test_hooks_see_clean_estimates_in_timestep_space_too(timestep: float) -> None:
    time = torch.tensor(timestep)
    alpha = TABLE.alpha(time)

    def clean(epsilon: float) -> Tensor:
        return (LATENTS - (1 - alpha).sqrt() * epsilon) / alpha.sqrt()

    plain = model(TextUnet(), [[(0.3, 1.0)]] * 2, [0.1] * 2).epsilon(STEP, LATENTS, time)
    hooks = Looking()
    watched = model(TextUnet(), [[(0.3, 1.0)]] * 2, [0.1] * 2, hooks=hooks).epsilon(STEP, LATENTS, time)
    assert torch.equal(watched.epsilon, plain.epsilon)  # what nobody changes stays the same to the last bit
    for seen, epsilon in zip(hooks.seen[0], (0.1 + 7 * 0.2, 0.3, 0.1), strict=True):
        torch.testing.assert_close(seen, clean(epsilon), atol=1e-4, rtol=1e-4)

    hooks = Looking(torch.full_like(LATENTS, 0.25))
    edited = model(TextUnet(), [[(0.3, 1.0)]] * 2, [0.1] * 2, hooks=hooks).epsilon(STEP, LATENTS, time)
    back = (LATENTS - (1 - alpha).sqrt() * edited.epsilon) / alpha.sqrt()
    torch.testing.assert_close(back, torch.full_like(LATENTS, 0.25), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("label", ["DDIM", "DDIM CFG++", "PLMS", "PNDM", "UniPC"])
def test_a_hook_that_knows_the_picture_ends_at_it(label: str) -> None:
    """Every timestep sampler is exact for a constant estimate, so one that a hook gives must be where it ends."""
    hooks = Looking(torch.full_like(LATENTS, 0.25))
    guided = model(TextUnet(), [[(0.3, 1.0)]] * 2, [0.1] * 2, hooks=hooks)
    watched: list[Tensor] = []
    run_timesteps(
        label, partial(guided.epsilon, cfgpp=label == "DDIM CFG++"), LATENTS, timesteps(10),
        watch=lambda step, denoised: watched.append(denoised),
    )  # fmt: skip
    torch.testing.assert_close(watched[0], torch.full_like(LATENTS, 0.25), atol=2e-2, rtol=0)
    torch.testing.assert_close(watched[-1], torch.full_like(LATENTS, 0.25), atol=2e-2, rtol=0)


def test_lcm_ends_at_its_clean_estimate() -> None:
    """At the largest time the skip connection vanishes and the estimate is that of epsilon."""
    step = Step(0, 4, TABLE.sigmas[999], TABLE.sigmas[400])
    unet = TextUnet()
    lcm = model(unet, [[(0.3, 1.0)]] * 2, [0.3] * 2, Consistency(TABLE)).denoise(step, LATENTS, TABLE.sigmas[999])
    torch.testing.assert_close(lcm, LATENTS - TABLE.sigmas[999] * 0.3, atol=1e-3, rtol=1e-3)
    assert unet.calls[0].timestep[0] == 999


@pytest.mark.parametrize("velocity", [False, True])
def test_rescale_restores_the_deviation_of_the_prompt(velocity: bool) -> None:
    torch.manual_seed(0)
    asked = VarianceExploding(TABLE, velocity=velocity)
    cond, guided = torch.randn(2, 4, 8, 8), 3 * torch.randn(2, 4, 8, 8)
    latents, sigma = torch.randn(2, 4, 8, 8), torch.tensor(2.0)
    torch.testing.assert_close(rescaled(guided, cond, latents, sigma, asked, 0.0), guided, atol=1e-4, rtol=1e-4)
    full = rescaled(guided, cond, latents, sigma, asked, 1.0)

    def output(clean: Tensor) -> Tensor:
        if velocity:
            return (latents / (sigma**2 + 1) - clean) * (sigma**2 + 1).sqrt() / sigma
        return (latents - clean) / sigma

    torch.testing.assert_close(output(full).std(dim=(1, 2, 3)), output(cond).std(dim=(1, 2, 3)), atol=1e-4, rtol=1e-4)


def test_scale_one_is_the_prompt_and_zero_the_negative() -> None:
    rows, against = torch.randn(1, 4, 2, 2), torch.randn(1, 4, 2, 2)
    torch.testing.assert_close(guide(rows, against, [[1.0]], 1.0), rows)
    torch.testing.assert_close(guide(rows, against, [[1.0]], 0.0), against)


def test_guidance_by_text_and_picture_is_that_of_its_paper() -> None:
    """arXiv:2211.09800, equation 3, with the guidance by text done first."""
    generator = torch.Generator().manual_seed(1)
    full, shown, unseen = (torch.randn(2, 4, 3, 3, generator=generator) for _ in range(3))
    by_text, by_picture = 7.0, 1.5
    guided = guide(full, shown, [[1.0], [1.0]], by_text)
    wanted = unseen + by_picture * (shown - unseen) + by_text * (full - shown)
    torch.testing.assert_close(towards_picture(guided, shown, unseen, by_picture), wanted)
