"""A1111's own images with prompts that Dynamic Prompts made, from the body that asked for them."""

import shutil
from pathlib import Path

import pytest

from tests.a1111_answers import assert_texts, check_pictures, request_of
from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.reference import Case, folders_of, over_cases
from webui.api.sdapi.dialect.answers import info
from webui.processing.back import Back

EXTENSIONS = Path(__file__).parents[2] / "extensions"


@pytest.fixture(scope="module")
def back(reference_models_dir: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Back:
    """A back whose wildcards are those of the cases."""
    extensions = tmp_path_factory.mktemp("extensions")
    for name in ("lora", "wildcards"):
        shutil.copytree(EXTENSIONS / name, extensions / name)
    for folder in folders_of(request.config):
        if (folder / "inputs" / "wildcards").is_dir():
            shutil.copytree(folder / "inputs" / "wildcards", extensions / "wildcards" / "wildcards", dirs_exist_ok=True)
    data = tmp_path_factory.mktemp("data")
    return exact_back(models_dir=reference_models_dir, data_dir=data, extensions_dir=extensions)


@over_cases(".png", where=lambda case: case.group == "dynprompts" and case.name != "dp_jinja")
def test_the_answer_is_a1111s(case: Case, back: Back) -> None:
    expected = case.told()
    result = back.run(request_of(case, back), Silent())
    check_pictures(case, [one.image for one in result.images], 60)
    told = info(result, ())
    assert told["all_prompts"] == expected["all_prompts"]
    assert told["all_seeds"] == case.seeds
    assert_texts(case, told["infotexts"])
