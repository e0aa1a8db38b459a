"""OpenAI's routes for images: fields, sizes, addresses and base64, and edits that come as a form."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from tests.api.fakes import BASE, Api, FakeEngine, call
from tests.narrowing import img2img, known
from webui.domain.request import GenerationRequest

URL, EDITS = "/v1/images/generations", "/v1/images/edits"


def png(mode: str = "RGB", colour: Any = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (64, 48), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_addresses_lead_to_the_pictures() -> None:
    api = Api()
    answer = api.post(URL, {"prompt": "a cat", "n": 2, "size": "256x128", "model": "dall-e-3", "quality": "hd"})
    assert answer.status_code == 200, answer.text
    request = api.engine.last.request
    assert (request.prompt, request.n_iter, request.width, request.height) == ("a cat", 2, 256, 128)
    assert (request.steps, request.checkpoint) == (35, "")
    urls = [one["url"] for one in answer.json()["data"]]
    assert len(urls) == 2
    picture = api.get(urls[1].removeprefix(BASE))
    assert Image.open(io.BytesIO(picture.content)).size == (8, 8)


@pytest.mark.parametrize(("output", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_base64(output: str, kind: str) -> None:
    body = {"prompt": "a", "response_format": "b64_json", "output_format": output, "model": "other"}
    api = Api()
    (one,) = api.post(URL, body).json()["data"]
    assert Image.open(io.BytesIO(base64.b64decode(one["b64_json"]))).format == kind
    assert api.engine.last.request.checkpoint == "sub/other.safetensors"


def test_the_rest_comes_from_the_starting_values() -> None:
    api = Api(FakeEngine(starting=GenerationRequest(steps=9, cfg_scale=3, width=320)))
    assert api.post(URL, {"prompt": "a", "size": "auto"}).status_code == 200
    request = api.engine.last.request
    assert (request.steps, request.cfg_scale, request.width) == (9, 3, 320)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "prompt"), ({"prompt": ""}, "prompt"), ({"prompt": "a", "n": 11}, "n"),
        ({"prompt": "a", "size": "big"}, "size"), ({"prompt": "a", "size": "9999x9999"}, "size"),
        ({"prompt": "a", "response_format": "gif"}, "response_format"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(body: dict[str, Any], field: str) -> None:
    answer = Api().post(URL, body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


def test_edits_take_a_picture_and_repaint_what_the_mask_leaves_clear() -> None:
    api = Api()
    files = {"image": ("a.png", png()), "mask": ("m.png", png("RGBA", (0, 0, 0, 0)))}
    answer = call(api.app, "POST", EDITS, data={"prompt": "a hat"}, files=files)
    assert answer.status_code == 200, answer.text
    request = api.engine.last.request
    assert (request.task.kind, request.width, request.height) == ("img2img", 64, 48)
    assert known(img2img(request).inpainting).mask.open().convert("L").getpixel((5, 5)) == 255
    assert call(api.app, "POST", EDITS, data={"prompt": "a"}).status_code == 422
    wrong = call(api.app, "POST", EDITS, data={"prompt": "a"}, files={"image": ("a.png", b"no picture")})
    assert wrong.status_code == 422
