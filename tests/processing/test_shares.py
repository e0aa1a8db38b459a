"""A job in shares, as several devices make it: the first share draws for all, and the bytes are those of the whole."""

from pathlib import Path

import pytest

from tests.exact_back import exact_back
from tests.extensions.toys import toy
from tests.processing.reporters import Silent
from webui.domain.planned_image import SettledPlan
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult
from webui.processing.back import Back
from webui.processing.ports import Share

DRAWING = """
import random
from dataclasses import replace

@hookimpl
def join_job(job):
    return Drawing()

class Drawing:
    @hookimpl
    def edit_request(self, request):
        return request.with_(steps=random.randrange(2, 6), prompt=f"{request.prompt} {random.random()}")

    @hookimpl
    def plan_images(self, request, images):
        return [replace(one, seed=random.randrange(2**32)) for one in (*images, images[0])]
"""
REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler a", steps=3, n_iter=2, batch_size=2, width=64, height=64
)


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=data / "extensions")


@pytest.fixture(scope="module")
def drawing(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    toy(data / "extensions", "drawing", DRAWING)
    return exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=data / "extensions")


def in_shares(back: Back, request: GenerationRequest) -> tuple[SettledPlan, list[GenerationResult]]:
    """All shares of a request, and what the first has drawn."""
    told: list[SettledPlan] = []
    results = [back.run_share(request, Silent(), frozenset(), Share(None, told.append))]
    (plan,) = told
    everything = frozenset(range(len(plan.images)))
    for batch in range(1, len(plan.sizes)):
        made = everything - set(plan.indices(batch))
        results.append(back.run_share(request, Silent(), made, Share(plan, told.append)))
    assert told == [plan]
    return plan, results


def facts(images: list[GeneratedImage]) -> list[tuple[object, ...]]:
    return [(one.index, one.image.tobytes(), one.infotext, one.request, one.subseed) for one in images]


def test_shares_are_the_whole(back: Back) -> None:
    plan, results = in_shares(back, REQUEST)
    assert [len(result.images) for result in results] == [2, 2] == [*plan.sizes]
    whole = back.run(plan.request, Silent())
    assert facts([one for result in results for one in result.images]) == facts([*whole.images])
    assert {result.request.model_dump_json() for result in results} == {whole.request.model_dump_json()}


def test_what_an_extension_draws_at_random_is_drawn_once(drawing: Back) -> None:
    plan, results = in_shares(drawing, REQUEST)
    assert plan.sizes == (2, 2, 1)
    images = [one for result in results for one in result.images]
    assert [one.index for one in images] == [0, 1, 2, 3, 4]
    assert [one.request.seed for one in images] == [one.seed for one in plan.images]
    assert {(one.request.prompt, one.request.steps) for one in images} == {(plan.request.prompt, plan.request.steps)}
