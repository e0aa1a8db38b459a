"""A1111's own grids, made again from the body that asked for them: order, pictures and texts of the answer."""

import json

import pytest

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.processing.test_goldens import EXTENSIONS, psnr
from tests.reference import BETWEEN, FURTHER, THIRD, Case, cases, each, without_version
from webui.api.sdapi.dialect.answers import info
from webui.api.sdapi.dialect.chosen import ChosenSettings
from webui.api.sdapi.dialect.grids import grid_image
from webui.api.sdapi.dialect.models import Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.request_settings import settings_of
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.request import GenerationRequest
from webui.processing.back import Back

TOLERANCE = 45.0  # dB, that of the reference images' own comparison


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=FURTHER / "models", data_dir=data, extensions_dir=EXTENSIONS)


@each(cases(".png", where=lambda case: case.group == "grids", folders=(THIRD,)))
def test_the_answer_is_a1111s(case: Case, back: Back) -> None:
    expected = json.loads(case.file(".json").read_text(encoding="utf-8"))
    body = read_body(case.body(), Img2ImgBody if case.endpoint.endswith("img2img") else Txt2ImgBody)
    settings = settings_of(body.override_settings, ChosenSettings())
    result = back.run(to_request(body, GenerationRequest()), Silent())
    grid = grid_image(result, settings.grid) if settings.grid.returned else None
    shown = result.images if grid is None else (grid, *result.images)
    assert len(shown) == case.images
    for number, (one, size) in enumerate(zip(shown, expected["image_sizes"], strict=True)):
        assert [*one.image.size, one.image.mode] == size
        assert psnr(one.image, case.picture(number)) >= TOLERANCE, f"image {number}"
    told = info(result, (), grid)
    assert told["index_of_first_image"] == expected["index_of_first_image"]
    assert len(told["infotexts"]) == expected["n_infotexts"]
    assert told["all_seeds"] == case.seeds
    assert without_version(BETWEEN.join(told["infotexts"])) == without_version(BETWEEN.join(case.infotexts()))
