"""A picture as a field of a request: what it becomes, that it survives every way it travels, and what is refused."""

import base64
import io
import pickle
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from tests.narrowing import channels
from webui.domain.images import MAX_PIXELS, Picture
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img


def file(image: Image.Image, kind: str = "PNG", **options: object) -> str:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return base64.b64encode(out.getvalue()).decode()


@given(st.integers(1, 9), st.integers(1, 9), st.binary(min_size=243, max_size=243))
def test_the_pixels_stay_and_the_picture_survives_json_and_pickle(width: int, height: int, data: bytes) -> None:
    image = Image.frombytes("RGB", (width, height), data[: 3 * width * height])
    request = GenerationRequest(task=Img2Img(image=image))
    again = GenerationRequest.model_validate_json(request.model_dump_json())
    assert again == request == pickle.loads(pickle.dumps(request))
    assert isinstance(again.task, Img2Img)
    assert again.task.image.open().tobytes() == image.tobytes()
    assert request.with_(steps=3).task is request.task


def test_transparent_parts_become_white() -> None:
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((1, 0), (0, 0, 255, 255))
    picture = Picture.of(clear).open()
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 255)]
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([9, 9, 9])
    palette.info["transparency"] = 0
    assert Picture.of(palette).open().getpixel((0, 0)) == (255, 255, 255)


def test_pictures_are_turned_upright_and_lose_their_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture = Picture.from_base64("data:image/jpeg;base64," + file(Image.new("RGB", (20, 8)), "JPEG", exif=exif))
    assert (picture.width, picture.height) == picture.open().size == (8, 20)
    assert picture.open().info == {}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("clear", [True, False])
def test_sixteen_bits_are_cut_to_eight(kind: str, clear: bool) -> None:
    grey = Image.new("I;16", (1, 1), 0x80FF)
    assert Picture.from_base64(file(grey, kind), clear=clear).open().getpixel((0, 0)) == (128, 128, 128)


def test_colours_of_sixteen_bits_are_cut_to_eight() -> None:
    values = struct.pack(">4H", 0x80FF, 0x10FF, 0xFFFF, 0x80FF)
    header = struct.pack(">IIBBBBB", 1, 1, 16, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + values)), (b"IEND", b""))
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    picture = Picture.from_base64(base64.b64encode(b"\x89PNG\r\n\x1a\n" + made).decode(), clear=True)
    assert picture.open().getpixel((0, 0)) == (0x80, 0x10, 0xFF, 0x80)


@pytest.mark.parametrize("kind", ["AVIF", "TIFF"])
def test_pictures_of_other_formats_may_have_clear_parts(kind: str) -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert channels(Picture.from_base64(file(clear, kind), clear=True).open(), 4, 4)[3] == 0
    assert Picture.from_base64(file(clear, kind)).open().getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("http://example.org/a.png", "addresses are not fetched"),
        ("!", "not base64|none of PNG"),
        ("é", "not base64"),
        ("", "none of PNG"),
        (base64.b64encode(b"<svg/>").decode(), "none of PNG"),
        (file(Image.new("RGB", (64, 64)))[:80], "broken"),
        (7, "base64"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_reason(value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Img2Img(image=value)


def test_a_bomb_is_refused_by_its_header() -> None:
    big = io.BytesIO()
    Image.new("1", (MAX_PIXELS // 1000 + 1, 1000)).save(big, "PNG")
    with pytest.raises(ValidationError, match="40 megapixels"):
        Img2Img(image=base64.b64encode(big.getvalue()).decode())


def test_the_kind_says_which_task_it_is() -> None:
    assert GenerationRequest.model_validate({"task": {"kind": "txt2img"}}).task == Txt2Img()
    with pytest.raises(ValidationError, match="image"):
        GenerationRequest.model_validate({"task": {"kind": "img2img"}})
    with pytest.raises(ValidationError, match="denoising_strength"):
        Img2Img(image=Image.new("RGB", (1, 1)), fix_steps=True, denoising_strength=0.001)
