"""Several pictures as one zip file, sent while it is made, so that it needs neither memory nor disk."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

MAX_PICTURES: Final = 2000
MAX_BYTES: Final = 8 * 2**30
_PART = 256 * 1024  # bytes read at once
_OLDEST = (1980, 1, 1, 0, 0, 0)  # of a time in a zip file
_FORBIDDEN = '<>:"/\\|?*'


class _Pipe(io.RawIOBase):
    """Takes what the zip file writes until somebody sends it on."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def zipped(files: Iterable[Path]) -> Iterator[bytes]:
    """The parts of a zip file. Pictures are compressed already, so they are stored as they are.

    A file that is gone by then is left out, and `left-out.txt` names it.
    """
    pipe = _Pipe()
    used: set[str] = set()
    left_out: list[str] = []
    sent = 0
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for path in files:
            name = free_name(path.name, used)
            try:
                length = path.stat().st_size
                if sent + length > MAX_BYTES:
                    left_out.append(f"{name}: the zip file would grow beyond {MAX_BYTES // 2**30} GiB")
                    continue
                info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
                with path.open("rb") as source, archive.open(info, "w") as target:
                    for part in iter(lambda: source.read(_PART), b""):
                        target.write(part)
                        yield pipe.take()
                sent += length
            except OSError as error:
                left_out.append(f"{name}: {error.strerror or type(error).__name__}")
        if left_out:
            archive.writestr(zipfile.ZipInfo("left-out.txt", _OLDEST), "\n".join(left_out))
    yield pipe.take()


def free_name(name: str, used: set[str]) -> str:
    """A name that every system can unpack and that is not used yet; it is noted in `used`."""
    plain = "".join("_" if sign in _FORBIDDEN or ord(sign) < 32 else sign for sign in name).strip(". ") or "picture"
    stem, dot, ending = plain.rpartition(".")
    stem, ending = (stem, dot + ending) if dot and stem else (plain, "")
    stem = stem[:150]
    for number in range(1, len(used) + 2):
        found = f"{stem}{ending}" if number == 1 else f"{stem} ({number}){ending}"
        if found.lower() not in used:
            used.add(found.lower())
            return found
    raise AssertionError("one of more names than there are used ones is free")
