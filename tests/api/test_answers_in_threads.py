"""Long answers: made and packed so that other requests go on, and the same bytes as made in one piece."""

import base64
import gzip
import io
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from tests.api.fakes import call
from webui.api import around
from webui.api.picture_answer import picture_answer
from webui.imaging.encoding import file_bytes


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_files_hold_what_pillow_writes_to_memory(kind: str) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (40, 30, 3), np.uint8)
    image, buffer = Image.fromarray(noise), io.BytesIO()
    image.save(buffer, kind)
    with Image.open(io.BytesIO(file_bytes(image, kind))) as ours, Image.open(buffer) as theirs:
        assert ours.format == kind
        assert ours.tobytes() == theirs.tobytes()


def test_options_of_a_format_are_kept() -> None:
    info = PngInfo()
    info.add_text("parameters", "a cat")
    with Image.open(io.BytesIO(file_bytes(Image.new("RGB", (8, 8)), "PNG", pnginfo=info))) as image:
        assert image.info["parameters"] == "a cat"


@pytest.mark.parametrize("files", [[], [b"\x00\xff"], [b"a", b"bc", b""]])
@pytest.mark.parametrize("told", [{}, {"info": 'with "quotes" and ä', "parameters": {"x": None}}])
def test_pictures_stand_in_json(files: list[bytes], told: dict[str, object]) -> None:
    answer = picture_answer(told, "images", files)
    read = json.loads(bytes(answer.body))
    assert read == {"images": [base64.b64encode(file).decode() for file in files], **told}


def packing(answer: Response) -> FastAPI:
    app = FastAPI()
    around.install(app)
    app.get("/x")(lambda: answer)
    return app


@pytest.mark.parametrize("size", [999, 1000, 32 * 1024 - 1, 32 * 1024, 200_000])
def test_long_answers_are_packed_whatever_thread_does_it(size: int) -> None:
    app = packing(PlainTextResponse("x" * size))
    answer = call(app, "GET", "/x", headers={"accept-encoding": "gzip"})
    assert answer.text == "x" * size
    assert ("content-encoding" in answer.headers) is (size >= 1000)
    if size >= 1000:
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) < size
    plain = call(app, "GET", "/x", headers={"accept-encoding": "identity"})
    assert plain.headers["content-length"] == str(size)


def test_streams_and_what_is_packed_already_are_left_alone() -> None:
    async def parts() -> AsyncIterator[str]:
        for _ in range(3):
            yield "x" * 2000

    for answer in (
        StreamingResponse(parts(), media_type="text/plain"),
        Response(b"x" * 2000, media_type="image/png"),
        Response(gzip.compress(b"y" * 9**5), media_type="text/plain", headers={"content-encoding": "gzip"}),
    ):
        found = call(packing(answer), "GET", "/x", headers={"accept-encoding": "gzip"})
        assert len(found.content) in (6000, 2000, 9**5)
