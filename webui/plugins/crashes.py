"""Remembers in a file which extension was being loaded, so that a worker that dies of one twice starts without it."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from webui.library.unfinished import write_atomically
from webui.plugins.describing import content_hash
from webui.plugins.loader import folders

DEATHS = 2  # so many, and the extension is left out until its files change

log = logging.getLogger(__name__)


class CrashGuard:
    """Made at the start of a worker, before any extension is loaded; a mark that is still there tells of a death."""

    def __init__(self, extensions_dir: Path, file: Path) -> None:
        self._extensions_dir = extensions_dir
        self._file = file
        self._marks: dict[str, dict[str, Any]] = {}
        for name, mark in _read(file).items():
            if mark.get("loading"):
                mark = {**mark, "loading": False, "deaths": int(mark.get("deaths", 0)) + 1}
                log.warning("the worker ended while it loaded the extension %s (%d times)", name, mark["deaths"])
            self._marks[name] = mark
        self._save()

    def broken(self) -> Mapping[str, str]:
        """Folders to leave out, with the reason. One whose files have changed since gets a new chance."""
        present = {folder.name: folder for folder in folders(self._extensions_dir)}
        return {
            name: f"the worker ended {mark['deaths']} times while it was loaded, so it is left out until it changes"
            for name, mark in self._marks.items()
            if mark.get("deaths", 0) >= DEATHS and name in present and mark.get("hash") == content_hash(present[name])
        }

    @contextmanager
    def around(self, folder: str) -> Iterator[None]:
        """While an extension is loaded."""
        digest = content_hash(self._extensions_dir / folder)
        before = self._marks.get(folder, {})
        deaths = before.get("deaths", 0) if before.get("hash") == digest else 0
        self._marks[folder] = {"hash": digest, "deaths": deaths, "loading": True}
        self._save()
        yield
        del self._marks[folder]
        self._save()

    def _save(self) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(self._marks).encode())
        except OSError as error:
            log.warning("%s cannot be written (%s)", self._file, error)


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        marks = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return {name: mark for name, mark in marks.items() if isinstance(mark, dict)} if isinstance(marks, dict) else {}
