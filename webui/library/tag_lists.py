"""The lists of tags that people have for completing prompts: where they lie, and each packed once.

They are read from `tags` in the data folder, and from the folders of A1111's extension tagcomplete in programs whose
models are used (`use_models_of`). Nothing is written there.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from webui.domain.errors import UnusableFileError
from webui.domain.model_folders import at_home
from webui.library.tag_file import packed, read_tags

FOLDER = "tags"  # in the data folder
MOST_FILES = 200
KEPT = 3  # packed lists in memory
_EXTENSION = "*tagcomplete*"  # what the folder of A1111's extension is called, however it was fetched

Board = Literal["danbooru", "e621", "derpibooru"]  # whose numbers of categories a list has


@dataclass(frozen=True, slots=True)
class TagList:
    """A list of tags.

    Attributes:
        name: of its file.
        digest: of its content; another one for each version of it.
        problem: why it cannot be used; "" where nobody knows of a problem.
    """

    name: str
    digest: str
    board: Board = "danbooru"
    problem: str = ""


def tag_folders(data_dir: Path, homes: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Where lists of tags lie: our own folder, then those of other programs, given as the setting names them."""
    folders = [data_dir / FOLDER]
    for home in map(at_home, homes):
        for base in (home, home.absolute().parent):  # a program's folder, or its `models`
            folders += sorted(one / "tags" for one in (base / "extensions").glob(_EXTENSION))
    return tuple(dict.fromkeys(folders))


class TagLists:
    """The lists in some folders, by the digests of their contents. Safe for several threads."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Of two lists with the same name the one in the earlier folder counts."""
        self._folders = tuple(folders)
        self._lock = threading.Lock()
        self._digests = MappingProxyType[tuple[Path, int, int], str]({})
        self._problems: dict[str, str] = {}
        self._packed: OrderedDict[str, bytes] = OrderedDict()

    def listed(self) -> tuple[TagList, ...]:
        """The lists that are there now, by name."""
        with self._lock:
            return tuple(self._known().values())

    def content(self, digest: str) -> bytes | None:
        """A list as `tag_file.packed` makes it; None where there is none of that digest (any more).

        Raises:
            UnusableFileError: it is no list of tags.
        """
        with self._lock:
            if digest in self._packed:
                self._packed.move_to_end(digest)
                return self._packed[digest]
            path = next((path for path, one in self._known().items() if one.digest == digest), None)
            if path is None:
                return None
            try:
                self._packed[digest] = packed(read_tags(path))
            except UnusableFileError as error:
                self._problems[digest] = str(error)
                raise
            while len(self._packed) > KEPT:
                self._packed.popitem(last=False)
            return self._packed[digest]

    def _known(self) -> dict[Path, TagList]:
        paths: dict[str, Path] = {}
        for folder in self._folders:
            for path in sorted(folder.glob("*.csv")):
                if path.is_file() and len(paths) < MOST_FILES:
                    paths.setdefault(path.name, path)
        digests, found = {}, {}
        for name, path in sorted(paths.items()):
            try:
                stat = path.stat()
                key = (path, stat.st_size, stat.st_mtime_ns)
                digest = digests[key] = self._digests.get(key) or _digest(path)
            except OSError as error:
                found[path] = TagList(name, "", problem=f"{name} cannot be read ({error.strerror or error})")
            else:
                found[path] = TagList(name, digest, _board(name), self._problems.get(digest, ""))
        self._digests = MappingProxyType(digests)
        return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _board(name: str) -> Board:
    lowered = name.lower()
    if "derpi" in lowered:
        return "derpibooru"
    return "e621" if "e621" in lowered or "e6_" in lowered else "danbooru"
