"""Writes the files of an extension from a source that is not trusted, after checking names, kinds and sizes."""

import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from webui.domain.errors import WebuiError

SKIPPED = ("__pycache__", ".git")  # made by Python and git; never part of an extension
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names of devices on Windows
_FORBIDDEN = frozenset('<>:"|?*\\')
CHUNK = 2**20


class SourceError(WebuiError):
    """A source of an extension is refused; the text names the entry."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an extension's size; weights belong into the models folder.

    Attributes:
        entries: files.
        total: bytes of all files.
        ratio: uncompressed over compressed bytes of one file in an archive, where it is larger than `small`.
    """

    entries: int = 10_000
    total: int = 200 * 2**20
    ratio: int = 100
    small: int = 2**20


def checked_parts(name: str) -> tuple[str, ...]:
    """The components of an entry's name, which uses `/`.

    Raises:
        SourceError: the name leads out of the folder, or is not valid on every system.
    """
    shown = repr(name[:200])
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        raise SourceError(f"the entry {shown} has an absolute name; nothing was installed")
    parts = tuple(name.split("/"))
    if ".." in parts or "\\" in name:
        raise SourceError(f"the entry {shown} leads out of the extension's folder; nothing was installed")
    for part in parts:
        if part.lower().rstrip(". ") == ".git" or part.lower().startswith("git~"):
            raise SourceError(f"the entry {shown} lies in a .git folder; give the repository itself as the source")
        wrong = not part or part == "." or part[-1:] in ". " or not part.isprintable() or _FORBIDDEN & set(part)
        if wrong or len(os.fsencode(part)) > 200 or _RESERVED.fullmatch(part):
            raise SourceError(f"the entry {shown} has a name that not every system allows; nothing was installed")
    return parts


class TreeWriter:
    """Writes entries below a new folder; a name that was not checked is never joined to a path."""

    def __init__(self, root: Path, limits: Limits = Limits()) -> None:
        """`root` must not exist yet."""
        self._root = root
        self._limits = limits
        self._names: dict[str, str] = {}
        self._total = 0
        root.mkdir(parents=True)

    def write(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        """Write one file.

        Args:
            name: with `/` between components; those below `__pycache__` are left out.
            size: bytes as announced; more than that is refused while it is read.

        Raises:
            SourceError: the name, the number or the sizes are not acceptable, or two names are the same somewhere.
        """
        parts = checked_parts(name)
        if set(parts) & set(SKIPPED):
            return
        self._count(name, parts, size)
        path = self._root.joinpath(*parts)
        written = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                for chunk in chunks:
                    written += len(chunk)
                    if written > size:
                        raise SourceError(f"the entry {name!r} is larger than it says ({size} bytes)")
                    file.write(chunk)
        except OSError as error:
            raise SourceError(f"the entry {name!r} cannot be written: {error.strerror}") from None

    def _count(self, name: str, parts: tuple[str, ...], size: int) -> None:
        key = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        if key in self._names:
            raise SourceError(f"the entries {self._names[key]!r} and {name!r} are the same file on some systems")
        self._names[key] = name
        self._total += size
        if len(self._names) > self._limits.entries:
            raise SourceError(f"it has more than {self._limits.entries} files (at {name!r})")
        if self._total > self._limits.total:
            raise SourceError(
                f"it is larger than {self._limits.total // 2**20} MiB (at {name!r}); weights belong into the models "
                "folder, not into an extension"
            )


def tree_hash(folder: Path) -> str:
    """SHA-256 in hex over names and contents of all files, the same on every machine.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for root, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if name not in SKIPPED)
        for name in sorted(names):
            path = Path(root, name)
            content = hashlib.sha256(os.fsencode(os.readlink(path)) if path.is_symlink() else _bytes(path))
            digest.update(f"{path.relative_to(folder).as_posix()}\0{content.hexdigest()}\n".encode(errors="replace"))
    return digest.hexdigest()


def delete_tree(folder: Path) -> None:
    """Delete a folder, or nothing where there is none; a link is not followed.

    Raises:
        OSError: something in it cannot be deleted.
    """
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
