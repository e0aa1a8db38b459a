"""A1111's own pictures with Regional Prompter, made again by the whole program with the extension."""

from pathlib import Path

import pytest

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.processing.test_goldens import psnr
from tests.reference import FURTHER, THIRD, Case, cases, each, without_version
from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.plugins.loader import load_all
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]
# The quick ones, one for each way of dividing and of computing; the others are at 74 to 76 dB too.
CASES = ("rp_2d_flip", "rp_mask", "rp_neg_regions", "rp_latent_base_common")
LEAST = 70.0  # dB


@pytest.fixture(scope="module")
def infos() -> tuple[ExtensionInfo, ...]:
    return load_all(ROOT / "extensions", ()).infos


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    return exact_back(
        models_dir=FURTHER / "models", data_dir=tmp_path_factory.mktemp("data"), extensions_dir=ROOT / "extensions"
    )


@each(cases(".png", where=lambda case: case.name in CASES, folders=(THIRD,)))
def test_the_picture_is_a1111s(case: Case, back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    result = back.run(to_request(read_body(case.body(), Txt2ImgBody), GenerationRequest(), infos), Silent())
    assert not result.notices
    made = result.images[0]
    assert without_version(made.infotext) == without_version(case.infotexts()[0])
    assert psnr(made.image, case.picture(0)) >= LEAST
