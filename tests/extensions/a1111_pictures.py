"""Reference pictures that A1111 made with its extensions, made again by the whole program with ours."""

from pathlib import Path

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from tests.processing.test_goldens import psnr
from tests.reference import FURTHER, Case, without_version
from webui.api.sdapi.dialect.models import Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.request import GenerationRequest
from webui.plugins.loader import load_all
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]


def back_with_extensions(data_dir: Path) -> Back:
    """An exact back over the further reference models, with every bundled extension."""
    return exact_back(models_dir=FURTHER / "models", data_dir=data_dir, extensions_dir=ROOT / "extensions")


def check(case: Case, back: Back, least: float) -> None:
    """The answer to a case has A1111's text, size and pixels, and no notice.

    Args:
        least: dB.
    """
    body = read_body(case.body(), Img2ImgBody if case.endpoint.endswith("img2img") else Txt2ImgBody)
    infos = load_all(ROOT / "extensions", ()).infos
    result = back.run(to_request(body, GenerationRequest(), infos), Silent())
    assert not result.notices
    made = result.images[0]
    assert made.image.size == case.picture(0).size
    assert without_version(made.infotext) == without_version(case.infotexts()[0])
    assert psnr(made.image, case.picture(0)) >= least
