"""Copies an extension out of a zip or a folder. Every name is checked here, not left to the zip library."""

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from webui.installing.tree import CHUNK, SKIPPED, Limits, SourceError, TreeWriter, checked_parts
from webui.plugins.manifest import FILE

_ENCRYPTED = 0x1


def unpack(archive: Path, target: Path, limits: Limits = Limits()) -> None:
    """Unpack a zip into a new folder; a single folder around everything, as code hosts make it, is removed.

    Raises:
        SourceError: naming the first entry that is refused. All are checked before any is written.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if len(entries) > limits.entries:
                raise SourceError(f"{archive.name} has more than {limits.entries} files")
            for entry in opened.infolist():
                _check(entry, limits)
            prefix = _common_folder([entry.filename for entry in entries])
            writer = TreeWriter(target, limits)
            for entry in entries:
                with opened.open(entry) as stream:
                    writer.write(entry.filename.removeprefix(prefix), entry.file_size, _chunks(stream))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise SourceError(f"{archive.name} is damaged or of another kind: {error}") from None
    except OSError as error:
        raise SourceError(f"{archive.name} cannot be read: {error.strerror or error}") from None


def copy_folder(source: Path, target: Path, limits: Limits = Limits()) -> None:
    """Copy a folder into a new one, without links, `.git` and `__pycache__`.

    Raises:
        SourceError: naming the first entry that is refused.
    """
    writer = TreeWriter(target, limits)
    try:
        for root, inner, names in os.walk(source):
            inner[:] = sorted(name for name in inner if name not in SKIPPED)
            for name in [*inner, *sorted(names)]:
                path = Path(root, name)
                shown = path.relative_to(source).as_posix()
                status = path.lstat()
                _check_kind(shown, status.st_mode)
                if stat.S_ISREG(status.st_mode):
                    with path.open("rb") as stream:
                        writer.write(shown, status.st_size, _chunks(stream))
    except OSError as error:
        raise SourceError(f"{error.filename or source} cannot be read: {error.strerror}") from None


def _check(entry: zipfile.ZipInfo, limits: Limits) -> None:
    name = entry.orig_filename  # as it stands in the archive; `filename` is cut at a NUL
    checked_parts(name.removesuffix("/"))
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode):
        _check_kind(name, mode)
    if entry.flag_bits & _ENCRYPTED:
        raise SourceError(f"the entry {name!r} is encrypted")
    if entry.file_size > limits.small and entry.file_size > limits.ratio * max(1, entry.compress_size):
        raise SourceError(f"the entry {name!r} grows more than {limits.ratio} times when it is unpacked")


def _check_kind(name: str, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise SourceError(f"the entry {name!r} is a link; links may lead out of the folder and are refused")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise SourceError(f"the entry {name!r} is neither a file nor a folder (a device, a pipe)")


def _common_folder(names: list[str]) -> str:
    """The folder with its `/` that holds everything, "" where the manifest stands at the top."""
    if FILE in names or not names:
        return ""
    first = f"{names[0].partition('/')[0]}/"
    return first if all(name.startswith(first) for name in names) else ""


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk
