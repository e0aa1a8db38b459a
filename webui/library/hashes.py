"""The hashes by which A1111 and model sites know files. Computes; caching is `library.py`'s business."""

import hashlib
from pathlib import Path

from webui.domain.errors import UnusableFileError

SHORT = 10  # hex digits of "AutoV2", as in `title [0123456789]`
_CHUNK = 1 << 20


def sha256_of(path: Path, *, skip: int = 0) -> str:
    """SHA-256 of a file in hex, without its first `skip` bytes. Raises UnusableFileError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            file.seek(skip)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UnusableFileError(f"{path.name}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def old_hash(path: Path) -> str:
    """AutoV1: the first 8 hex digits of SHA-256 over 64 KiB read at offset 1 MiB. Raises UnusableFileError."""
    try:
        with path.open("rb") as file:
            file.seek(0x100000)
            return hashlib.sha256(file.read(0x10000)).hexdigest()[:8]
    except OSError as error:
        raise UnusableFileError(f"{path.name}: cannot be read ({error.strerror})") from error
