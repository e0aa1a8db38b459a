"""A1111's own grids, made again from the body that asked for them: order, pictures and texts of the answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.processing.reporters import Silent
from tests.processing.test_goldens import EXTENSIONS, GOLDENS, psnr, with_files, without_version
from webui.api.sdapi.dialect.answers import info
from webui.api.sdapi.dialect.chosen import ChosenSettings
from webui.api.sdapi.dialect.grids import grid_image
from webui.api.sdapi.dialect.models import Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.request_settings import settings_of
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.request import GenerationRequest
from webui.domain.settings import BackSettings
from webui.processing.back import Back, build

CASES = GOLDENS.with_name("goldens3") / "cases"
TOLERANCE = 45.0  # dB, that of the reference images' own comparison


def cases() -> list[dict[str, Any]]:
    if not CASES.is_dir():
        return []
    index = json.loads((CASES.parent / "index.json").read_text())["cases"]
    return [json.loads((CASES / f"{one['name']}.json").read_text()) for one in index if one["group"] == "grids"]


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    data = tmp_path_factory.mktemp("data")
    return build(
        BackSettings(
            models_dir=GOLDENS / "models",
            data_dir=data,
            extensions_dir=EXTENSIONS,
            device="cpu",
            precision="fp32",
            threads=1,
        )
    )


@pytest.mark.skipif(not CASES.is_dir(), reason="the reference images are not here (../shared/goldens3)")
def test_there_are_reference_grids() -> None:
    assert len(cases()) > 3


@pytest.mark.parametrize("case", cases(), ids=lambda case: str(case["name"]))
def test_the_answer_is_a1111s(case: dict[str, Any], back: Back) -> None:
    payload = {name: with_files(value) for name, value in case["payload"].items()}
    kind = Img2ImgBody if str(case["endpoint"]).endswith("img2img") else Txt2ImgBody
    body = read_body(payload, kind)
    settings = settings_of(body.override_settings, ChosenSettings())
    result = back.run(to_request(body, GenerationRequest()), Silent())
    grid = grid_image(result, settings.grid) if settings.grid.returned else None
    shown = result.images if grid is None else (grid, *result.images)
    assert len(shown) == case["n_images"]
    for number, (one, size) in enumerate(zip(shown, case["image_sizes"], strict=True)):
        assert [*one.image.size, one.image.mode] == size
        with Image.open(_file(case["name"], number)) as golden:
            assert psnr(one.image, golden.convert("RGB")) >= TOLERANCE, f"image {number}"
    told = info(result, (), grid)
    assert told["index_of_first_image"] == case["index_of_first_image"]
    assert len(told["infotexts"]) == case["n_infotexts"]
    assert told["all_seeds"] == case["all_seeds"]
    text = (CASES / f"{case['name']}.txt").read_text()
    assert without_version("\n=====\n".join(told["infotexts"])) == without_version(text)


def _file(name: str, number: int) -> Path:
    return CASES / (f"{name}.{number}.png" if number else f"{name}.png")
