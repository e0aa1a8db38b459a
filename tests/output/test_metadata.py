"""Where parameters stand in files, what is read first, and files of strangers."""

import base64
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import piexif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.output.metadata import Encoded, encode, read_items, read_request, read_text, safe_open
from webui.output.parse import parse

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy

TEXT = "a cat\nSteps: 20, Sampler: Euler, CFG scale: 7.0, Seed: 5, Size: 64x64"
PICTURE = Image.new("RGB", (16, 16), (10, 200, 30))


def opened(made: Encoded) -> Image.Image:
    return Image.open(io.BytesIO(made.data))


def chunks(png: bytes) -> dict[str, bytes]:
    """The chunks of a PNG by type (the last of each)."""
    found, position = {}, 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        kind = png[position + 4 : position + 8].decode()
        found[kind] = png[position + 8 : position + 8 + length]
        position += 12 + length
    return found


@pytest.mark.parametrize(("text", "kind"), [(TEXT, "tEXt"), ("é" + TEXT, "tEXt"), ("猫" + TEXT, "iTXt")])
def test_png_takes_the_chunk_that_fits_the_letters(text: str, kind: str) -> None:
    made = encode(PICTURE, "png", infotext=text)
    found = chunks(made.data)
    assert ("tEXt" in found, "iTXt" in found) == (kind == "tEXt", kind == "iTXt")
    assert found[kind].startswith(b"parameters\0")
    assert read_text(opened(made)) == text


def test_png_carries_the_request_as_json() -> None:
    request = GenerationRequest(prompt="猫", seed=5)
    image = opened(encode(PICTURE, "png", infotext=TEXT, request=request))
    assert json.loads(image.info["webui"])["prompt"] == "猫"
    assert read_request(image) == request
    assert image.tobytes() == PICTURE.tobytes()


@pytest.mark.parametrize("image_format", ["jpg", "webp"])
@pytest.mark.parametrize("prompt", ["a cat", "日本の猫", "🐈"])
def test_user_comment_is_utf_16_big_endian(image_format: str, prompt: str) -> None:
    made = encode(PICTURE, image_format, infotext=prompt + TEXT)  # type: ignore[arg-type]
    comment = piexif.load(opened(made).info["exif"])["Exif"][piexif.ExifIFD.UserComment]
    assert comment == b"UNICODE\0" + (prompt + TEXT).encode("utf-16-be")
    assert read_text(opened(made)) == prompt + TEXT


@pytest.mark.parametrize("image_format", ["png", "jpg", "webp"])
def test_nothing_is_written_where_nothing_is_wanted(image_format: str) -> None:
    image = opened(encode(PICTURE, image_format))  # type: ignore[arg-type]
    assert (read_text(image), read_request(image)) == ("", None)


def test_lossless_webp_and_transparent_jpeg() -> None:
    noisy = Image.effect_noise((16, 16), 90).convert("RGB")
    assert opened(encode(noisy, "webp", webp_lossless=True)).convert("RGB").tobytes() == noisy.tobytes()
    assert opened(encode(noisy.convert("RGBA"), "jpg")).mode == "RGB"


@pytest.mark.parametrize("image_format", ["jpg", "webp"])
@pytest.mark.parametrize(("length", "text_kept"), [(15_000, True), (29_000, True), (31_000, False)])
def test_too_long_parameters_are_left_out_and_told(image_format: str, length: int, text_kept: bool) -> None:
    request = GenerationRequest(prompt="猫" * length, seed=5)
    text = f"{request.prompt}\n{TEXT}"
    made = encode(PICTURE, image_format, infotext=text, request=request)  # type: ignore[arg-type]
    assert made.left_out
    assert read_text(opened(made)) == (text if text_kept else "")


# ---------------------------------------------------------------- reading


def exif_comment(value: bytes) -> Image.Image:
    exif = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: value}})
    buffer = io.BytesIO()
    info = PngInfo()
    info.add_text("parameters", "from the chunk")
    PICTURE.save(buffer, "PNG", pnginfo=info, exif=exif)
    return Image.open(buffer)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"UNICODE\0" + TEXT.encode("utf-16-be"), TEXT),
        (b"UNICODE\0" + TEXT.encode("utf-16-le"), TEXT),
        (b"UNICODE\0\xff\xfe" + TEXT.encode("utf-16-le"), TEXT),
        (b"UNICODE\0\xfe\xff" + TEXT.encode("utf-16-be"), TEXT),
        (b"UNICODE\0" + f"猫{TEXT}".encode(), f"猫{TEXT}"),
        (b"UNICODE\0" + f"猫{TEXT}".encode("utf-16-be"), f"猫{TEXT}"),
        (b"UNICODE\0" + f"😀猫{TEXT}".encode("utf-16-le"), f"😀猫{TEXT}"),
        (b"Unicode\0" + TEXT.encode() + b"\0\0", TEXT),
        (b"\0" * 8 + TEXT.encode("utf-16-le"), TEXT),
        (b"JIS\0\0\0\0\0" + "日本".encode("iso2022_jp"), "日本"),
        (b"ASCII\0\0\0" + TEXT.encode(), TEXT),
        (b"\0" * 8 + TEXT.encode(), TEXT),
        (b"JIS\0\0\0\0\0" + "日本".encode("shift_jis"), "日本"),
        (b"no prefix at all", "no prefix at all"),
        (b"UNICODE\0", "from the chunk"),  # an empty comment does not win
        (b"", "from the chunk"),
    ],
)
def test_a_user_comment_wins_over_the_chunk(value: bytes, text: str) -> None:
    assert read_text(exif_comment(value)) == text


@pytest.mark.parametrize("text", ["猫と犬 😀", "é", "ä ö", "plain"])
def test_utf_8_in_a_text_chunk_is_read_as_such_and_latin_1_as_that(text: str) -> None:
    info = PngInfo()
    details = TEXT.partition("\n")[2]
    info.add(b"tEXt", b"parameters\0" + f"{text}\n{details}".encode())
    if text.encode("latin-1", "ignore").decode("latin-1") == text:
        info.add(b"tEXt", b"other\0" + text.encode("latin-1"))
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG", pnginfo=info)
    image = safe_open(buffer.getvalue())
    assert parse(read_text(image))["Prompt"] == text
    assert read_items(image).get("other", text) == text


@pytest.mark.parametrize("text", ["Ã©", "Â·", "é", "ÿþ"])
def test_what_looks_like_utf_8_is_written_so_that_nobody_takes_it_for_that(text: str) -> None:
    image = opened(encode(PICTURE, "png", infotext=f"{text}\n{TEXT}", request=GenerationRequest(prompt=text)))
    assert read_text(image) == f"{text}\n{TEXT}"
    request = read_request(image)
    assert request is not None
    assert request.prompt == text


def test_comment_of_a_gif_comes_last() -> None:
    buffer = io.BytesIO()
    PICTURE.save(buffer, "GIF", comment=TEXT.encode())
    assert read_text(Image.open(buffer)) == TEXT


def test_novelai() -> None:
    image = Image.new("RGB", (64, 128))
    comment = {"sampler": "k_euler_ancestral", "steps": 28, "scale": 11.0, "seed": 7, "uc": "bad"}
    image.info |= {"Software": "NovelAI", "Description": "girl, {cat}", "Comment": json.dumps(comment)}
    request = read_request(image)
    assert request is not None
    assert (request.prompt, request.negative_prompt, request.sampler) == ("girl, {cat}", "bad", "Euler a")
    assert (request.width, request.height, request.clip_skip, request.noise.ensd) == (64, 128, 2, 31337)
    image.info["Comment"] = "[" * 100_000
    assert read_text(image) == ""


def test_other_items() -> None:
    image = Image.new("RGB", (8, 8))
    image.info |= {"parameters": "x", "dpi": (72, 72), "Title": "t", "icc_profile": "y", "webui": "{}", "extras": "z"}
    assert read_items(image) == {"Title": "t", "webui": "{}", "extras": "z"}


@pytest.mark.parametrize("damaged", ["{", '{"steps": "many"}', "[" * 100_000, '{"prompt": "a", "unknown": 1}'])
def test_a_damaged_request_falls_back_to_the_text(damaged: str) -> None:
    image = Image.new("RGB", (8, 8))
    image.info |= {"parameters": TEXT, "webui": damaged}
    request = read_request(image)
    assert request is not None
    assert (request.prompt, request.seed) == ("a cat", 5)


@CALM
@given(
    st.binary(max_size=60), st.sampled_from([b"Exif\0\0II*\0", b"Exif\0\0MM\0*", b"MM\0*\0\0\0\x08", b"/etc/hostname"])
)
def test_broken_exif_is_passed_over(data: bytes, start: bytes) -> None:
    image = Image.new("RGB", (8, 8))
    image.info |= {"exif": start + data, "parameters": TEXT}
    assert isinstance(read_text(image), str)


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 7, 9, 10])
def test_lengths_that_a_file_only_claims_cost_nothing(kind: int) -> None:
    entry = struct.pack("<HHII", 0x9286, kind, 0xFFFFFFFF, 8)
    image = Image.new("RGB", (8, 8))
    image.info |= {"exif": b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4), "parameters": TEXT}
    assert read_text(image) == TEXT
    pointer = struct.pack("<HHII", 0x8769, 4, 1, 8)  # a directory that is inside itself
    image.info["exif"] = b"II*\0" + struct.pack("<IH", 8, 1) + pointer + bytes(4)
    assert read_text(image) == TEXT


# ---------------------------------------------------------------- files of strangers


def file(image_format: str, size: tuple[int, int] = (16, 16)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, image_format)
    return buffer.getvalue()


def png_of_size(width: int, height: int, extra: bytes = b"") -> bytes:
    """A small PNG whose header promises a large picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "GIF", "BMP"])
def test_formats_that_are_read(image_format: str, tmp_path: Path) -> None:
    data = file(image_format)
    assert safe_open(data).size == (16, 16)
    path = tmp_path / "any.name"
    path.write_bytes(data)
    assert safe_open(path).size == (16, 16)


def test_lossless_and_plain_webp_tell_their_size() -> None:
    for options in ({"lossless": True}, {"exif": piexif.dump({})}, {}):
        buffer = io.BytesIO()
        Image.new("RGB", (100, 30)).save(buffer, "WEBP", **options)
        assert safe_open(buffer.getvalue()).size == (100, 30)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        file("TIFF")[:-20],
        file("AVIF")[:100],
        file("PPM"),
        file("PNG")[:-30],
        file("JPEG")[:100],
        b"RIFF\x10\0\0\0WEBPVP8X",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        png_of_size(8000, 8000),
        png_of_size(2**31 - 1, 2**31 - 1),
        b"RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x3f\0\xff\x3f\0" + b"\0" * 40,
        file("BMP")[:18] + struct.pack("<ii", 20_000, 20_000) + file("BMP")[26:],
    ],
)  # fmt: skip
def test_what_is_no_usable_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequestError) as caught:
        safe_open(data)
    assert caught.value.field == "image"


def test_the_parameters_of_an_avif_are_read() -> None:
    buffer = io.BytesIO()
    exif = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: b"UNICODE\0" + TEXT.encode("utf-16-be")}})
    PICTURE.save(buffer, "AVIF", exif=exif)
    assert read_text(safe_open(buffer.getvalue())) == TEXT


def test_an_installation_that_cannot_read_avif_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    data = file("AVIF")
    monkeypatch.setattr("webui.domain.images.features.check", lambda name: False)
    with pytest.raises(BadRequestError, match="AVIF, which the Pillow of this installation cannot read"):
        safe_open(data)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(BadRequestError, match="image"):
            safe_open(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_text_bombs_are_refused(zipped: bool) -> None:
    info = PngInfo()
    for number in range(5):
        info.add_text(f"k{number}", "a" * 900_000, zip=zipped)
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG", pnginfo=info)
    with pytest.raises(BadRequestError, match="characters of text"):
        safe_open(buffer.getvalue())


@CALM
@given(st.data())
def test_flipped_bytes_give_a_picture_or_a_refusal(data: st.DataObject) -> None:
    whole = encode(PICTURE, data.draw(st.sampled_from(["png", "jpg", "webp"])), infotext=TEXT).data
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = safe_open(bytes(broken))
    except BadRequestError:
        return
    except UserWarning:
        return  # Pillow warns of odd EXIF; warnings are errors in tests only
    assert isinstance(parse(read_text(image)), dict)


@pytest.mark.parametrize("image_format", ["png", "jpg"])
def test_the_picture_that_an_image_was_made_from_is_not_given_away(image_format: Any) -> None:
    request = GenerationRequest(prompt="a cat", steps=7, task=Img2Img(image=Image.new("RGB", (64, 64), "red")))
    data = encode(Image.new("RGB", (8, 8)), image_format, infotext="a cat", request=request).data
    assert b"img2img" not in data
    assert read_request(safe_open(data)) == request.with_(task=Txt2Img())


def test_pictures_of_extensions_are_left_out() -> None:
    control = base64.b64encode(encode(PICTURE, "png").data).decode()
    unit = {"model": "canny", "image": control, "mask": None, "inner": [control, "text"]}
    request = GenerationRequest(prompt="a cat", extensions={"controlnet": {"units": [unit]}})
    read = read_request(opened(encode(PICTURE, "png", infotext=TEXT, request=request)))
    assert read is not None
    assert read.extensions == {"controlnet": {"units": [{"model": "canny", "mask": None, "inner": ["text"]}]}}
