"""A1111's own images with prompts that Dynamic Prompts made, from the body that asked for them."""

import json
import shutil
from pathlib import Path

import pytest

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.processing.test_goldens import EXTENSIONS, psnr
from tests.reference import BETWEEN, FURTHER, THIRD, Case, cases, each, without_version
from webui.api.sdapi.dialect.answers import info
from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.request import GenerationRequest
from webui.processing.back import Back

CASES = ("dp_comb_wildcard_batch2", "dp_fixed_seed", "dp_lora")  # the prompts of the others: test_wildcards.py


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    extensions = tmp_path_factory.mktemp("extensions")
    for name in ("lora", "wildcards"):
        shutil.copytree(EXTENSIONS / name, extensions / name)
    shutil.copytree(THIRD / "inputs" / "wildcards", extensions / "wildcards" / "wildcards", dirs_exist_ok=True)
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=FURTHER / "models", data_dir=data, extensions_dir=Path(extensions))


@each(cases(".png", where=lambda case: case.name in CASES, folders=(THIRD,)))
def test_the_answer_is_a1111s(case: Case, back: Back) -> None:
    expected = json.loads(case.file(".json").read_text(encoding="utf-8"))
    request = to_request(read_body(case.body(), Txt2ImgBody), GenerationRequest(), back.extensions())
    result = back.run(request, Silent())
    assert len(result.images) == case.images
    for number, one in enumerate(result.images):
        assert psnr(one.image, case.picture(number)) >= 60, f"image {number}"
    told = info(result, ())
    assert told["all_prompts"] == expected["all_prompts"]
    assert told["all_seeds"] == case.seeds
    assert without_version(BETWEEN.join(told["infotexts"])) == without_version(BETWEEN.join(case.infotexts()))
