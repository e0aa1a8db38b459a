"""Where the generation parameters stand in image files: encoding images with them, and reading them back.

What the text means is in `parse.py`; opening files of strangers safely is in `images.py`.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import piexif
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import ValidationError

from webui.domain.extensions import ExtensionInfo
from webui.domain.images import safe_open
from webui.domain.request import GenerationRequest
from webui.domain.result import Notice
from webui.domain.saving import ImageFormat
from webui.domain.upscale import Upscale
from webui.imaging.encoding import file_bytes
from webui.output.foreign.entries import Told
from webui.output.foreign.programs import told_by
from webui.output.image_texts import as_utf8, chunk_text, entries_of, hidden_entries_of, read_exif
from webui.output.infotext import details_text
from webui.output.parse import Reading, read_fields

log = logging.getLogger(__name__)

__all__ = ("Encoded", "Parameters", "encode", "read_items", "read_parameters", "read_request", "read_text", "safe_open")

MAX_EXIF = 60_000  # bytes; an EXIF segment of JPEG ends at 65,533
PARAMETERS = "parameters"
POSTPROCESSING = "postprocessing"
REQUEST = "webui"
_MAKER = b"webui\0"
_UNICODE = b"UNICODE\0"
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

    PNG: text chunk `parameters` (tEXt where the text is Latin-1 and cannot be taken for UTF-8, else iTXt) and chunk
    `webui` with the request as JSON.
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
            _add(chunks, POSTPROCESSING, done)
        if infotext:
            _add(chunks, PARAMETERS, infotext)
        if request is not None:
            _add(chunks, REQUEST, _as_json(request))
        return Encoded(file_bytes(image, "PNG", pnginfo=chunks))
    exif, left_out = _exif(infotext or done, request)
    if image_format == "jpg":
        return Encoded(file_bytes(image.convert("RGB"), "JPEG", quality=jpeg_quality, exif=exif), left_out)
    return Encoded(file_bytes(image, "WEBP", quality=jpeg_quality, lossless=webp_lossless, exif=exif), left_out)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The generation parameters in an image.

    Attributes:
        text: as infotext, "" where there is none; of other programs it is made of what they tell.
        fields: what it says, as `parse.parse` gives it.
        program: that wrote them; "" where there are none.
        as_found: whether `text` stands in the file as it is.
        notices: what of them is not meant here.
    """

    text: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    program: str = ""
    as_found: bool = True
    notices: tuple[Notice, ...] = ()

    def reading(self, extensions: Sequence[ExtensionInfo] = ()) -> Reading:
        """The request that makes this image again, with a notice for everything that is left out."""
        found = read_fields(self.fields, extensions)
        return Reading(found.request, (*self.notices, *found.notices))


def read_parameters(image: Image.Image) -> Parameters:
    """The generation parameters in an image, whichever of the known programs wrote them.

    Of infotexts a UserComment wins over the chunk `parameters`, and the comment of a GIF comes last. Where no entry
    tells anything, texts hidden in the pixels are looked for.
    """
    told = told_by(entries_of(image))
    if told is None and (hidden := hidden_entries_of(image)) is not None:
        told = told_by(hidden)
        if told is not None and told.text:
            told = replace(told, program=f"{told.program} hidden in the pixels")
    if told is None:
        return Parameters()
    if not told.understood:
        where = ", ".join(key or "UserComment" for key in told.left_out)
        reason = f"{where}: parameters of {told.program}, which are not read; they are shown as they are"
        return Parameters("", {}, told.program, as_found=False, notices=(Notice("infotext", reason),))
    rest = f"{told.program}: not read: {', '.join(told.left_out)}; the rest is read, and all is shown as it is"
    notices = (Notice("infotext", rest),) if told.left_out else ()
    return Parameters(told.text or _as_text(told), told.fields, told.program, bool(told.text), notices)


def read_text(image: Image.Image) -> str:
    """The infotext in an image, "" where there is none (see `read_parameters`)."""
    return read_parameters(image).text


def read_items(image: Image.Image) -> dict[str, str]:
    """The other text entries of an image: everything but the infotext and what only describes the encoding.

    Parameters of other programs are among them as they stand in the file.
    """
    items = {
        str(key): chunk_text(value)
        for key, value in image.info.items()
        if isinstance(value, str) and str(key).lower() not in _IGNORED_ITEMS
    }
    found = read_parameters(image)
    if not found.as_found:
        entries = entries_of(image)
        raw = {key: entries.texts.get(key, "") for key in (PARAMETERS, "prompt", "workflow")}
        raw["UserComment"] = entries.comment
        items |= {key: text for key, text in raw.items() if text}
    return items


def read_request(image: Image.Image, extensions: Sequence[ExtensionInfo] = ()) -> GenerationRequest | None:
    """The request that makes this image again; None where the image carries no parameters.

    Exact where this program wrote it (chunk `webui`, MakerNote), otherwise read from the infotext. Of img2img the
    picture it began with is missing, so that the request is one for txt2img.

    Args:
        extensions: those whose keys of the infotext can be read.
    """
    exact = chunk_text(image.info.get(REQUEST, ""))
    if not exact:
        note = read_exif(image).get("Exif", {}).get(piexif.ExifIFD.MakerNote, b"")
        if note.startswith(_MAKER):
            exact = note.removeprefix(_MAKER).decode("utf-8", "ignore")
    if exact:
        try:
            return GenerationRequest.model_validate_json(exact)
        except ValidationError as error:
            # written by another version or changed by hand: the infotext says the same for every reader
            fields = ", ".join(".".join(map(str, fault["loc"])) or "the whole" for fault in error.errors())
            log.warning("The exact request in the image does not fit (%s); its infotext is read instead.", fields)
    found = read_parameters(image)
    return found.reading(extensions).request if found.text else None


def _as_text(told: Told) -> str:
    """An infotext of what another program tells."""
    return details_text(told.prompt, told.negative_prompt, {**told.items, "Version": told.program})


def _add(chunks: PngInfo, key: str, text: str) -> None:
    """A text chunk; in iTXt where readers could take the Latin-1 of tEXt for the UTF-8 that others write there."""
    if as_utf8(text):
        chunks.add_itxt(key, text)
    else:
        chunks.add_text(key, text)


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
