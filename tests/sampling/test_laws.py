"""What must hold for any sampler: exact answers, orders of convergence, batches, and agreement with other programs."""

import math
from typing import Any

import diffusers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.sampling.toy import (
    Counted,
    SineNoise,
    alphas,
    gaussian,
    geometric,
    karras,
    pixel,
    run,
    run_timesteps,
    timesteps,
    unguided,
    wavy,
)
from webui.domain.catalog import SAMPLERS
from webui.domain.request import UniPC
from webui.sampling.steps import StepNoise

IN_SIGMAS = [label for label, info in SAMPLERS.items() if info.space == "sigma"]
IN_TIMESTEPS = [label for label, info in SAMPLERS.items() if info.space == "timestep"]
# IPNDM_V's weights of order 4, as images are made with them, add up to 1 only where widths shrink evenly.
ENDS_CLEAN = [label for label in IN_SIGMAS if not SAMPLERS[label].own_steps and label != "IPNDM_V"]
SCHEDULERS: Any = diffusers  # which has no types
from_numpy = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


# exact answers


@pytest.mark.parametrize("label", ENDS_CLEAN)
@settings(max_examples=8, deadline=None)
@given(clean=st.floats(-3, 3), start=st.floats(-30, 30), steps=st.integers(1, 40))
def test_ends_on_the_only_image_there_is(label: str, clean: float, start: float, steps: int) -> None:
    end = run(label, lambda step, x, sigma: torch.full_like(x, clean), pixel(start), karras(steps))
    assert end.item() == pytest.approx(clean, abs=2e-3 if label == "DEIS" else 1e-9)


@pytest.mark.parametrize("label", [s for s in IN_SIGMAS if s not in ("LCM", "DDPM")])
@settings(max_examples=8, deadline=None)
@given(clean=st.floats(-3, 3), offset=st.floats(-3, 3), steps=st.integers(2, 30))
def test_keeps_the_noise_it_was_given_in_proportion(label: str, clean: float, offset: float, steps: int) -> None:
    """With one image only, its ODE is solved by x - image proportional to sigma, and by all methods exactly."""
    sigmas = geometric(steps)
    sigma_end = sigmas[-2] if SAMPLERS[label].own_steps else sigmas[-1]
    if label == "Restart" and steps >= 20:  # its own plan then ends at 0, wherever the schedule ends
        sigma_end = sigmas.new_zeros(())
    start = pixel(clean + offset * sigmas[0].item())
    end = run(label, lambda step, x, sigma: torch.full_like(x, clean), start, sigmas, eta=0.0, noise=silent)
    loose = 2e-3 if label == "DEIS" else 1e-8
    assert end.item() == pytest.approx(clean + offset * sigma_end.item(), abs=loose)


def silent(sigma: Tensor, sigma_next: Tensor) -> Tensor:
    return sigma.new_zeros(())


@pytest.mark.parametrize("label", IN_TIMESTEPS)
def test_timestep_samplers_keep_the_one_image_and_the_one_noise(label: str) -> None:
    """epsilon that is right for one image and one noise carries along sqrt(abar) image + sqrt(1 - abar) noise."""
    image, noise, table = pixel(0.8), pixel(-1.3), alphas(torch.float64)
    times, starts = timesteps(10), 999 if label == "UniPC" else 901

    def mixed(timestep: int) -> Tensor:
        return table[timestep].sqrt() * image + (1 - table[timestep]).sqrt() * noise

    end = run_timesteps(label, unguided(Counted(lambda x, t: noise)), mixed(starts), times)
    torch.testing.assert_close(end, mixed(0 if label in ("PNDM", "UniPC") else 1), atol=1e-5, rtol=0)


# orders of convergence


@pytest.mark.parametrize(
    ("label", "order"),
    [
        ("Euler", 1), ("Euler a", 1), ("Heun", 2), ("DPM2", 2), ("DPM2 a", 2), ("DPM++ 2S a", 2), ("DPM++ 2M", 2),
        ("DPM++ 2M SDE", 2), ("DPM++ 2M SDE Heun", 2), ("DPM++ 3M SDE", 2), ("LMS", 2), ("Restart", 2),
    ],
)  # fmt: skip
def test_error_shrinks_at_the_order_it_promises(label: str, order: int) -> None:
    """For unit Gaussian data the ideal denoiser is x / (1 + sigma^2), and the ODE has a closed form.

    LMS and 3M start with steps of lower order, which limits them to second.
    """

    def error(steps: int) -> float:
        if label == "Restart":  # below 20 steps it is Heun
            steps //= 8
        sigmas = geometric(steps)
        exact = 5.0 * ((1 + sigmas[-1] ** 2) / (1 + sigmas[0] ** 2)).sqrt()
        return (run(label, Counted(gaussian), pixel(5.0), sigmas, eta=0.0) - exact).abs().item()

    assert error(144) < error(72) / 2 ** (order - 0.35)
    assert error(144) < 0.06 / 4 ** (order - 1)


@pytest.mark.parametrize(("label", "gain"), [("IPNDM_V", 3), ("DEIS", 3), ("IPNDM", 3), ("HeunPP2", 1.2)])
def test_the_rest_beats_euler(label: str, gain: float) -> None:
    def error(name: str) -> float:
        sigmas = karras(40, sigma_min=0.1, sigma_max=10.0)[:-1]
        exact = 5.0 * ((1 + sigmas[-1] ** 2) / (1 + sigmas[0] ** 2)).sqrt()
        return (run(name, Counted(gaussian), pixel(5.0), sigmas) - exact).abs().item()

    assert error(label) < error("Euler") / gain


def ideal(latents: Tensor, timestep: Tensor) -> Tensor:
    """epsilon of data of standard deviation 1/2, at fractional timesteps too."""
    table = alphas(torch.float64).log()
    low = int(timestep.floor().clamp(0, 998))
    alpha = torch.lerp(table[low], table[low + 1], timestep.double() - low).exp()
    return (1 - alpha).sqrt() * latents / (alpha / 4 + 1 - alpha)


@pytest.mark.parametrize(("order", "gain"), [(1, 2), (2, 3), (3, 3.3)])
@pytest.mark.parametrize("variant", ["bh1", "bh2"])
def test_unipc_of_higher_order_converges_faster(variant: str, order: int, gain: float) -> None:
    """UniPC of order p converges at p + 1 (its corrector); the kinks of the interpolated levels cap what is seen."""

    def error(steps: int) -> float:
        times = torch.arange(steps) + 1
        options = UniPC(variant=variant, order=order, skip_type="logSNR", lower_order_final=False)
        end = run_timesteps("UniPC", unguided(Counted(ideal)), pixel(1.0), times, unipc=options).item()
        first, last = alphas(torch.float64)[[999, 0]].tolist()
        return abs(end - math.sqrt((last / 4 + 1 - last) / (first / 4 + 1 - first)))

    assert error(80) < error(40) / gain


# noise and batches


@pytest.mark.parametrize(
    ("stochastic", "plain"),
    [("Euler a", "Euler"), ("DPM2 a", "DPM2"), ("DPM++ 2M SDE", "DPM++ 2M")],
)
def test_without_eta_it_is_the_deterministic_sampler(stochastic: str, plain: str) -> None:
    ends = [run(label, Counted(wavy), pixel(7.0), karras(12), eta=0.0) for label in (stochastic, plain)]
    torch.testing.assert_close(*ends, rtol=1e-12, atol=0)


def test_ddpm_is_euler_ancestral_with_all_its_noise() -> None:
    ends = [run(label, Counted(wavy), pixel(7.0), karras(12), eta=1.0) for label in ("DDPM", "Euler a")]
    torch.testing.assert_close(*ends, rtol=1e-12, atol=0)


def test_ddpm_draws_from_the_posterior_of_its_paper() -> None:
    """Against eq. 6 and 7 of arXiv:2006.11239, in variance preserving terms."""
    sigma, sigma_next, x, denoised, drawn = 3.0, 1.2, 2.5, 0.4, math.sin(1)
    now, later = 1 / (1 + sigma**2), 1 / (1 + sigma_next**2)
    alpha, scaled = now / later, x * math.sqrt(now)
    epsilon = (x - denoised) / sigma
    mean = (scaled - (1 - alpha) / math.sqrt(1 - now) * epsilon) / math.sqrt(alpha)
    wanted = (mean + math.sqrt((1 - alpha) * (1 - later) / (1 - now)) * drawn) / math.sqrt(later)
    levels = torch.tensor([sigma, sigma_next], dtype=torch.float64)
    end = run("DDPM", lambda step, latents, level: pixel(denoised), pixel(x), levels)
    assert end.item() == pytest.approx(wanted)


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
def test_ddim_is_euler_ancestral_in_other_coordinates(eta: float) -> None:
    times, table = timesteps(10), alphas().double()
    levels = ((1 - table) / table).sqrt()[times.flip(0)]
    index = {round(level.item(), 9): int(t) for level, t in zip(levels, times.flip(0), strict=True)}

    def bent(latents: Tensor, timestep: Tensor) -> Tensor:
        return torch.tanh(latents) * (0.5 + timestep / 2000)

    def denoise(step: object, latents: Tensor, sigma: Tensor) -> Tensor:
        timestep = torch.tensor(index[round(sigma.item(), 9)])
        return latents - sigma * bent(latents / (1 + sigma**2).sqrt(), timestep)

    start = pixel(0.7)
    ddim = run_timesteps("DDIM", unguided(Counted(bent)), start, times, eta=eta)
    euler = run("Euler a", denoise, start * (1 + levels[0] ** 2).sqrt(), levels, eta=eta)
    torch.testing.assert_close(ddim, euler / (1 + levels[-1] ** 2).sqrt())


def test_cfgpp_without_guidance_is_ddim() -> None:
    ends = [
        run_timesteps(label, unguided(Counted(ideal)), pixel(0.7), timesteps(10)) for label in ("DDIM CFG++", "DDIM")
    ]
    assert torch.equal(*ends)


def streams(batch: Tensor) -> StepNoise:
    """Noise of which every image has its own stream, told apart by its first latent."""
    generators = [torch.Generator().manual_seed(int(image.flatten()[0] * 1000)) for image in batch]

    def draw(sigma: Tensor, sigma_next: Tensor) -> Tensor:
        return torch.stack([torch.randn(batch.shape[1:], generator=g, dtype=torch.float64) for g in generators])

    return draw


@pytest.mark.parametrize("label", [label for label in SAMPLERS if label != "DPM adaptive"])
def test_a_batch_is_its_single_images(label: str) -> None:
    def walk(batch: Tensor) -> Tensor:
        if label in IN_TIMESTEPS:
            epsilon = unguided(Counted(lambda x, t: torch.tanh(x) * (0.5 + t / 2000)))
            return run_timesteps(label, epsilon, batch, timesteps(10), noise=streams(batch), eta=1.0)
        return run(label, Counted(wavy), batch, karras(24), noise=streams(batch), s_churn=3.0)

    batch = torch.linspace(1, 9, 3 * 4 * 2 * 2, dtype=torch.float64).reshape(3, 4, 2, 2)
    whole = walk(batch.clone())
    torch.testing.assert_close(whole, torch.cat([walk(image[None].clone()) for image in batch]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("label", list(SAMPLERS))
def test_the_latents_handed_in_are_left_as_they_were(label: str) -> None:
    start = pixel(0.7)
    if label in IN_TIMESTEPS:
        run_timesteps(label, unguided(Counted(ideal)), start, timesteps(10))
    else:
        run(label, Counted(wavy), start, karras(8), s_churn=2.0)
    assert start.item() == 0.7


@pytest.mark.parametrize("label", [s for s, info in SAMPLERS.items() if info.takes_s_noise])
def test_s_noise_scales_the_noise(label: str) -> None:
    """In a world of one image at 0 all is linear in start and noise: doubling both doubles the end."""

    def end(start: float, s_noise: float) -> Tensor:
        return run(label, lambda step, x, sigma: x * 0, pixel(start), geometric(8), s_noise=s_noise, noise=SineNoise())

    torch.testing.assert_close(end(8.0, 2.0), 2 * end(4.0, 1.0))
    assert not torch.allclose(end(4.0, 1.0), end(4.0, 0.0))


# agreement with diffusers, where it has the same method


BETAS = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


@from_numpy
@pytest.mark.parametrize("steps", [5, 20])
@pytest.mark.parametrize(
    ("label", "class_name"),
    [("Euler", "EulerDiscreteScheduler"), ("Heun", "HeunDiscreteScheduler"), ("LMS", "LMSDiscreteScheduler")],
)
def test_agrees_with_diffusers_in_noise_level_space(label: str, class_name: str, steps: int) -> None:
    scheduler = getattr(diffusers, class_name)(**BETAS, use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    sigmas = scheduler.sigmas.unique().flip(0)  # Heun's come twice
    torch.testing.assert_close(sigmas, karras(steps).float(), rtol=1e-4, atol=1e-6)
    wanted = start = pixel(7.0, torch.float32)
    for index, timestep in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(wanted, timestep)
        sigma = scheduler.sigmas[index]
        wanted = scheduler.step((wanted - wavy(wanted, sigma)) / sigma, timestep, wanted).prev_sample
    torch.testing.assert_close(run(label, Counted(wavy), start, sigmas), wanted, rtol=1e-4, atol=1e-5)


@from_numpy
def test_agrees_with_diffusers_euler_ancestral() -> None:
    scheduler = SCHEDULERS.EulerAncestralDiscreteScheduler(**BETAS)
    scheduler.set_timesteps(12)
    theirs, ours = torch.Generator().manual_seed(7), torch.Generator().manual_seed(7)
    wanted = start = torch.full((2, 4, 3, 3), 7.0)
    for index, timestep in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(wanted, timestep)
        sigma = scheduler.sigmas[index]
        epsilon = (wanted - wavy(wanted, sigma)) / sigma
        wanted = scheduler.step(epsilon, timestep, wanted, generator=theirs).prev_sample
    end = run(
        "Euler a", Counted(wavy), start, scheduler.sigmas,
        noise=lambda a, b: torch.randn(start.shape, generator=ours),
    )  # fmt: skip
    torch.testing.assert_close(end, wanted, rtol=1e-4, atol=1e-4)


@from_numpy
@pytest.mark.parametrize("steps", [5, 20])
@pytest.mark.parametrize(("label", "algorithm"), [("DPM++ 2M", "dpmsolver++"), ("DPM++ 2M SDE", "sde-dpmsolver++")])
def test_agrees_with_diffusers_dpmpp_2m(label: str, algorithm: str, steps: int) -> None:
    """Diffusers walks variance-preserving latents; on the way to the model they are brought to our scale."""
    scheduler = SCHEDULERS.DPMSolverMultistepScheduler(**BETAS, algorithm_type=algorithm, use_karras_sigmas=True)
    scheduler.set_timesteps(steps)
    sigmas, start, sines = scheduler.sigmas, pixel(7.0, torch.float32), SineNoise()
    preserving = start / (1 + sigmas[0] ** 2).sqrt()
    for index, timestep in enumerate(scheduler.timesteps):
        exploding = preserving * (1 + sigmas[index] ** 2).sqrt()
        epsilon = (exploding - wavy(exploding, sigmas[index])) / sigmas[index]
        drawn = pixel(math.sin(index + 1), torch.float32)
        preserving = scheduler.step(epsilon, timestep, preserving, variance_noise=drawn).prev_sample
    ours = run(label, Counted(wavy), start, sigmas, noise=lambda a, b: sines(a, b).float())
    torch.testing.assert_close(preserving, ours, rtol=1e-4, atol=1e-4)


def tilted(latents: Tensor, timestep: Tensor) -> Tensor:
    return torch.tanh(latents) * (0.5 + timestep / 2000)


@from_numpy
@pytest.mark.parametrize("steps", [4, 10, 20])
@pytest.mark.parametrize("label", ["DDIM", "PLMS", "PNDM"])
def test_agrees_with_diffusers_in_timestep_space(label: str, steps: int) -> None:
    common = {**BETAS, "set_alpha_to_one": False, "steps_offset": 1}
    if label == "DDIM":
        scheduler = SCHEDULERS.DDIMScheduler(**common, clip_sample=False)
    else:
        scheduler = SCHEDULERS.PNDMScheduler(**common, skip_prk_steps=label == "PLMS")
    scheduler.set_timesteps(steps)
    wanted = start = pixel(0.7, torch.float32)
    # Ours leaves DDIM and PLMS at the first timestep, as A1111 does; diffusers goes one step further.
    for timestep in scheduler.timesteps if label == "PNDM" else scheduler.timesteps[:-1]:
        wanted = scheduler.step(tilted(wanted, timestep), timestep, wanted).prev_sample
    model = Counted(tilted)
    ours = run_timesteps(label, unguided(model), start, timesteps(steps))
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


@from_numpy
@pytest.mark.parametrize("variant", ["bh1", "bh2"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_agrees_with_diffusers_unipc(variant: str, order: int) -> None:
    """On our grid, whose levels are handed to it."""
    model, start = Counted(tilted), pixel(0.7, torch.float32)
    options = UniPC(variant=variant, order=order)
    ours = run_timesteps("UniPC", unguided(model), start, timesteps(10), unipc=options)

    scheduler = SCHEDULERS.UniPCMultistepScheduler(**BETAS, solver_order=order, solver_type=variant)
    scheduler.set_timesteps(10)
    positions = torch.tensor([*model.levels, 0.0], dtype=torch.float64)
    table = alphas(torch.float64).log()
    low = positions.floor().long().clamp(0, 998)
    alpha = torch.lerp(table[low], table[low + 1], positions - low).exp()
    scheduler.sigmas = ((1 - alpha) / alpha).sqrt().float()
    wanted = start
    for level, timestep in zip(model.levels, scheduler.timesteps, strict=True):
        wanted = scheduler.step(tilted(wanted, torch.tensor(level)), timestep, wanted).prev_sample
    torch.testing.assert_close(ours, wanted, rtol=2e-4, atol=1e-5)
