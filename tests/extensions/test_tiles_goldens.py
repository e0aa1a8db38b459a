"""A1111's own pictures with Tiled Diffusion and Tiled VAE, made again by the whole program with the extensions."""

from pathlib import Path

import pytest

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.processing.test_goldens import psnr
from tests.reference import FURTHER, THIRD, Case, cases, each, without_version
from webui.api.sdapi.dialect.models import Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.plugins.loader import load_all
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]
# The quick ones; the others differ from them in numbers alone.
CASES = ("td_i2i_upscale_lanczos", "td_one_tile_ignored", "td_regions_nobg", "tv_enc_fast_i2i")
LEAST = 60.0  # dB; A1111 repeats those that start from a picture at 74


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
    body = read_body(case.body(), Img2ImgBody if case.endpoint.endswith("img2img") else Txt2ImgBody)
    result = back.run(to_request(body, GenerationRequest(), infos), Silent())
    assert not result.notices
    made = result.images[0]
    assert made.image.size == case.picture(0).size
    assert without_version(made.infotext) == without_version(case.infotexts()[0])
    assert psnr(made.image, case.picture(0)) >= LEAST
