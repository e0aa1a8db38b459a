"""Every picture file below a folder: no links, nothing hidden, nothing that is not named as a picture."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from webui.gallery.reading_files import ENDINGS

MAX_DEPTH: Final = 32  # folders inside one another


@dataclass(frozen=True, slots=True)
class Found:
    """A file. `place` is below the folder, with slashes; `modified` is in nanoseconds since the epoch."""

    place: str
    bytes: int
    modified: int


def walk(root: Path, on_fault: Callable[[str, OSError], None]) -> Iterator[Found]:
    """The files in no particular order. `on_fault` is told of folders that cannot be read."""
    waiting = [(root, "", 0)]
    while waiting:
        folder, prefix, depth = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                inner = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            on_fault(prefix or str(root), error)
            continue
        for entry in inner:
            if entry.name.startswith(".") or not _is_text(entry.name):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if depth < MAX_DEPTH:
                        waiting.append((Path(entry.path), f"{prefix}{entry.name}/", depth + 1))
                elif entry.is_file(follow_symlinks=False) and os.path.splitext(entry.name)[1].lower() in ENDINGS:
                    stat = entry.stat(follow_symlinks=False)
                    yield Found(f"{prefix}{entry.name}", stat.st_size, stat.st_mtime_ns)
            except OSError as error:
                on_fault(f"{prefix}{entry.name}", error)


def _is_text(name: str) -> bool:
    """Whether a name can be written into a database: file systems also hold names that are no UTF-8."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)
