"""What was once computed about files (hashes, verdicts), kept on disk and forgotten when the file changes."""

import contextlib
import json
from pathlib import Path
from threading import Lock

from webui.domain.errors import UnusableFileError
from webui.library.json_object import read_json_object
from webui.library.unfinished import write_atomically

MAX_BYTES = 64 * 1024 * 1024


class FileFacts:
    """Facts by file, valid for one size and modification time. Losing the store costs time, never correctness.

    Several processes may share the folder: each writes what it has merged with what is there, atomically.
    """

    def __init__(self, cache_dir: Path) -> None:
        self._store = cache_dir / "model-files.json"
        self._lock = Lock()
        self._facts: dict[str, dict[str, str]] = self._read()
        self._changed: set[str] = set()

    def get(self, path: Path, name: str) -> str | None:
        """The fact, or None when it is unknown or was about an older file."""
        with self._lock:
            facts = self._facts.get(str(path))
        if facts is None or facts.get("version") != version(path):
            return None
        return facts.get(name)

    def put(self, path: Path, name: str, value: str) -> None:
        """Remember a fact about the file as it is now; `save` writes it down."""
        now = version(path)
        with self._lock:
            facts = self._facts.get(str(path), {})
            if facts.get("version") != now:
                facts = {"version": now}
            self._facts[str(path)] = {**facts, name: value}
            self._changed.add(str(path))

    def save(self) -> None:
        """Write the store if anything changed. A folder that cannot be written leaves the facts in memory."""
        with self._lock:
            if not self._changed:
                return
            merged = {**self._read(), **{path: self._facts[path] for path in self._changed}}
            with contextlib.suppress(OSError):  # read-only cache: hashes are computed again next time
                self._store.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(self._store, json.dumps(merged).encode())
                self._changed.clear()

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            table = read_json_object(self._store, MAX_BYTES)
        except (OSError, UnusableFileError):
            return {}  # no store yet, or a damaged one: start afresh
        return {path: facts for path, facts in table.items() if _is_facts(facts)}


def version(path: Path) -> str:
    """Changes when the file does: size and modification time; empty when it is gone."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}"


def _is_facts(facts: object) -> bool:
    return isinstance(facts, dict) and all(isinstance(value, str) for value in facts.values())
