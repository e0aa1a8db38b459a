"""Learning what extensions are without running them here: a subprocess with a time limit, and a cache of answers."""

import hashlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

import webui
from webui.domain.errors import UnusableFileError
from webui.domain.extensions import ExtensionInfo
from webui.extension_api.markers import API_MINOR, API_VERSION
from webui.library.json_object import json_object, read_json_object
from webui.library.unfinished import write_atomically
from webui.plugins.describe import INFO
from webui.plugins.loader import folders, peek

TIME_LIMIT = 30.0  # seconds for one extension
CACHE = Path("cache") / "extensions.json"  # in the data folder
MAX_CACHE = 64 * 2**20  # bytes
MAX_LINE = 16 * 2**20  # bytes of what one extension may say of itself
LARGE = 2**20  # bytes; of larger files only size and time count
_SKIPPED = ("__pycache__", ".git")

log = logging.getLogger(__name__)


def describe_all(
    extensions_dir: Path, cache_file: Path, disabled: Collection[str] = (), *, time_limit: float = TIME_LIMIT
) -> tuple[ExtensionInfo, ...]:
    """What every folder holds, sorted by name. Only those that changed since the last time are run, elsewhere.

    Args:
        cache_file: JSON; need not exist, and may be lost.
        disabled: names or folders that the user switched off.
        time_limit: seconds after which an extension that still loads is cut off.
    """
    known = _read(cache_file)
    infos: dict[str, ExtensionInfo] = {}
    hashes: dict[str, str] = {}
    for folder in folders(extensions_dir):
        info = peek(folder, disabled)
        if info.state == "ok":
            hashes[folder.name] = content_hash(folder)
            info = known.get((folder.name, hashes[folder.name]), info)
        infos[folder.name] = info
    unknown = [name for name, digest in hashes.items() if (name, digest) not in known]
    if unknown:
        infos |= _described(extensions_dir, unknown, time_limit)
        kept = {(name, digest): infos[name] for name, digest in hashes.items() if _is_lasting(infos[name])}
        _write(cache_file, kept)
    return _without_doubles(infos)


def describe_folder(folder: Path, *, time_limit: float = TIME_LIMIT, packages: Collection[Path] = ()) -> ExtensionInfo:
    """What one folder holds, run elsewhere; `packages` are folders in which its imports are looked for first."""
    return _described(folder.parent, [folder.name], time_limit, packages)[folder.name]


def content_hash(folder: Path) -> str:
    """Changes when a file of the extension, the version of the hooks, or this program's version does."""
    digest = hashlib.sha256(f"{webui.VERSION} {API_VERSION}.{API_MINOR} {sys.version}".encode())
    for root, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if name not in _SKIPPED)
        for name in sorted(names):
            path = Path(root, name)
            digest.update(f"\0{path.relative_to(folder).as_posix()}\0".encode(errors="surrogateescape"))
            try:
                size = path.stat().st_size
                digest.update(path.read_bytes() if size <= LARGE else f"{size} {path.stat().st_mtime_ns}".encode())
            except OSError as error:  # a link to nowhere; loading will say so if it matters
                digest.update(str(error.errno).encode())
    return digest.hexdigest()


def _is_lasting(info: ExtensionInfo) -> bool:
    """Whether asking again would give the same: packages may be installed meanwhile, a hang costs time each start."""
    return info.state == "ok" or (not info.traceback and "run:" not in info.error)


def _described(
    extensions_dir: Path, names: list[str], time_limit: float, packages: Collection[Path] = ()
) -> dict[str, ExtensionInfo]:
    """Describe in subprocesses: a new one goes on behind an extension that hangs or ends its process."""
    found: dict[str, ExtensionInfo] = {}
    waiting = list(names)
    while waiting:
        answers, failed, why = _ask(extensions_dir, waiting, time_limit, packages)
        found |= answers
        waiting = [name for name in waiting if name not in answers]
        if waiting:
            culprit = failed if failed in waiting else waiting[0]
            found[culprit] = replace(peek(extensions_dir / culprit), state="failed", error=why)
            waiting.remove(culprit)
    return found


def _ask(
    extensions_dir: Path, names: list[str], time_limit: float, packages: Collection[Path]
) -> tuple[dict[str, ExtensionInfo], str, str]:
    """One subprocess: its answers, and the extension at which it stopped with the reason."""
    root = str(Path(webui.__file__).parents[1])
    found_in = [str(folder.resolve()) for folder in packages]
    paths = os.pathsep.join([root, *found_in, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "webui.plugins.describe", str(extensions_dir.resolve()), *names]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": paths})
    answers: dict[str, ExtensionInfo] = {}
    loading = ""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    deadline = time.monotonic() + 2 * time_limit  # for the start of the process
    try:
        while line := lines.get(timeout=max(0.0, deadline - time.monotonic())):
            message = json_object("its answer", line)
            loading = message.get("loading", loading)
            if "info" in message:
                answers[loading] = INFO.validate_python(message["info"])
            deadline = time.monotonic() + time_limit
        code = process.wait(time_limit)
        why = f"ended the process that loaded it (exit code {code})"
    except (queue.Empty, subprocess.TimeoutExpired):
        why = f"took more than {time_limit:.0f} s to load and was cut off; it must not wait or compute when imported"
    except (ValueError, ValidationError, UnusableFileError) as error:
        why = f"cannot be described: {error}"
    finally:
        process.kill()
        process.wait()
    return answers, loading, why


def _pump(stream: IO[bytes] | None, lines: "queue.SimpleQueue[bytes]") -> None:
    while stream is not None and (line := stream.readline(MAX_LINE)):
        lines.put(line)
    lines.put(b"")


def _without_doubles(infos: Mapping[str, ExtensionInfo]) -> tuple[ExtensionInfo, ...]:
    """The first folder of a name keeps it, as in `loader.load_all`."""
    owners: dict[str, str] = {}
    result = []
    for folder, info in infos.items():
        if info.state == "ok" and info.name in owners:
            text = f"the folder {owners[info.name]} has an extension of the same name"
            info = replace(info, state="failed", error=text, options=None, actions=())
        elif info.state == "ok":
            owners[info.name] = folder
        result.append(info)
    return tuple(result)


def _read(cache_file: Path) -> dict[tuple[str, str], ExtensionInfo]:
    """What is known; nothing where the file is not as `_write` wrote it: forms and checks are made of it."""
    try:
        found = read_json_object(cache_file, MAX_CACHE)
        if found.get("sha256") != _digest(found.get("entries")):
            raise UnusableFileError(f"{cache_file.name} is damaged: its checksum is another")  # noqa: TRY301
        return {(one["folder"], one["hash"]): INFO.validate_python(one["info"]) for one in found["entries"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, UnusableFileError) as error:
        log.warning("%s cannot be used (%s); it is made anew", cache_file, error)
        return {}


def _write(cache_file: Path, known: Mapping[tuple[str, str], ExtensionInfo]) -> None:
    entries = [
        {"folder": folder, "hash": digest, "info": INFO.dump_python(info, mode="json")}
        for (folder, digest), info in known.items()
    ]
    content = {"sha256": _digest(entries), "entries": entries}
    try:
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache_file, json.dumps(content).encode())
    except OSError as error:
        log.warning("%s cannot be written (%s); extensions are described again at the next start", cache_file, error)


def _digest(entries: Any) -> str:
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()
