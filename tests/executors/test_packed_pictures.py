"""Pictures in events travel as PNG and arrive to the pixel, with all that is around them."""

import threading
from dataclasses import replace

import pytest
from PIL import Image

from tests.executors.prompted_back import picture
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, ModelFacts
from webui.executors.packed_pictures import packed, unpacked
from webui.executors.protocol import Finished, ImageMade

REQUEST = GenerationRequest(prompt="a", seed=3, width=256, height=256)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "1", "P", "F"])
def test_a_picture_of_any_kind_arrives_as_it_was(mode: str) -> None:
    image = Image.linear_gradient("L").convert("RGB").convert(mode)
    image.info["parameters"] = "a cat"
    result = GenerationResult(REQUEST, (picture(REQUEST, 0),), ModelFacts("a", "b"), extras=(image, image))
    told = unpacked(packed(Finished("one", result)))
    assert isinstance(told, Finished)
    assert isinstance(told.outcome, GenerationResult)
    there = told.outcome.extras[0]
    assert (there.mode, there.size, there.tobytes(), there.info) == (
        image.mode,
        image.size,
        image.tobytes(),
        image.info,
    )
    assert told.outcome.images[0].image.tobytes() == result.images[0].image.tobytes()
    assert told.outcome.request == REQUEST


def test_it_is_smaller_than_its_pixels() -> None:
    image = replace(picture(REQUEST, 0), image=Image.linear_gradient("L").convert("RGB"))
    assert len(packed(ImageMade("one", image))) < len(image.image.tobytes()) // 2


def test_what_cannot_be_packed_is_refused() -> None:
    result = GenerationResult(REQUEST, (), ModelFacts("a", "b"), timings={"lock": threading.Lock()})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="lock"):
        packed(Finished("one", result))
