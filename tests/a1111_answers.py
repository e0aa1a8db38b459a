"""What our program answers to a reference case, compared with what A1111 answered."""

from collections.abc import Sequence

from PIL import Image

from tests.processing.reporters import Silent
from tests.reference import BETWEEN, Case, without_version
from webui.api.sdapi.dialect.infotext import IMG2IMG_FIELDS, TXT2IMG_FIELDS, filled_in
from webui.api.sdapi.dialect.models import GenerationBody, Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.processing.back import Back

USUAL = 66.0  # dB; a faithful build in float32 is at 70 to 80


def body_of(case: Case, **changes: object) -> GenerationBody:
    """The body that A1111 was sent, with some fields changed, and what its infotext fills in."""
    is_img2img = case.endpoint.endswith("img2img")
    payload = filled_in({**case.body(), **changes}, IMG2IMG_FIELDS if is_img2img else TXT2IMG_FIELDS)
    return read_body(payload, Img2ImgBody if is_img2img else Txt2ImgBody)


def request_of(case: Case, back: Back, **changes: object) -> GenerationRequest:
    """What a case asks for, with some fields of its body changed."""
    return to_request(body_of(case, **changes), GenerationRequest(), back.extensions())


def answered(case: Case, back: Back, **changes: object) -> GenerationResult:
    """What is made of a case, some fields of whose body are changed; no notice goes with it."""
    result = back.run(request_of(case, back, **changes), Silent())
    assert not result.notices
    return result


def check(case: Case, back: Back, least: float = USUAL) -> None:
    """The answer to a case has A1111's texts, its pictures in its order, and the pictures that extensions show.

    Args:
        least: dB; of what extensions show, such as maps, no pixel may differ.
    """
    check_result(case, back.run(request_of(case, back), Silent()), least)


def check_result(case: Case, result: GenerationResult, least: float = USUAL) -> None:
    """The same of a result."""
    pictures = [picture for made in result.images for picture in (made.image, *made.attachments)]
    check_pictures(case, pictures, least, result.extras)
    assert_texts(case, [made.infotext for made in result.images])


def check_pictures(
    case: Case, pictures: Sequence[Image.Image], least: float, exact: Sequence[Image.Image] = ()
) -> None:
    """Pictures, and those of which no pixel may differ, are A1111's, as many as these and as large."""
    assert len(pictures) + len(exact) == case.images
    for number, picture in enumerate((*pictures, *exact)):
        bound = max(least, case.least_db) if number < len(pictures) else float("inf")
        assert case.likeness(number, picture) >= bound, f"image {number}"


def assert_texts(case: Case, infotexts: Sequence[str]) -> None:
    """Infotexts are A1111's, but for the version."""
    assert without_version(BETWEEN.join(infotexts)) == without_version(BETWEEN.join(case.infotexts()))
