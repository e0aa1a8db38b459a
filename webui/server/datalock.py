"""One server for one data folder: a lock that ends with its process, however that ends."""

import os
import sys
from pathlib import Path
from typing import IO

from webui.domain.errors import WebuiError
from webui.library.json_object import keep_aside


class DataLock:
    """Holds the data folder until closed.

    Raises:
        WebuiError: another process holds it; the text names its id.
    """

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        path = data_dir / "lock"
        if path.is_dir():
            keep_aside(path, "it is a folder")
        self._file: IO[str] = path.open("a+", encoding="utf-8", errors="replace")  # not "w": it names the owner
        try:
            _lock(self._file)
        except OSError:
            self._file.seek(0)
            owner = self._file.read(20).strip() or "unknown"
            self._file.close()
            raise WebuiError(
                f"the data folder {data_dir} is used by another webui (process {owner}); "
                "stop that one or choose another folder with --data-dir"
            ) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def close(self) -> None:
        """Let go. Safe to call twice."""
        self._file.close()


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(2**30)  # far behind the number, which others must be able to read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
