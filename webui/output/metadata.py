"""Where the generation parameters stand in image files: encoding images with them, and reading them back.

What the text means is in `parse.py`; opening files of strangers safely is in `images.py`.
"""

import json
import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import piexif
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import ValidationError

from webui.domain.catalog import SAMPLERS
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import safe_open
from webui.domain.request import GenerationRequest
from webui.domain.saving import ImageFormat
from webui.domain.upscale import Upscale
from webui.imaging.encoding import file_bytes
from webui.output.grammar import body
from webui.output.parse import parse, to_request

log = logging.getLogger(__name__)

__all__ = ("Encoded", "encode", "read_items", "read_request", "read_text", "safe_open")

MAX_EXIF = 60_000  # bytes; an EXIF segment of JPEG ends at 65,533
MAX_READ_EXIF = 1_000_000  # bytes; more than any writer makes
PARAMETERS = "parameters"
POSTPROCESSING = "postprocessing"
REQUEST = "webui"
_MAKER = b"webui\0"
_UNICODE, _ASCII, _JIS = b"UNICODE\0", b"ASCII\0\0\0", b"JIS\0\0\0\0\0"
_CODE_LENGTH = 8
_EXIF_STARTS = (b"Exif\0\0II", b"Exif\0\0MM", b"II*\0", b"MM\0*")
_IGNORED_ITEMS = (
    "jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi", "exif", "loop", "background", "timestamp", "duration",
    "progressive", "progression", "icc_profile", "chromaticity", "photoshop", PARAMETERS,
)  # fmt: skip
# How base64 of a PNG, JPEG, WebP, GIF or BMP file begins, and characters below which it is none
_PICTURES = ("data:image/", "iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD", "Qk")
_LEAST_PICTURE = 80


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of an image file; `left_out` says what did not fit in, "" where everything did."""

    data: bytes
    left_out: str = ""


def encode(
    image: Image.Image,
    image_format: ImageFormat,
    *,
    infotext: str = "",
    request: GenerationRequest | None = None,
    jpeg_quality: int = 80,
    webp_lossless: bool = False,
) -> Encoded:
    """Encode an image with its parameters.

    An enlarged picture keeps the parameters that it came with; how it was enlarged is in the chunk `postprocessing`.

    PNG: text chunk `parameters` (tEXt where the text is Latin-1, else iTXt) and chunk `webui` with the request as JSON.
    JPEG and WebP: the text in EXIF UserComment as `UNICODE` and UTF-16 big-endian, the request in MakerNote. EXIF holds
    60 kB: a request that does not fit is left out, then the text, and `left_out` says so; the image is always made.

    Args:
        image: RGB or RGBA; JPEG drops the alpha channel.
        infotext: "" writes none.
        request: None writes none.
    """
    done = ""
    if request is not None and isinstance(request.task, Upscale):  # the picture it began with stays out of the file
        done, infotext = infotext, next(iter(request.task.infotexts), "")
        request = None
    if image_format == "png":
        chunks = PngInfo()
        if done:
            chunks.add_text(POSTPROCESSING, done)
        if infotext:
            chunks.add_text(PARAMETERS, infotext)
        if request is not None:
            chunks.add_text(REQUEST, _as_json(request))
        return Encoded(file_bytes(image, "PNG", pnginfo=chunks))
    exif, left_out = _exif(infotext or done, request)
    if image_format == "jpg":
        return Encoded(file_bytes(image.convert("RGB"), "JPEG", quality=jpeg_quality, exif=exif), left_out)
    return Encoded(file_bytes(image, "WEBP", quality=jpeg_quality, lossless=webp_lossless, exif=exif), left_out)


def read_text(image: Image.Image) -> str:
    """The infotext in an image, "" where there is none.

    PNG chunk `parameters`; a UserComment that is not empty wins over it; else the comment of a GIF. The parameters of
    NovelAI's images are put in the form of infotexts.
    """
    if image.info.get("Software") == "NovelAI":
        novel = _novelai(image)
        if novel:
            return novel
    comment = _user_comment(_read_exif(image))
    if comment:
        return comment
    for key in (PARAMETERS, "comment"):
        value = image.info.get(key, "")
        text = value.decode("utf-8", "ignore") if isinstance(value, bytes) else str(value)
        if text:
            return text
    return ""


def read_items(image: Image.Image) -> dict[str, str]:
    """The other text entries of an image: everything but the infotext and what only describes the encoding."""
    return {
        str(key): value
        for key, value in image.info.items()
        if isinstance(value, str) and str(key).lower() not in _IGNORED_ITEMS
    }


def read_request(image: Image.Image, extensions: Sequence[ExtensionInfo] = ()) -> GenerationRequest | None:
    """The request that makes this image again; None where the image carries no parameters.

    Exact where this program wrote it (chunk `webui`, MakerNote), otherwise read from the infotext. Of img2img the
    picture it began with is missing, so that the request is one for txt2img.

    Args:
        extensions: those whose keys of the infotext can be read.
    """
    exact = str(image.info.get(REQUEST, ""))
    if not exact:
        note = _read_exif(image).get(piexif.ExifIFD.MakerNote, b"")
        if isinstance(note, bytes) and note.startswith(_MAKER):
            exact = note.removeprefix(_MAKER).decode("utf-8", "ignore")
    if exact:
        try:
            return GenerationRequest.model_validate_json(exact)
        except ValidationError as error:
            # written by another version or changed by hand: the infotext says the same for every reader
            fields = ", ".join(".".join(map(str, fault["loc"])) or "the whole" for fault in error.errors())
            log.warning("The exact request in the image does not fit (%s); its infotext is read instead.", fields)
    text = read_text(image)
    return to_request(parse(text), extensions) if text else None


def _as_json(request: GenerationRequest) -> str:
    """The request without the pictures it starts from: who shares the result does not mean to share those."""
    of_pictures: Any = {"task": {"first_pass"}} if request.task.kind == "txt2img" else {"task"}
    without = request.model_copy(update={"extensions": _without_pictures(request.extensions)})
    return without.model_dump_json(exclude=of_pictures)


def _without_pictures(value: Any) -> Any:
    """Options of extensions without the pictures in base64 that some of their fields hold."""
    if isinstance(value, dict):
        return {key: _without_pictures(one) for key, one in value.items() if not _is_picture(one)}
    if isinstance(value, list):
        return [_without_pictures(one) for one in value if not _is_picture(one)]
    return value


def _is_picture(value: Any) -> bool:
    return isinstance(value, str) and len(value) > _LEAST_PICTURE and value.startswith(_PICTURES)


def _exif(infotext: str, request: GenerationRequest | None) -> tuple[bytes, str]:
    comment = _UNICODE + infotext.encode("utf-16-be")
    note = _MAKER + _as_json(request).encode() if request is not None else b""
    left_out = ""
    if len(comment) + len(note) > MAX_EXIF:
        note = b""
        left_out = "the exact request (more than 60 kB of parameters)"
    if len(comment) > MAX_EXIF:
        comment = _UNICODE
        left_out = "the generation parameters (more than 60 kB; PNG files hold them)"
    tags: dict[int, bytes] = {piexif.ExifIFD.UserComment: comment}
    if note:
        tags[piexif.ExifIFD.MakerNote] = note
    return bytes(piexif.dump({"Exif": tags})), left_out


def _read_exif(image: Image.Image) -> dict[int, Any]:
    """The tags of the Exif IFD; empty where there are none or they cannot be read."""
    data = image.info.get("exif")
    # piexif takes bytes that start otherwise for the name of a file
    if not isinstance(data, bytes) or not data.startswith(_EXIF_STARTS) or len(data) > MAX_READ_EXIF:
        return {}
    try:
        tags: dict[int, Any] = piexif.load(data)["Exif"]
    except (ValueError, LookupError, TypeError, ArithmeticError, struct.error):
        return {}  # broken EXIF is no reason to refuse the picture
    return tags


def _user_comment(tags: dict[int, Any]) -> str:
    value = tags.get(piexif.ExifIFD.UserComment, b"")
    if not isinstance(value, bytes):
        return ""
    code, text = value[:_CODE_LENGTH], value[_CODE_LENGTH:]
    if code == _UNICODE:
        decoded = text.decode(_utf16(text), "ignore")
    elif code in (_ASCII, bytes(_CODE_LENGTH)):
        decoded = text.decode("utf-8", "ignore")
    elif code == _JIS:
        decoded = text.decode("shift_jis", "ignore")
    else:
        decoded = value.decode("utf-8", "ignore")
    return decoded.strip("\0").lstrip("\ufeff")


def _utf16(text: bytes) -> str:
    """Big-endian is the rule; writers that follow the byte order of the EXIF block put the zeros of ASCII elsewhere."""
    return "utf-16-le" if text[1::2].count(0) > text[0::2].count(0) else "utf-16-be"


def _novelai(image: Image.Image) -> str:
    """The parameters of a NovelAI image (`Description`, and JSON in `Comment`) as infotext; "" where unreadable."""
    try:
        comment = json.loads(str(image.info["Comment"]))
        sampler = next((s.label for s in SAMPLERS.values() if comment["sampler"] in s.aliases), "Euler a")
        head = body(str(image.info["Description"]), str(comment["uc"]))
        return (
            f"{head}\nSteps: {comment['steps']}, Sampler: {sampler}, CFG scale: {comment['scale']}, "
            f"Seed: {comment['seed']}, Size: {image.width}x{image.height}, Clip skip: 2, ENSD: 31337"
        )
    except (ValueError, LookupError, TypeError, RecursionError, AttributeError):
        return ""
