"""The noise that leads to a picture: the way up is the way down made backwards; the script is A1111's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from extensions.img2img_alternative.found_noise import as_noise, mixed, noised_up
from extensions.img2img_alternative.options import AlternativeOptions
from extensions.img2img_alternative.plugin import dialect
from tests.experiments.courses import run as run_course
from tests.narrowing import known
from tests.processing.reporters import Silent
from tests.sampling import toy
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GenerationResult
from webui.experiments.origin import Surroundings
from webui.experiments.script_list import script_named
from webui.extension_api.tensors import RunStart, Step
from webui.output.parse import parse, read_fields
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]
TITLE = "img2img alternative test"
NAME = "img2img_alternative"
AROUND = Surroundings(heard={word.name: (NAME, word.option) for word in dialect().infotext})
CLEAN = torch.linspace(-2, 2, 16, dtype=torch.float64).view(1, 1, 4, 4)


def way_back(levels: Tensor, *, adjusted: bool) -> float:
    """How far Euler's method ends from the latents that the way up began with."""

    def denoise(step: Step, latents: Tensor) -> Tensor:
        return toy.wavy(latents, step.sigma)

    top = noised_up(CLEAN, levels, denoise, adjusted=adjusted)
    down = toy.run("Euler", lambda step, latents, sigma: toy.wavy(latents, sigma), top, levels)
    return float((down - CLEAN).abs().max())


@pytest.mark.parametrize("adjusted", [False, True])
def test_the_way_up_is_the_way_down_made_backwards(adjusted: bool) -> None:
    few, more, many = (way_back(toy.karras(count), adjusted=adjusted) for count in (10, 40, 160))
    assert more < few / 2
    assert many < more / 1.9  # adjusted, the first step from 0 is lost, however many there are


def test_each_step_asks_where_it_is_told() -> None:
    asked: list[tuple[int, float]] = []

    def denoise(step: Step, latents: Tensor) -> Tensor:
        asked.append((step.index, float(step.sigma)))
        return latents / 2

    levels = torch.tensor([4.0, 2.0, 1.0, 0.0])
    plain = noised_up(torch.ones(1), levels, denoise)
    assert asked == [(2, 1.0), (1, 2.0), (0, 4.0)]
    assert float(plain) == pytest.approx(1.5 * 1.25 * 1.25)
    asked.clear()
    adjusted = noised_up(torch.ones(1), levels, denoise, adjusted=True)
    assert asked == [(1, 1.0), (0, 2.0)]  # nothing can be asked at 0
    assert float(adjusted) == pytest.approx(1.5 * 1.5)


def test_noise_has_deviation_1_or_its_own_strength() -> None:
    top, levels = torch.randn(2, 4, 8, 8) * 7, torch.tensor([5.0, 1.0, 0.0])
    assert float(as_noise(top, levels).std()) == pytest.approx(1)
    assert torch.equal(as_noise(top, levels, adjusted=True), top / 5)
    one, other = torch.randn(2, 40_000)
    assert torch.equal(mixed(one, other, 0), one)
    assert torch.equal(mixed(one, other, 1), other)
    assert float(mixed(one, other, 0.3).std()) == pytest.approx(1, abs=0.02)


@pytest.fixture(scope="module")
def back(bundled_back: Back) -> Back:
    return bundled_back


def gradient() -> Picture:
    across = np.linspace(0, 255, 64, dtype=np.uint8)
    return Picture.of(
        Image.fromarray(np.stack([np.tile(across, (64, 1)), np.tile(across, (64, 1)).T] * 2, -1)[..., :3])
    )


FROM_NOISE = GenerationRequest(
    prompt="a cat", checkpoint="tiny-sd1", sampler="Euler", steps=3, seed=5, width=64, height=64, cfg_scale=2
)
REQUEST = FROM_NOISE.with_(task=Img2Img(image=gradient(), denoising_strength=0.4, noise_multiplier=0.5))
ARGS: tuple[Any, ...] = (None, True, True, "a dog, (old:1.2)", "fog", True, 4, True, 1.5, 0.25, True)


def asked_for(*args: Any, request: GenerationRequest = REQUEST) -> GenerationRequest:
    """The request that the script makes."""
    _, (asked,) = run_course(known(script_named(TITLE)).start(request, args, AROUND))
    return asked


def pixels(result: GenerationResult) -> np.ndarray:
    assert not result.notices
    return np.asarray(result.images[0].image).astype(int)


def test_arguments_by_place() -> None:
    asked = asked_for(*ARGS)
    assert (asked.prompt, asked.negative_prompt, asked.sampler, asked.steps) == ("a dog, (old:1.2)", "fog", "Euler", 4)
    assert isinstance(asked.task, Img2Img)
    assert asked.task.denoising_strength == 1
    assert AlternativeOptions.model_validate(asked.extensions[NAME]) == AlternativeOptions(
        original_prompt="a dog, (old:1.2)", original_negative_prompt="fog", decode_cfg_scale=1.5, decode_steps=4,
        randomness=0.25, sigma_adjustment=True,
    )  # fmt: skip
    kept = asked_for(None, False, False, "a dog", "", False, 4, False, request=REQUEST.with_(sampler="Heun"))
    assert kept.with_(extensions={}) == REQUEST.with_(sampler="Heun", subseed=kept.subseed)
    assert AlternativeOptions.model_validate(asked_for().extensions[NAME]) == AlternativeOptions()


def test_several_pictures_have_a_grid() -> None:
    script = known(script_named(TITLE))
    shown, _ = run_course(script.start(REQUEST.with_(n_iter=2), ARGS, AROUND))
    assert [one.role for one in shown.pictures] == ["grid", "cell", "cell"]
    assert (shown.first_image, shown.seeds, shown.pictures[0].image.image.size) == (1, (5, 6), (128, 64))


def test_what_is_told_makes_the_same_again(back: Back) -> None:
    first = back.run(asked_for(*ARGS).with_(batch_size=2), Silent())
    told = first.images[0].infotext
    assert (
        'RNG: CPU, Decode prompt: "a dog, (old:1.2)", Decode negative prompt: fog, Decode CFG scale: 1.5, '
        "Decode steps: 4, Randomness: 0.25, Sigma Adjustment: True, Version"
    ) in told
    reading = read_fields(parse(told), back.extensions()).request
    assert reading.extensions[NAME]["decode_cfg_scale"] == 1.5
    again = back.run(reading.with_(task=REQUEST.task.model_copy(update={"denoising_strength": 1.0})), Silent())
    assert np.abs(pixels(first) - pixels(again)).max() <= 1


def test_the_noise_of_the_seed_alone_is_txt2img(back: Back) -> None:
    options = {NAME: {"randomness": 1.0, "decode_steps": 2}}
    task = REQUEST.task.model_copy(update={"denoising_strength": 1.0})
    random = back.run(REQUEST.with_(task=task, extensions=options), Silent())
    assert np.abs(pixels(random) - pixels(back.run(FROM_NOISE, Silent()))).max() <= 1


def test_without_a_picture_it_says_so(back: Back) -> None:
    result = back.run(FROM_NOISE.with_(extensions={NAME: {}}), Silent())
    assert "img2img alone" in known(next(iter(result.notices))).text
    assert "Decode" not in result.images[0].infotext


@pytest.mark.parametrize(
    ("error", "told"), [(RuntimeError("no room"), "no room"), (torch.OutOfMemoryError("no room"), "memory ran out")]
)
def test_what_the_network_raises_is_no_fault_of_the_extension(
    back: Back, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fails(start: RunStart, *_: Any) -> Tensor:
        raise error

    monkeypatch.setattr("webui.processing.sample.estimates", lambda *_: fails)
    with pytest.raises(Exception, match=told):
        back.run(asked_for(*ARGS), Silent())
