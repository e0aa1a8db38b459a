"""A1111's enlarged pictures, made again from the bodies that asked for them."""

from tests.a1111_answers import check_pictures
from tests.processing.reporters import Silent
from tests.reference import Case, over_cases
from webui.api.sdapi.routes.extras import BatchBody, SingleBody, to_request
from webui.processing.back import Back


@over_cases(".png", where=lambda case: case.group == "extras")
def test_the_answer_is_a1111s(case: Case, reference_back: Back) -> None:
    sent = case.body()
    if "imageList" in sent:
        many = BatchBody.model_validate(sent)
        request = to_request(many, [(("imageList",), image.data) for image in many.image_list])
    else:
        one = SingleBody.model_validate(sent)
        request = to_request(one, [(("image",), one.image)])
    result = reference_back.run(request, Silent())
    check_pictures(case, (), 0, [made.image for made in result.images])
    assert f"<p>{result.images[-1].infotext}</p>" == case.infotexts()[0].strip()
