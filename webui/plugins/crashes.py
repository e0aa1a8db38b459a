"""Remembers in a file of which extensions a worker has died, so that one of which two have is set aside.

A worker that dies while it loads an extension has left a mark in the file; of deaths in hooks and actions the process
that looks after the worker tells (`CrashRegister`).
"""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from webui.domain.errors import UnusableFileError
from webui.library.json_object import read_json
from webui.library.unfinished import write_atomically
from webui.plugins.describing import content_hash
from webui.plugins.loader import folders, peek

DEATHS = 2  # so many, and the extension is set aside
REMEMBERED = 24 * 3600.0  # seconds after which a single death in a hook counts no more
FILE = Path("cache") / "extension-crashes.json"  # in the data folder
MAX_BYTES = 2**20
_ADVICE = "to use it again, switch it on under Extensions, or change its files"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Mark:
    """What is remembered of one folder.

    Attributes:
        hash: of its files when they were last run; other files are another extension.
        deaths: how often the worker has died of it.
        loading: whether it is being loaded now.
        ends: the hook and the kind of each death that was not while it was loaded.
        last: when the last of these was, in seconds since 1970.
    """

    hash: str
    deaths: int = 0
    loading: bool = False
    ends: tuple[str, ...] = ()
    last: float = 0.0


_MARKS: TypeAdapter[dict[str, Mark]] = TypeAdapter(dict[str, Mark])


class CrashGuard:
    """Made at the start of a worker, before any extension is loaded; a mark that is still there tells of a death."""

    def __init__(self, extensions_dir: Path, file: Path) -> None:
        self._extensions_dir = extensions_dir
        self._file = file
        self._marks: dict[str, Mark] = {}
        for name, mark in _read(file).items():
            if mark.loading:
                mark = dataclasses.replace(mark, loading=False, deaths=mark.deaths + 1)
                log.warning("the worker ended while it loaded the extension %s (%d times)", name, mark.deaths)
            self._marks[name] = mark
        _write(self._file, self._marks)

    def broken(self) -> Mapping[str, str]:
        """Folders to set aside, with the reason. One whose files have changed since gets a new chance."""
        present = {folder.name: folder for folder in folders(self._extensions_dir)}
        return {
            name: _reason(mark)
            for name, mark in self._marks.items()
            if mark.deaths >= DEATHS and name in present and mark.hash == content_hash(present[name])
        }

    @contextmanager
    def around(self, folder: str) -> Iterator[None]:
        """While an extension is loaded."""
        digest = content_hash(self._extensions_dir / folder)
        before = self._marks.get(folder)
        if before is None or before.hash != digest:
            before = Mark(digest)
        self._marks[folder] = dataclasses.replace(before, loading=True)
        _write(self._file, self._marks)
        yield
        if before.ends:  # a death in a hook counts still
            self._marks[folder] = before
        else:
            del self._marks[folder]
        _write(self._file, self._marks)


class CrashRegister:
    """The same file as the process sees it that looks after workers. Used while no worker loads extensions."""

    def __init__(self, extensions_dir: Path, file: Path, clock: Callable[[], float] = time.time) -> None:
        self._extensions_dir = extensions_dir
        self._file = file
        self._clock = clock

    def note(self, extension: str, end: str) -> bool:
        """A worker has died in the code of the extension of that name; whether that sets it aside.

        Args:
            end: in which hook, and how, in words for users.
        """
        folder = self._folder(extension)
        if folder is None:
            return False
        marks, digest, now = dict(_read(self._file)), content_hash(folder), self._clock()
        mark = marks.get(folder.name)
        if mark is None or mark.hash != digest or now - mark.last > REMEMBERED:
            mark = Mark(digest)
        ends = (*mark.ends, end)
        marks[folder.name] = dataclasses.replace(mark, deaths=len(ends), ends=ends, last=now)
        _write(self._file, marks)
        return len(ends) >= DEATHS

    def forget(self, extension: str) -> None:
        """The extension of that name is to be used again, whatever it has done."""
        marks = dict(_read(self._file))
        folder = self._folder(extension)
        if folder is not None and marks.pop(folder.name, None) is not None:
            _write(self._file, marks)

    def _folder(self, extension: str) -> Path | None:
        found = folders(self._extensions_dir)
        return next((folder for folder in found if extension in (peek(folder).name, folder.name)), None)


def _reason(mark: Mark) -> str:
    if mark.ends:
        return f"set aside because the worker ended {mark.deaths} times in its code ({'; '.join(mark.ends)}); {_ADVICE}"
    return f"set aside because the worker ended {mark.deaths} times while it was loaded; {_ADVICE}"


def _read(file: Path) -> Mapping[str, Mark]:
    try:
        return _MARKS.validate_python(read_json(file, MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, UnusableFileError, ValidationError) as error:
        log.warning("%s cannot be used (%s); it is made anew", file, str(error).partition("\n")[0])
        return {}


def _write(file: Path, marks: Mapping[str, Mark]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, _MARKS.dump_json(dict(marks)))
    except OSError as error:
        log.warning("%s cannot be written (%s)", file, error)
