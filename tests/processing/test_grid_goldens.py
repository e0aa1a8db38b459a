"""A1111's own grids, made again from the body that asked for them: order, pictures and texts of the answer."""

from tests.a1111_answers import assert_texts, body_of, check_pictures
from tests.processing.reporters import Silent
from tests.reference import Case, over_cases
from webui.api.sdapi.dialect.answers import info
from webui.api.sdapi.dialect.chosen import ChosenSettings
from webui.api.sdapi.dialect.grids import grid_image
from webui.api.sdapi.dialect.request_settings import settings_of
from webui.api.sdapi.dialect.translate import to_request
from webui.domain.request import GenerationRequest
from webui.processing.back import Back

TOLERANCE = 45.0  # dB, that of the reference images' own comparison


@over_cases(".png", where=lambda case: case.group == "grids")
def test_the_answer_is_a1111s(case: Case, reference_back: Back) -> None:
    expected = case.told()
    body = body_of(case)
    settings = settings_of(body.override_settings, ChosenSettings())
    result = reference_back.run(to_request(body, GenerationRequest()), Silent())
    grid = grid_image(result, settings.grid) if settings.grid.returned else None
    shown = result.images if grid is None else (grid, *result.images)
    assert [[*one.image.size, one.image.mode] for one in shown] == expected["image_sizes"]
    check_pictures(case, [one.image for one in shown], TOLERANCE)
    told = info(result, (), grid)
    assert told["index_of_first_image"] == expected["index_of_first_image"]
    assert len(told["infotexts"]) == expected["n_infotexts"]
    assert told["all_seeds"] == case.seeds
    assert_texts(case, told["infotexts"])
