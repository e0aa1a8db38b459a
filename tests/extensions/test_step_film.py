"""The film: frames are what they say, strips have the right size, and a picture is the same with and without one."""

import torch

from extensions.step_film.frames import Frame, frame, predicted_noise
from extensions.step_film.plugin import _spread
from extensions.step_film.strip import strip
from webui.extension_api.tensors import Step
from webui.weights.families.stable_diffusion.members import LATENTS


def test_the_noise_is_what_was_added() -> None:
    torch.manual_seed(0)
    clean, noise = torch.randn(2, 4, 6, 5)
    sigma = torch.tensor(3.0)
    torch.testing.assert_close(predicted_noise(clean + sigma * noise, clean, sigma), noise)


def test_both_spaces_show_the_same_step() -> None:
    torch.manual_seed(0)
    clean, noise = torch.randn(2, 4, 6, 5)
    sigma, sigma_next = torch.tensor(3.0), torch.tensor(2.0)
    noisy = clean + sigma * noise
    plain = frame(Step(0, 2, sigma, sigma_next), noisy, clean, LATENTS, 64)
    time = torch.tensor(700.0)
    preserving = noisy / (sigma**2 + 1).sqrt()
    timed = frame(Step(0, 2, sigma, sigma_next, timestep=time, timestep_next=time), preserving, clean, LATENTS, 64)
    assert [one.tobytes() for one in plain.pictures] == [one.tobytes() for one in timed.pictures]
    assert (plain.level, timed.level) == (3.0, 3.0)


def test_frames_and_strip_have_their_sizes() -> None:
    step = Step(3, 8, torch.tensor(2.0), torch.tensor(1.0))
    made = frame(step, torch.randn(4, 8, 16), torch.randn(4, 8, 16), LATENTS, 64)
    assert [one.size for one in made.pictures] == [(64, 32)] * 3
    assert (made.index, made.level) == (3, 2.0)
    whole = strip([made] * 5, [14.6, 7, 3, 1, 0.03, 0], "Euler, run 1")
    assert whole.width == 56 + 5 * 68
    assert whole.height == 24 + 3 * 36 + 20 + 96
    assert strip([made], [0.0], "x").width  # a level of 0 alone has no curve


def test_long_runs_are_spread_evenly() -> None:
    frames = [Frame(index, 1.0, None) for index in range(100)]  # type: ignore[arg-type]
    shown = [one.index for one in _spread(frames, 10)]
    assert shown == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]
    assert _spread(frames[:3], 10) == frames[:3]
