"""A1111's scripts, made again from the bodies that named them: order, sizes, pictures and texts of the answers."""

import json

import pytest

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.processing.test_goldens import EXTENSIONS, psnr
from tests.reference import BETWEEN, FURTHER, THIRD, Case, cases, each, without_version
from webui.api.sdapi.dialect.chosen import ChosenSettings
from webui.api.sdapi.dialect.experiment import experiment_of, surroundings
from webui.api.sdapi.dialect.models import Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.request_settings import settings_of
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.request import GenerationRequest
from webui.experiments.course import Made, Shown
from webui.library.library import ModelLibrary
from webui.processing.back import Back
from webui.weights.families.registry import FAMILIES

LINES = "Prompts from file or textbox"
QUICK = ("usd_custom_256x128_height0", "usd_none_band")  # of Ultimate SD upscale; the others take minutes
TOLERANCE = 45.0  # dB, that of the reference images' own comparison


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    return exact_back(
        models_dir=FURTHER / "models", data_dir=tmp_path_factory.mktemp("data"), extensions_dir=EXTENSIONS
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    return ModelLibrary(FURTHER / "models", tmp_path_factory.mktemp("cache"), FAMILIES)


def is_tried(case: Case) -> bool:
    return case.group in ("scripts", "scripts2") or case.name in QUICK


@each(cases(".png", where=is_tried, folders=(FURTHER, THIRD)))
def test_the_answer_is_a1111s(case: Case, back: Back, library: ModelLibrary) -> None:
    expected = json.loads(case.file(".json").read_text(encoding="utf-8"))
    body = read_body(case.body(), Img2ImgBody if case.endpoint.endswith("img2img") else Txt2ImgBody)
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
        made = Made(back.run(request, Silent()))
        count += 1
    assert count == experiment.count
    assert len(shown.pictures) == case.images
    for number, picture in enumerate(shown.pictures):
        assert picture.image.image.size == case.picture(number).size
        assert psnr(picture.image.image, case.picture(number)) >= TOLERANCE, f"image {number}"
    if experiment.title != LINES:  # of lines A1111 tells the seed that would come next
        assert list(shown.seeds) == case.seeds
    assert shown.first_image == expected.get("index_of_first_image", 0)
    assert without_version(BETWEEN.join(map(str, shown.infotexts))) == without_version(BETWEEN.join(case.infotexts()))
