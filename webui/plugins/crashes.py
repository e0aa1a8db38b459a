"""Remembers in a file of which extensions a worker has died, so that one of which two have is set aside.

A worker that dies while it loads an extension has left a mark in the file; of deaths in hooks and actions the process
that looks after the worker tells (`CrashRegister`).
"""

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
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
        loaders: by which processes, as process id and start time: several workers may share a data folder.
        ends: the hook and the kind of each death that was not while it was loaded.
        last: when the last of these was, in seconds since 1970.
    """

    hash: str
    deaths: int = 0
    loading: bool = False
    loaders: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    last: float = 0.0


_MARKS: TypeAdapter[dict[str, Mark]] = TypeAdapter(dict[str, Mark])


class CrashGuard:
    """Made at the start of a worker, before any extension is loaded. A mark that is still there tells of a death,
    unless it is that of another worker that lives.
    """

    def __init__(self, extensions_dir: Path, file: Path) -> None:
        self._extensions_dir = extensions_dir
        self._file = file
        self._marks: dict[str, Mark] = {}
        for name, mark in _read(file).items():
            living = tuple(one for one in mark.loaders if _is_another(one))
            dead = len(mark.loaders) - len(living) if mark.loaders else int(mark.loading)
            mark = dataclasses.replace(mark, loading=bool(living), loaders=living, deaths=mark.deaths + dead)
            if dead:
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
        digest, me = content_hash(self._extensions_dir / folder), _this_process()
        marks = dict(_read(self._file))  # another worker may have written since
        before = marks.get(folder)
        if before is None or before.hash != digest:
            before = Mark(digest)
        marks[folder] = dataclasses.replace(before, loading=True, loaders=(*before.loaders, me))
        _write(self._file, marks)
        yield
        marks = dict(_read(self._file))
        now = marks.pop(folder, before)
        others = tuple(one for one in now.loaders if one != me)
        if before.ends or others:  # a death in a hook counts still
            marks[folder] = dataclasses.replace(before, loading=bool(others), loaders=others)
        _write(self._file, marks)


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


def _this_process() -> str:
    return f"{os.getpid()} {psutil.Process().create_time():.2f}"


def _is_another(loader: str) -> bool:
    """Whether a process that loads an extension lives, and is not this one, which loads nothing yet."""
    number, _, started = loader.partition(" ")
    if not number.isdigit() or int(number) == os.getpid():
        return False
    try:
        return f"{psutil.Process(int(number)).create_time():.2f}" == started
    except psutil.Error:
        return False


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
