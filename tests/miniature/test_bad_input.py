"""Odd pictures, masks and networks by the clients' door: a clear error or a picture, and the next one is made."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.miniature.painting import drawn, pixels
from tests.processing.reporters import Silent
from webui.api.body import InvalidBodyError
from webui.api.sdapi.dialect.models import Img2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.processing.back import Back

PLAIN = drawn(background="blue")


def packed(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def ask(back: Back, image: Image.Image = PLAIN, **more: Any) -> GenerationResult:
    body = {
        "prompt": "a red circle",
        "init_images": [packed(image)],
        "steps": 4,
        "seed": 1,
        "width": 128,
        "height": 128,
    }
    return back.run(
        to_request(read_body({**body, **more}, Img2ImgBody), GenerationRequest(checkpoint="mini"), ()), Silent()
    )


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (1, 1), "red"),
        Image.new("RGBA", (128, 128)),
        Image.new("P", (3, 700)),
        Image.new("1", (64, 64)),
    ],
    ids=["one pixel", "all transparent", "narrow palette", "one bit"],
)
def test_any_picture_can_be_started_from(back: Back, image: Image.Image) -> None:
    assert ask(back, image).images[0].image.size == (128, 128)


def test_a_mask_of_another_size_is_stretched(back: Back) -> None:
    mask = Image.new("L", (37, 61))
    mask.paste(255, (0, 0, 18, 61))
    made = pixels(ask(back, mask=packed(mask), mask_blur=0, inpainting_mask_invert=0).images[0].image)
    assert (made[:, 70:] == pixels(PLAIN)[:, 70:]).all()


def test_an_empty_mask_changes_nothing_and_says_so(back: Back) -> None:
    made = ask(back, mask=packed(Image.new("L", (128, 128))), inpaint_full_res=False)
    assert (pixels(made.images[0].image) == pixels(PLAIN)).all()
    assert "nothing was repainted" in made.notices[0].text


def test_an_empty_mask_has_no_area_to_work_on_which_is_said(back: Back) -> None:
    made = ask(back, mask=packed(Image.new("L", (128, 128))), inpaint_full_res=True)  # plain img2img, as in A1111
    assert "the whole picture was made anew" in made.notices[0].text


def test_a_picture_without_measure_is_refused_by_its_header(back: Back) -> None:
    huge = Image.new("1", (20_000, 20_000))  # 50 kB as a file, 1.2 GB as pixels
    with pytest.raises(InvalidBodyError, match=r"init_images.*20000 x 20000"):
        ask(back, huge)
    assert len(ask(back).images) == 1


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_the_ends_of_the_strength(back: Back, strength: float) -> None:
    made = pixels(ask(back, denoising_strength=strength).images[0].image)
    assert (np.abs(made - pixels(PLAIN)).mean() < 8) == (strength == 0.0)


def test_a_network_for_another_family_is_told_and_the_picture_is_made(back: Back) -> None:
    plain = ask(back)
    made = ask(back, prompt="a red circle <lora:foreign:1>")
    assert any("foreign" in notice.text for notice in made.notices)
    assert (pixels(made.images[0].image) == pixels(plain.images[0].image)).all()


def test_a_torn_network_is_named(back: Back) -> None:
    try:
        told = " ".join(notice.text for notice in ask(back, prompt="a red circle <lora:torn:1>").notices)
    except WebuiError as error:
        told = str(error)
    assert "torn" in told
    assert "truncated" in told
    assert len(ask(back).images) == 1
