"""Samplers that extensions bring: they work as the program's own do, and hostile ones cost their job alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from extensions.gradient_estimation.plugin import move
from tests.api.fakes import Api, FakeEngine
from tests.exact_back import exact_back
from tests.extensions.toys import toy
from tests.narrowing import known
from tests.processing.reporters import Silent
from tests.sampling.toy import NoHooks, SineNoise, gaussian, geometric, pixel, run, unwatched
from webui.domain.catalog import SAMPLERS, sampler_facts
from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.hires import Hires
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.engine.script_surroundings import surroundings_of
from webui.experiments.prompt_lines import PROMPT_LINES
from webui.experiments.xyz_plot import XYZ_PLOT
from webui.output.parse import parse, read_fields
from webui.plugins.calling import Calls
from webui.plugins.catalog import Catalog
from webui.plugins.hosted_samplers import HostedSamplers
from webui.plugins.loader import Loaded, load_all
from webui.processing.back import Back
from webui.sampling.loop import sample
from webui.sampling.stepping import SamplerOptions, along

ROOT = Path(__file__).parents[2]
EULER = """
    from webui.extension_api.tensors import Moved, tangent

    def euler(denoise, latents, step, past, noise, options):
        denoised = denoise(latents, step.sigma)
        latents.add_(tangent(latents, denoised, step.sigma) * (step.sigma_next - step.sigma))
        return Moved(latents, denoised)

    def exits(denoise, latents, step, past, noise, options):
        raise SystemExit

    def half(denoise, latents, step, past, noise, options):
        return Moved(latents[..., 1:], latents)

    def spoils(denoise, latents, step, past, noise, options):
        return Moved(latents * float("nan"), denoise(latents, step.sigma))

    def asks(denoise, latents, step, past, noise, options):
        return Moved(latents, denoise(latents[:, :3], step.sigma))

    def asks_at_nothing(denoise, latents, step, past, noise, options):
        return Moved(latents, denoise(latents, 0 * step.sigma))

    def another_precision(denoise, latents, step, past, noise, options):
        return Moved(latents.double(), latents)

    HOSTILE = (exits, half, spoils, asks, asks_at_nothing, another_precision)

    @hookimpl
    def samplers():
        hostile = [Sampler(move.__name__.replace("_", " "), move) for move in HOSTILE]
        return [Sampler("My Euler", euler), Sampler("nothing", lambda *given: None), *hostile]
"""
HOSTILE = {
    "nothing": "returned NoneType, expected Moved",
    "exits": "called sys.exit",
    "half": "expected \\(1, 4, 8, 8\\)",
    "spoils": "NaN",
    "asks": "expected \\(1, 4, 8, 8\\)",
    "asks at nothing": "noise level",
    "another precision": "float64",
}
PICTURE = Picture.of(Image.new("RGB", (64, 64), "teal"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("brought") / "extensions"
    toy(made, "mine", EULER)
    toy(made, "second", EULER)  # the same names again
    shutil.copytree(ROOT / "extensions" / "gradient_estimation", made / "gradient_estimation")
    return made


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Loaded:
    return load_all(folder)


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, folder: Path) -> Iterator[Back]:
    made = exact_back(models_dir=tiny_models_dir, data_dir=folder.parent / "data", extensions_dir=folder)
    yield made
    made.close()


def request_of(sampler: str, **more: Any) -> GenerationRequest:
    base = GenerationRequest(prompt="a cat", checkpoint="tiny-sd1", steps=2, seed=5, width=64, height=64)
    return base.with_(sampler=sampler, **more)


def pixels(back: Back, sampler: str, **more: Any) -> np.ndarray:
    return np.asarray(back.run(request_of(sampler, **more), Silent()).images[0].image)


SECOND = Txt2Img(hires=Hires(enabled=True, upscaler="Latent", scale=1.5, denoising_strength=0.6))
MASKED = Img2Img(
    image=PICTURE,
    denoising_strength=0.8,
    inpainting=Inpainting(mask=Mask.of(Image.new("L", (64, 64), 255))),
)


@pytest.mark.parametrize("more", [{}, {"scheduler": "Karras"}, {"task": SECOND}, {"task": MASKED}, {"batch_size": 2}])
def test_it_works_wherever_the_programs_own_do(back: Back, more: dict[str, Any]) -> None:
    assert np.array_equal(pixels(back, "My Euler", **more), pixels(back, "Euler", **more))


def test_it_can_make_the_second_pass(back: Back) -> None:
    own = Txt2Img(hires=SECOND.hires.model_copy(update={"sampler": "My Euler"}))
    assert np.array_equal(pixels(back, "Euler", task=own), pixels(back, "Euler", task=SECOND))


def test_its_name_is_written_and_read_back(back: Back, loaded: Loaded) -> None:
    text = back.run(request_of("My Euler"), Silent()).images[0].infotext
    assert parse(text)["Sampler"] == "My Euler"
    assert read_fields(parse(text), loaded.infos).request.sampler == "My Euler"
    without = read_fields(parse(text))
    assert without.request.sampler == GenerationRequest().sampler
    assert "there is no sampler 'My Euler'" in without.notices[0].text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_one_ends_its_job_with_both_names(back: Back, name: str) -> None:
    with pytest.raises(WebuiError, match=f"extension mine, sampler {name}, step 1: .*{HOSTILE[name]}"):
        back.run(request_of(name), Silent())


def test_after_them_all_is_as_before(back: Back) -> None:
    assert pixels(back, "Euler").shape == (64, 64, 3)


def test_nan_of_the_network_is_not_the_samplers(loaded: Loaded) -> None:
    brought = HostedSamplers(loaded, Calls()).planned("My Euler")
    end = sample(
        sampler_facts("My Euler"), lambda step, latents, sigma: latents * torch.nan, pixel(1.0), geometric(3),
        options=SamplerOptions(), noise=SineNoise(), hooks=NoHooks(), watch=unwatched, brought=brought,
    )  # fmt: skip
    assert end.isnan().all()


@pytest.mark.parametrize("field", ["sampler", "task.hires.sampler"])
def test_one_that_nobody_has_is_refused(back: Back, field: str) -> None:
    own = Txt2Img(hires=SECOND.hires.model_copy(update={"sampler": "Nobody's"}))
    asked = request_of("Nobody's") if field == "sampler" else request_of("Euler", task=own)
    with pytest.raises(BadRequestError, match=r"there is no sampler .Nobody's.") as refused:
        back.run(asked, Silent())
    assert refused.value.field == field


@pytest.mark.parametrize("name", ["", " a", "a\nb", "<lora:a:1>", "a, b", "a: b", "x" * 61])
def test_a_name_that_no_sampler_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="no sampler"):
        GenerationRequest(sampler=name)


WRONG = {
    "another kind": "['Euler']",
    "no function": "[Sampler('A', None)]",
    "a memory below nothing": "[Sampler('A', print, memory=-1)]",
    "a name of the program": "[Sampler('Euler', print)]",
    "an old name of the program": "[Sampler('k_euler', print)]",
    "a name that means another": "[Sampler('DPM++ 2M Karras', print)]",
    "twice the same": "[Sampler('A', print), Sampler('A', print)]",
    "a name with a tag": "[Sampler('<a>', print)]",
    "too many": "[Sampler(str(n), print) for n in range(51)]",
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=[*WRONG])
def test_what_does_not_fit_is_refused_in_words(tmp_path: Path, answer: str) -> None:
    toy(tmp_path, "bad", f"\n    @hookimpl\n    def samplers():\n        return {answer}\n")
    [info] = load_all(tmp_path).infos
    assert info.state == "failed"
    assert info.error.startswith("samplers")


def test_lists_and_doors_know_it(loaded: Loaded) -> None:
    engine = FakeEngine(extensions=Catalog(loaded.infos))
    api = Api(engine)
    names = [one["name"] for one in api.get("/sdapi/v1/samplers").json()]
    assert names[: len(SAMPLERS)] == [*SAMPLERS]
    assert {"My Euler", "Gradient estimation"} < {*names[len(SAMPLERS) :]}
    assert len(names) == len({*names})
    around = surroundings_of(engine.library, (), loaded.infos)
    plot = XYZ_PLOT.start(request_of("Euler"), _sampler_axis("Euler, My Euler"), around)
    assert [cell.sampler for cell in known(plot.plan).cells] == ["Euler", "My Euler"]
    with pytest.raises(BadRequestError, match=r"there is no sampler .Nobody's."):
        XYZ_PLOT.start(request_of("Euler"), _sampler_axis("Euler, Nobody's"), around)
    lines = PROMPT_LINES.start(
        request_of("Euler"), (False, False, "start", '--prompt a --sampler_name "my euler"'), around
    )
    assert [cell.sampler for cell in known(lines.plan).cells] == ["My Euler"]


def _sampler_axis(values: str) -> tuple[Any, ...]:
    return ("Sampler", values, "", "Nothing", "", "", "Nothing", "", "")


def test_gradient_estimation_is_the_papers() -> None:
    """Its first step is Euler's, the second goes along 2 eps - eps before; a straight path is met exactly."""
    levels = geometric(2)
    sampler = along(move, memory=1)

    def end(denoise: Any, levels: torch.Tensor) -> float:
        made = sample(
            sampler_facts("Gradient estimation"), denoise, pixel(3.0), levels,
            options=SamplerOptions(), noise=SineNoise(), hooks=NoHooks(), watch=unwatched, brought=sampler,
        )  # fmt: skip
        return float(made)

    first = (3.0 - 3.0 / (1 + levels[0] ** 2)) / levels[0]
    middle = 3.0 + first * (levels[1] - levels[0])
    second = (middle - middle / (1 + levels[1] ** 2)) / levels[1]
    expected = middle + (2 * second - first) * (levels[2] - levels[1])
    assert end(lambda step, latents, sigma: gaussian(latents, sigma), levels) == pytest.approx(
        float(expected), rel=1e-12
    )
    straight = torch.tensor([10.0, 4.0, 1.0, 0.0], dtype=torch.float64)
    assert end(lambda step, latents, sigma: torch.full_like(latents, 0.5), straight) == pytest.approx(0.5, rel=1e-12)
    assert float(run("Euler", lambda step, latents, sigma: gaussian(latents, sigma), pixel(3.0), levels)) != expected
