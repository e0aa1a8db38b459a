"""Reading picture files for the index: their size and texts, with care, and as a rule not their pixels."""

import hashlib
from pathlib import Path
from typing import Final

from webui.domain.errors import BadRequestError
from webui.domain.images import safe_head, safe_open
from webui.gallery.picture_facts import FileFacts, FileStat, Origin, facts_of
from webui.output.foreign.programs import told_by
from webui.output.image_texts import entries_of
from webui.output.metadata import Parameters, read_parameters
from webui.output.parse import parse

ENDINGS: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp"})
_MAY_HIDE = ("PNG", "WEBP")  # formats that keep pixels as they are, so that texts may be hidden in them
_ENDS = 64 * 1024  # bytes at both ends of a file that its digest is made of
_MAX_TEXT_FILE = 64_000  # bytes


def read_file(path: Path, place: str, origin: Origin = Origin()) -> FileFacts:
    """Read a picture's size and texts. One that is no picture that may be opened has a `fault`.

    Args:
        place: of the file below its folder, with slashes.

    Raises:
        OSError: the file is gone or cannot be read.
    """
    stat = stat_of(path)
    try:
        image = safe_head(path)
        tells = told_by(entries_of(image)) is not None
        if not tells and image.format in _MAY_HIDE:
            image = safe_open(path)
            tells = True
        found = read_parameters(image) if tells else Parameters()
    except BadRequestError as error:
        return FileFacts(stat, stat.modified / 1e9, fault=error.message, origin=origin)
    if not found.text and (text := _beside(path)):
        found = Parameters(text, parse(text), "an infotext")
    return facts_of(found, image.size, place, stat, origin)


def stat_of(path: Path) -> FileStat:
    """Length, time and digest of a file. Raises OSError."""
    stat = path.stat()
    digest = hashlib.blake2b(str(stat.st_size).encode(), digest_size=16)
    with path.open("rb") as file:
        digest.update(file.read(_ENDS))
        if stat.st_size > 2 * _ENDS:
            file.seek(-_ENDS, 2)
        digest.update(file.read(_ENDS))
    return FileStat(stat.st_size, stat.st_mtime_ns, digest.hexdigest())


def _beside(path: Path) -> str:
    """The infotext in a text file beside a picture, as A1111 writes it where it is told to; "" without one."""
    text = path.with_suffix(".txt")
    try:
        if text.is_symlink() or not text.is_file() or text.stat().st_size > _MAX_TEXT_FILE:
            return ""
        return text.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
