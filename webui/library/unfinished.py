"""Files on their way to being whole. While they are written they have a name that tells whose they are, so that what
a killed process left can be told from what another is writing, and removed at the next start.
"""

import contextlib
import hashlib
import logging
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterable
from pathlib import Path

_NAME = re.compile(r"\..*\.webui-(?P<host>[0-9a-f]{8})-(?P<process>[0-9]{1,10})-[0-9a-f]{8}\.tmp", re.DOTALL)
_LONGEST = 40  # characters kept of the final name
_CLOCKS = 2.0  # seconds by which the clocks of the file system and of the process table may differ

log = logging.getLogger(__name__)


def unfinished(path: Path) -> Path:
    """A new hidden name beside `path`, for a file or a folder that becomes it; it says which process writes.

    Form: `.NAME.webui-HOST-PROCESS-RANDOM.tmp`, HOST being 8 hex digits of a hash of the machine's name.
    """
    name = f".{path.name[:_LONGEST]}.webui-{_host()}-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    return path.with_name(name)


def write_atomically(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Replace `path` in one go, so that a reader sees the old file or the new one.

    Args:
        durable: bring it to the disk first, so that the same holds after a power cut.

    Raises:
        OSError: it cannot be written; `path` is as it was.
    """
    temporary = unfinished(path)
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def remove_abandoned(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Remove what dead processes of this machine left below these folders; gives back what was removed.

    A name of another form, another machine, or a process that may still live is left alone. Links are not followed.
    What cannot be read or removed stays, and the log says so.
    """
    removed = []
    for folder in folders:
        for place, inner, files in os.walk(folder):
            for name in [*inner, *files]:
                path = Path(place, name)
                if (found := _NAME.fullmatch(name)) is None or not _abandoned(path, found):
                    continue
                if name in inner:
                    inner.remove(name)  # there is nothing to walk into any more
                try:
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
                except FileNotFoundError:
                    continue  # another start was quicker
                except OSError as error:
                    log.warning("%s was left by a process that ended, and cannot be removed: %s", path, error.strerror)
                    continue
                removed.append(path)
                log.info("removed %s, left unfinished by a process that ended", path)
    return tuple(removed)


def _abandoned(path: Path, name: re.Match[str]) -> bool:
    """Whether its process ran on this machine and is certainly dead: gone, or its number is another's by now."""
    if name["host"] != _host():
        return False
    import psutil  # here: it is slow, and every process imports this module

    try:
        written = path.lstat().st_mtime
        process = psutil.Process(int(name["process"]))
        began: float = process.create_time()
        return bool(process.status() == psutil.STATUS_ZOMBIE) or began > written + _CLOCKS
    except psutil.NoSuchProcess:
        return True
    except (OSError, OverflowError, psutil.Error):  # gone meanwhile, or it may not be asked
        return False


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
