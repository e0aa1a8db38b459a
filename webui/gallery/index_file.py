"""The index as a file (SQLite): one thread writes, any number read at the same time."""

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from webui.database.opening import open_database, telling
from webui.domain.errors import WebuiError
from webui.gallery.index_forms import SCRIPTS

PATIENCE = 60.0  # seconds that a caller waits for its turn to write
NAME = "index of pictures"  # in errors
MEMORY = 64 * 1024  # KiB of the file that each reader may keep in memory

Result = TypeVar("Result")
Change = Callable[[sqlite3.Connection], Result]
_Order = tuple[Callable[[sqlite3.Connection], object], "Future[object]", bool]


class IndexFile:
    """The database of pictures. Thread-safe; one process at a time may own it."""

    def __init__(self, path: Path) -> None:
        """Open or create it; a damaged file is moved aside and a new one begun.

        Raises:
            WebuiError: it cannot be opened, or a newer version of the program has written it.
        """
        self.path = path
        with telling(path, NAME):
            self._writer, self.moved_aside = open_database(path, SCRIPTS)
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._changes = 0
        self._thread = threading.Thread(target=self._write, name="gallery writer", daemon=True)
        self._thread.start()

    @property
    def changes(self) -> int:
        """How many transactions were made since the start; the same number means that lists look the same."""
        return self._changes

    def write(self, change: Change[Result], *, shows: bool = True) -> Result:
        """Run `change` in one transaction, in its turn; all of it or, whatever happens, nothing is kept.

        Args:
            shows: whether lists of pictures may look different afterwards, so that it counts among `changes`.

        Raises:
            WebuiError: the disk or the file fails, or the index was closed.
        """
        done: Future[Result] = Future()

        def order(connection: sqlite3.Connection) -> object:
            return change(connection)

        with self._lock:
            if self._closed:
                raise WebuiError("the index of pictures is closed")
            self._orders.put((order, done, shows))  # type: ignore[arg-type]
        try:
            with telling(self.path, NAME):
                return done.result(PATIENCE)
        except TimeoutError:
            raise WebuiError("the index of pictures is busy; try again in a minute") from None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the index and cannot change it. Raises WebuiError."""
        with telling(self.path, NAME):
            connection = self._reader()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.execute("ROLLBACK")
                self._readers.put(connection)

    def close(self) -> None:
        """What was ordered before is written. Safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._orders.put(None)
        self._thread.join()
        self._writer.close()
        while not self._readers.empty():
            self._readers.get().close()

    def _reader(self) -> sqlite3.Connection:
        try:
            return self._readers.get_nowait()
        except queue.Empty:
            address = f"{self.path.resolve().as_uri()}?mode=ro"
            connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{MEMORY}")
            connection.execute("PRAGMA temp_store = MEMORY")
            return connection

    def _write(self) -> None:
        for order in iter(self._orders.get, None):
            change, done, shows = order
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                result = change(self._writer)
                self._writer.execute("COMMIT")
            except BaseException as error:  # who ordered it hears of it
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                done.set_exception(error)
            else:
                self._changes += shows
                done.set_result(result)
