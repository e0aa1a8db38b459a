"""Looking through the folders in the background: what is new, what has changed, what is gone."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from webui.domain.errors import WebuiError
from webui.gallery.filing import file_picture, note_gone
from webui.gallery.folder_walk import Found, walk
from webui.gallery.index_file import IndexFile
from webui.gallery.picture_facts import FileFacts, Origin
from webui.gallery.reading_files import read_file
from webui.gallery.roots import Root, Roots, path_within
from webui.gallery.states import MISSING, TRASHED

BATCH = 100  # files that are noted in one transaction
REST, REST_WHILE_BUSY = 0.3, 4.0  # times as long as reading a file took, so that others have the disk and a core
MAX_FAULTS = 100  # that are told
_NOBODY = Origin()

log = logging.getLogger(__name__)

Origins = Callable[[], Mapping[str, Origin]]  # by the path of a file, where it is known who had it made


@dataclass(frozen=True, slots=True)
class ScanState:
    """How far a scan is.

    Attributes:
        folder: that is looked through now; "" where none is.
        seen: files that were found so far, in all folders.
        read, to_read: of those that are new or have changed.
        gone: pictures whose files are not there any more.
        faults: what could not be read, in words.
        ended: seconds since the epoch when the last scan came to its end; None where none did.
    """

    running: bool = False
    folder: str = ""
    seen: int = 0
    read: int = 0
    to_read: int = 0
    gone: int = 0
    faults: tuple[str, ...] = ()
    stopped: bool = False
    ended: float | None = None


class Scanner:
    """Brings the index up to date with the folders. One scan runs at a time. Thread-safe.

    A scan that was stopped, or that the end of the program broke off, goes on where it was: what is in the index and
    has the same size and time is not read again.
    """

    def __init__(
        self,
        index: IndexFile,
        roots: Roots,
        *,
        origins: Origins = dict,
        is_busy: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`is_busy` tells whether pictures are being made, so that a scan takes more rests."""
        self._index = index
        self._roots = roots
        self._origins = origins
        self._is_busy = is_busy
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._again = False
        self._state = ScanState()

    @property
    def state(self) -> ScanState:
        """How far it is."""
        return self._state

    def start(self) -> None:
        """Begin a scan of all folders; where one runs, another follows it."""
        with self._lock:
            if self._thread is not None:
                self._again = True
                return
            self._stopping.clear()
            self._state = ScanState(running=True, ended=self._state.ended)
            self._thread = threading.Thread(target=self._run, name="gallery scan", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the scan soon; what it has read so far is kept."""
        with self._lock:
            self._again = False
            self._stopping.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until no scan runs; whether that is so."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return self._thread is None

    def close(self) -> None:
        """Stop and wait for the end."""
        self.stop()
        self.wait()

    def _run(self) -> None:
        going_on = True
        while going_on:
            try:
                self._scan()
            except WebuiError as error:
                log.warning("the scan of the pictures' folders broke off: %s", error)
                self._fault(str(error))
            except Exception:
                log.exception("the scan of the pictures' folders broke off")
                self._fault("the scan broke off by an error of the program; its log tells more")
            with self._lock:
                going_on, self._again = self._again, False
                ended = self._state.ended if self._stopping.is_set() else self._clock()
                stopped = self._stopping.is_set()
                self._state = replace(self._state, running=going_on, folder="", stopped=stopped, ended=ended)
                if not going_on:
                    self._thread = None

    def _scan(self) -> None:
        self._state = ScanState(running=True, ended=self._state.ended)
        paths = {root.id: root.path for root in self._roots.all()}
        for root in self._roots.all():
            if self._stopping.is_set():
                return
            self._state = replace(self._state, folder=str(root.path))
            if root.there:
                self._scan_root(root, paths)
            elif not root.own:
                self._fault(f"{root.path} is not there now; its pictures stay in the library")

    def _scan_root(self, root: Root, paths: Mapping[int, Path]) -> None:
        with self._index.reading() as connection:
            known = {
                row["place"]: (row["id"], row["bytes"], row["modified"])
                for row in connection.execute(
                    "SELECT id, place, bytes, modified FROM pictures WHERE folder = ? AND state NOT IN (?, ?)",
                    (root.id, MISSING, TRASHED),
                )
            }
        to_read: list[Found] = []
        unseen = dict(known)
        faults = len(self._state.faults)
        for found in walk(root.path, lambda place, error: self._fault(f"{place}: {error.strerror}")):
            if self._stopping.is_set():
                return
            row = unseen.pop(found.place, None)
            self._state = replace(self._state, seen=self._state.seen + 1)
            if row is None or row[1:] != (found.bytes, found.modified):
                to_read.append(found)
        self._state = replace(self._state, to_read=self._state.to_read + len(to_read))
        origins = self._origins() if root.own and to_read else {}
        for start in range(0, len(to_read), BATCH):
            self._read(root, to_read[start : start + BATCH], paths, origins)
            if self._stopping.is_set():
                return
        if unseen and len(self._state.faults) == faults:  # a folder that could not be read hides its pictures
            self._note_gone(root, {row[0]: place for place, row in unseen.items()})

    def _read(self, root: Root, batch: list[Found], paths: Mapping[int, Path], origins: Mapping[str, Origin]) -> None:
        """Read some files and note them together."""
        read: list[tuple[str, FileFacts]] = []
        for found in batch:
            began = time.monotonic()
            try:
                path = path_within(root.path, found.place)
                read.append((found.place, read_file(path, found.place, origins.get(str(path), _NOBODY))))
            except OSError as error:
                if path_exists(root.path, found.place):
                    self._fault(f"{found.place}: {error.strerror or type(error).__name__}")
            except WebuiError as error:
                self._fault(str(error))
            self._state = replace(self._state, read=self._state.read + 1)
            rest = (time.monotonic() - began) * (REST_WHILE_BUSY if self._is_busy() else REST)
            if self._stopping.wait(min(rest, 1.0)):
                break

        def change(connection: sqlite3.Connection) -> None:
            for place, facts in read:
                if path_exists(root.path, place):  # it may have been put into the trash since it was read
                    file_picture(connection, root.id, place, facts, lambda row: is_there(paths, row))

        self._index.write(change)

    def _note_gone(self, root: Root, unseen: Mapping[int, str]) -> None:
        def change(connection: sqlite3.Connection) -> int:
            before = connection.execute(
                "SELECT id, place FROM pictures WHERE folder = ? AND state NOT IN (?, ?)", (root.id, MISSING, TRASHED)
            ).fetchall()
            gone = [
                row["id"]
                for row in before
                if unseen.get(row["id"]) == row["place"] and not path_exists(root.path, row["place"])
            ]
            note_gone(connection, gone)
            return len(gone)

        self._state = replace(self._state, gone=self._state.gone + self._index.write(change))

    def _fault(self, text: str) -> None:
        faults = self._state.faults
        if len(faults) < MAX_FAULTS:
            self._state = replace(self._state, faults=(*faults, text))


def is_there(paths: Mapping[int, Path], row: sqlite3.Row) -> bool:
    """Whether the file of a row is where the row says, and is the one that was read."""
    root = paths.get(row["folder"])
    if root is None:
        return False
    try:
        stat = path_within(root, row["place"]).stat()
    except (OSError, WebuiError):
        return not root.is_dir()  # a folder that is not there now says nothing of its files
    return (stat.st_size, stat.st_mtime_ns) == (row["bytes"], row["modified"])


def path_exists(root: Path, place: str) -> bool:
    """Whether there is a file at a place of a folder."""
    try:
        return path_within(root, place).is_file()
    except (OSError, WebuiError):
        return False
