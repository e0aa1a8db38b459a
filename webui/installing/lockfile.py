"""The lock file of installed extensions: source, commit, content hash and packages of each."""

import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from webui.domain.errors import WebuiError
from webui.library.json_object import keep_aside
from webui.library.unfinished import write_atomically

FILE = "extensions.lock.json"  # in the data folder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One generation of an installed extension.

    Attributes:
        commit: 40 hex digits; "" for zips and folders.
        sha256: `tree.tree_hash` of its folder.
        packages: the packages installed for it, as `name==version`.
    """

    version: str
    source: str
    ref: str
    commit: str
    sha256: str
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """The record of one installed extension.

    Attributes:
        now: the generation in its folder.
        previous: the generation before, kept until `now` has started once.
        coming: the generation that is being put into the folder; None at all other times.
        note: a sentence for the user about its last change; "" where that went well.
    """

    now: Entry | None = None
    previous: Entry | None = None
    coming: Entry | None = None
    note: str = ""


_RECORDS: TypeAdapter[dict[str, Record]] = TypeAdapter(dict[str, Record])


@dataclass(frozen=True, slots=True)
class Lock:
    """All records by name. It is immutable; `LockFile.write` replaces the file by another."""

    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))

    def with_(self, name: str, record: Record | None) -> "Lock":
        """A copy with another record under a name; None removes the record."""
        others = {key: value for key, value in self.records.items() if key != name}
        return Lock(MappingProxyType(others if record is None else {**others, name: record}))

    def noting(self, name: str, note: str) -> "Lock":
        record = self.records.get(name)
        return self if record is None else self.with_(name, replace(record, note=note))


class LockFile:
    """Reads and replaces the file as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Lock:
        """The content of the file; empty where there is no file.

        Raises:
            WebuiError: the file is damaged. It is not overwritten, because it alone knows what was installed.
        """
        try:
            return Lock(MappingProxyType(_RECORDS.validate_json(self._path.read_bytes())))
        except FileNotFoundError:
            return Lock()
        except (OSError, ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else error.errors(include_input=False)[0]["msg"]
            raise WebuiError(
                f"{self._path} cannot be read ({reason}); move it away, then install the extensions again"
            ) from None

    def keep_damaged_aside(self) -> bool:
        """At a start: rename a file that cannot be read to `<name>.damaged-<time>`; whether that was done.

        The extensions stay and work; that they were installed, and what they were before, only that file knows.
        """
        try:
            self.read()
        except WebuiError as error:
            with contextlib.suppress(OSError):
                keep_aside(self._path, str(error))
                return True
        return False

    def write(self, lock: Lock) -> None:
        """Raises WebuiError where it cannot be written."""
        data = _RECORDS.dump_python(dict(sorted(lock.records.items())), mode="json")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(data, indent=2).encode())
        except OSError as error:
            raise WebuiError(f"{self._path} cannot be written ({error.strerror})") from None
