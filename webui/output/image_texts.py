"""The texts in an image file: text chunks of PNG, EXIF's UserComment, comments, and texts hidden in the pixels."""

import re
import struct

import piexif
from PIL import Image
from PIL.PngImagePlugin import iTXt

from webui.output.foreign.entries import Entries, text_of
from webui.output.foreign.programs import told_by
from webui.output.foreign.stealth import read_hidden

MAX_READ_EXIF = 1_000_000  # bytes; more than any writer makes
_UNICODE, _ASCII, _JIS, _UNDEFINED = b"UNICODE\0", b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8)
_CODE_LENGTH = 8
_EXIF_POINTER, _MAX_TAGS = 0x8769, 500
_BYTE_KINDS, _LONG = (1, 2, 7), 4  # types of TIFF: byte, text, undefined; a number of 32 bits
_CHUNKS_IN_EXIF = (piexif.ImageIFD.Make, piexif.ImageIFD.Model, piexif.ImageIFD.ImageDescription)
_CHUNK_IN_EXIF = re.compile(r"(prompt|workflow)\s?:\s?(?=\{)", re.IGNORECASE)  # so ComfyUI puts its chunks into a WebP
_XMP = "XML:com.adobe.xmp"


def entries_of(image: Image.Image) -> Entries:
    """The texts that stand in an image's metadata."""
    texts = {str(key): text for key, value in image.info.items() if (text := chunk_text(value))}
    xmp = image.info.get("xmp")
    if isinstance(xmp, bytes):
        texts.setdefault(_XMP, xmp.decode("utf-8", "ignore"))
    exif = read_exif(image)
    for tag in _CHUNKS_IN_EXIF:
        text = exif.get("0th", {}).get(tag, b"").decode("utf-8", "ignore").strip("\0")
        if found := _CHUNK_IN_EXIF.match(text):
            texts.setdefault(found[1].lower(), text[found.end() :])
    return Entries(texts, user_comment(exif.get("Exif", {})), image.size)


def hidden_entries_of(image: Image.Image) -> Entries | None:
    """The entries that are hidden in the pixels: those of NovelAI, or one text as `parameters`; None without any."""
    text = read_hidden(image)
    if not text:
        return None
    found = next(Entries({"hidden": text}).objects("hidden"), None)
    if found is not None and "Comment" in found:
        return Entries({str(key): text_of(value) for key, value in found.items()}, size=image.size)
    for key in ("parameters", "prompt"):
        entries = Entries({key: text}, size=image.size)
        told = told_by(entries)
        if told is not None and told.understood:
            return entries
    return Entries({"parameters": text}, size=image.size)


def chunk_text(value: object) -> str:
    """The text of an entry: Latin-1, as Pillow reads it, unless its bytes are UTF-8, which many programs write there.

    What is no text is "".
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "ignore")
    if not isinstance(value, str):
        return ""
    text = str(value)
    return text if isinstance(value, iTXt) else as_utf8(text) or text


def as_utf8(text: str) -> str:
    """The text that a text of Latin-1 is when its bytes are read as UTF-8; "" where they are none, or are ASCII."""
    if text.isascii():
        return ""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return ""


def read_exif(image: Image.Image) -> dict[str, dict[int, bytes]]:
    """The tags of EXIF that hold bytes or text, by directory (`0th`, `Exif`); empty where there are none.

    What is broken is left out. piexif only writes here: reading, it takes the lengths that a file states at their word.
    """
    data = image.info.get("exif")
    if not isinstance(data, bytes) or len(data) > MAX_READ_EXIF:
        return {}
    block = data.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4], "")
    if not order:
        return {}
    try:
        first, pointers = _directory(block, struct.unpack_from(f"{order}I", block, 4)[0], order)
        inner, _ = _directory(block, pointers[_EXIF_POINTER], order) if _EXIF_POINTER in pointers else ({}, {})
    except struct.error:
        return {}
    return {"0th": first, "Exif": inner}


def _directory(block: bytes, at: int, order: str) -> tuple[dict[int, bytes], dict[int, int]]:
    """The byte and text values of a directory of TIFF by tag, and its single long numbers. Raises struct.error."""
    found: dict[int, bytes] = {}
    numbers: dict[int, int] = {}
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for number in range(min(count, _MAX_TAGS)):
        place = at + 2 + 12 * number
        tag, kind, length = struct.unpack_from(f"{order}HHI", block, place)
        (value,) = struct.unpack_from(f"{order}I", block, place + 8)
        if kind in _BYTE_KINDS:
            start = place + 8 if length <= 4 else value
            found[tag] = block[start : start + length]
        elif kind == _LONG and length == 1:
            numbers[tag] = value
    return found, numbers


def user_comment(tags: dict[int, bytes]) -> str:
    """The text of UserComment, whatever code it says to be in and whatever it is in."""
    value = tags.get(piexif.ExifIFD.UserComment, b"")
    code, text = value[:_CODE_LENGTH].upper(), value[_CODE_LENGTH:]
    if code == _UNICODE:
        decoded = _of_unicode(text)
    elif code in (_ASCII, _UNDEFINED):
        decoded = _of_bytes(text)
    elif code == _JIS:
        decoded = text.decode("iso2022_jp" if b"\x1b" in text else "shift_jis", "ignore")
    else:
        decoded = _of_bytes(value)
    return decoded.strip("\0").lstrip("\ufeff")


def _of_unicode(text: bytes) -> str:
    """UTF-16 big-endian is the rule; UTF-16 of the other order and UTF-8 occur under the same name.

    A byte order mark decides; else UTF-16 has a zero in every ASCII letter, and what has none and is UTF-8 is that.
    """
    if text.startswith(b"\xff\xfe"):
        return text.decode("utf-16-le", "ignore")
    if text.startswith(b"\xfe\xff"):
        return text.decode("utf-16-be", "ignore")
    whole = text.rstrip(b"\0")
    if 0 not in whole and (decoded := _strict_utf8(whole)) is not None:
        return decoded
    return text.decode("utf-16-le" if whole[1::2].count(0) > whole[0::2].count(0) else "utf-16-be", "ignore")


def _of_bytes(text: bytes) -> str:
    """Text of no code: UTF-8, or UTF-16 where its zeros show that, or Latin-1."""
    whole = text.rstrip(b"\0")
    if 0 in whole:
        return _of_unicode(text)
    decoded = _strict_utf8(whole)
    return whole.decode("utf-8", "ignore") if decoded is None else decoded


def _strict_utf8(text: bytes) -> str | None:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return None
