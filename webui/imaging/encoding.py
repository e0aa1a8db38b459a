"""Pictures as the bytes of a file, made so that other threads of the program go on meanwhile."""

import os
import tempfile
from typing import IO, Any

from PIL import Image


def file_bytes(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file of a picture.

    Pillow lets other threads run while it writes to a file of the system, and none while it writes PNG to memory: a
    server would answer nobody for a fifth of a second. So the file is a real one, without a name.

    Args:
        kind: Pillow's name of the format, `PNG`.
        options: of Pillow's `save`.
    """
    with _nameless() as file:
        image.save(file, kind, **options)
        file.seek(0)
        return file.read()


def _nameless() -> IO[bytes]:
    """A file in memory where the system has such, else in its folder for temporary files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("picture"), "w+b")
    return tempfile.TemporaryFile()
