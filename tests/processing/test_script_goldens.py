"""A1111's scripts, made again from the bodies that named them: order, sizes, pictures and texts of the answers."""

from pathlib import Path

import pytest

from tests.a1111_answers import assert_texts, body_of, check_pictures
from tests.processing.reporters import Silent
from tests.reference import Case, over_cases
from webui.api.sdapi.dialect.chosen import ChosenSettings
from webui.api.sdapi.dialect.experiment import experiment_of, surroundings
from webui.api.sdapi.dialect.request_settings import settings_of
from webui.api.sdapi.dialect.translate import to_request
from webui.domain.request import GenerationRequest
from webui.experiments.course import Made, Shown
from webui.library.library import ModelLibrary
from webui.processing.back import Back
from webui.weights.families.registry import FAMILIES

GROUPS = ("scripts", "scripts2", "ultimate")
LINES = "Prompts from file or textbox"
TOLERANCE = 45.0  # dB, that of the reference images' own comparison


@pytest.fixture(scope="module")
def library(reference_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    return ModelLibrary(reference_models_dir, tmp_path_factory.mktemp("cache"), FAMILIES)


@over_cases(".png", where=lambda case: case.group in GROUPS)
def test_the_answer_is_a1111s(case: Case, reference_back: Back, library: ModelLibrary) -> None:
    body = body_of(case)
    rules = settings_of(body.override_settings, ChosenSettings()).grid
    around = surroundings(body, library, (), rules)
    experiment = experiment_of(body, to_request(body, GenerationRequest()), around)
    assert experiment is not None
    made: Made | None = None
    count = 0
    while True:
        try:
            request = next(experiment.course) if made is None else experiment.course.send(made)
        except StopIteration as end:
            shown: Shown = end.value
            break
        made = Made(reference_back.run(request, Silent()))
        count += 1
    assert count == experiment.count
    check_pictures(case, [picture.image.image for picture in shown.pictures], TOLERANCE)
    if experiment.title != LINES:  # of lines A1111 tells the seed that would come next
        assert list(shown.seeds) == case.seeds
    assert shown.first_image == case.told().get("index_of_first_image", 0)
    assert_texts(case, [str(text) for text in shown.infotexts])
