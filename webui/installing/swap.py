"""Exchanges generations of an extension so that a kill at any moment leaves the old one or the new one.

The order of every change is: the lock file names the coming generation, folders are renamed, the lock file names the
present generation. `recover` finishes or undoes an interrupted change by looking at which files are where.
"""

import contextlib
import logging
import os
import secrets
from dataclasses import replace
from pathlib import Path

from webui.domain.errors import WebuiError
from webui.installing.lockfile import Entry, Lock, LockFile, Record
from webui.installing.tree import delete_tree, tree_hash

STAGING, PREVIOUS = ".staging", ".previous"  # beside the extensions, so that renaming is enough; never loaded

log = logging.getLogger(__name__)


class Generations:
    """The folders of installed extensions and their lock file. The caller must hold the installer's lock."""

    def __init__(self, extensions_dir: Path, lock_file: LockFile) -> None:
        self._dir = extensions_dir
        self._file = lock_file

    def folder(self, name: str) -> Path:
        return self._dir / name

    def staging(self) -> Path:
        """A new folder to prepare something in."""
        path = self._dir / STAGING / secrets.token_hex(8)
        path.mkdir(parents=True)
        return path

    def lock(self) -> Lock:
        return self._file.read()

    def note(self, name: str, text: str) -> None:
        self._file.write(self.lock().noting(name, text))

    def put(self, name: str, staged: Path, entry: Entry) -> None:
        """Make a staged folder the extension. The present folder becomes the previous generation.

        Raises:
            WebuiError: a folder cannot be renamed; the old state is back.
        """
        before = self.lock().records.get(name, Record())
        self._file.write(self.lock().with_(name, replace(before, coming=entry, previous=None)))
        try:
            delete_tree(self._previous(name))
            if self.folder(name).exists():
                self._rename(self.folder(name), self._previous(name))
            self._rename(staged, self.folder(name))
        except OSError as error:
            self._recover_one(name)
            text = f"the folder of {name} cannot be exchanged ({error.strerror}); nothing was changed"
            raise WebuiError(text) from None
        self._file.write(self.lock().with_(name, Record(now=entry, previous=before.now)))

    def roll_back(self, name: str, note: str) -> Entry:
        """Make the previous generation the extension again. The present one is deleted.

        Returns:
            The generation that is there now.

        Raises:
            WebuiError: there is no previous generation.
        """
        record = self.lock().records.get(name, Record())
        if record.previous is None or not self._previous(name).is_dir():
            raise WebuiError(f"{name} has no earlier generation; install the version you want with --ref")
        self._file.write(self.lock().with_(name, replace(record, coming=record.previous)))
        self._throw_away(self.folder(name))
        self._rename(self._previous(name), self.folder(name))
        self._file.write(self.lock().with_(name, Record(now=record.previous, note=note)))
        return record.previous

    def remove(self, name: str) -> None:
        """Take an extension away with all its generations."""
        self._throw_away(self.folder(name))
        self._throw_away(self._previous(name))
        self._file.write(self.lock().with_(name, None))

    def settle(self, name: str) -> None:
        """Delete the previous generation, because the present one has started."""
        record = self.lock().records.get(name)
        if record is not None and record.previous is not None:
            self._file.write(self.lock().with_(name, replace(record, previous=None, note="")))
            self._throw_away(self._previous(name))

    def recover(self) -> None:
        """After a start: finish or undo what a kill broke off, and throw away what was staged."""
        if self._file.keep_damaged_aside():
            return  # what is kept of earlier generations may be put back by hand
        for name in self.lock().records:
            self._recover_one(name)
        self._sweep(self._dir / STAGING)
        kept = {name for name, record in self.lock().records.items() if record.previous is not None}
        with contextlib.suppress(FileNotFoundError):
            for path in (self._dir / PREVIOUS).iterdir():
                if path.name not in kept:
                    self._sweep(path)

    def _recover_one(self, name: str) -> None:
        record = self.lock().records.get(name)
        if record is None:
            return
        folder, previous = self.folder(name), self._previous(name)
        if record.coming is not None:
            undoing = record.coming == record.previous
            if not folder.exists() and previous.is_dir():
                self._rename(previous, folder)
                arrived = undoing
            else:
                arrived = _holds(folder, record.coming)
            if arrived:
                before = record.now if previous.is_dir() and not undoing else None
                self._file.write(self.lock().with_(name, Record(record.coming, before, None, record.note)))
                return
            log.warning("a change of the extension %s was broken off; the earlier state is kept", name)
            stays = None if record.now is None else replace(record, coming=None)
            self._file.write(self.lock().with_(name, stays))
        elif not folder.exists():
            log.warning("the extension %s is gone; it is no longer counted as installed", name)
            self._file.write(self.lock().with_(name, None))

    def _previous(self, name: str) -> Path:
        return self._dir / PREVIOUS / name

    def _rename(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(source, target)

    def _throw_away(self, folder: Path) -> None:
        """Rename a folder away in one step before deleting it, which takes many."""
        if folder.is_dir():
            hidden = self._dir / STAGING / f"removed-{secrets.token_hex(8)}"
            self._rename(folder, hidden)
            self._sweep(hidden)

    def _sweep(self, folder: Path) -> None:
        try:
            delete_tree(folder)
        except OSError as error:  # on Windows a file may be in use; the next start tries again
            log.warning("%s cannot be deleted (%s)", folder, error.strerror)


def _holds(folder: Path, entry: Entry) -> bool:
    """Whether the folder's files are those of the generation."""
    try:
        return folder.is_dir() and tree_hash(folder) == entry.sha256
    except OSError as error:
        log.warning("%s cannot be read (%s)", error.filename, error.strerror)
        return False
