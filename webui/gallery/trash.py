"""The trash: pictures put aside, restored to the very place they came from, or deleted for good.

Files go to `.trash/<id>/` inside their own folder, so that moving them is one rename on one disk, and nothing outside
of the known folders is ever touched. A text file beside a picture goes and comes with it.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from webui.domain.errors import WebuiError
from webui.gallery.filing import forget
from webui.gallery.index_file import IndexFile
from webui.gallery.marks import owned
from webui.gallery.roots import path_within
from webui.gallery.states import HERE, TRASHED

FOLDER = ".trash"
DAY = 86400.0  # seconds
KEPT_DAYS = "trash_days"  # the fact that says after how many days pictures are deleted for good
USUAL_DAYS = 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of each picture: the ids of those that it worked for, and why it did not for others."""

    done: tuple[int, ...]
    refused: tuple[tuple[int, str], ...] = ()


class Trash:
    """Moves files and notes it. Thread-safe; a file and its row change together, in the index's writing thread."""

    def __init__(self, index: IndexFile, clock: Callable[[], float] = time.time) -> None:
        self._index = index
        self._clock = clock

    @property
    def days(self) -> int:
        """After how many days pictures in the trash are deleted for good; 0: never."""
        with self._index.reading() as connection:
            row = connection.execute("SELECT value FROM facts WHERE name = ?", (KEPT_DAYS,)).fetchone()
        return int(row["value"]) if row else USUAL_DAYS

    def keep_for(self, days: int) -> None:
        """Delete pictures for good after so many days in the trash; 0: never."""
        value = (KEPT_DAYS, str(max(0, days)))
        self._index.write(lambda c: c.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", value))

    def put(self, pictures: Sequence[int], owner: str | None = None) -> Outcome:
        """Move pictures into the trash."""
        return self._each(pictures, owner, self._put)

    def restore(self, pictures: Sequence[int], owner: str | None = None) -> Outcome:
        """Move pictures back to where they were. One whose place is taken stays, and the outcome says so."""
        return self._each(pictures, owner, self._restore)

    def purge(self, pictures: Sequence[int], owner: str | None = None) -> Outcome:
        """Delete pictures that are in the trash for good."""
        return self._each(pictures, owner, self._purge)

    def contents(self, owner: str | None = None) -> tuple[int, ...]:
        """The ids of all pictures in the trash."""
        with self._index.reading() as connection:
            rows = connection.execute(
                "SELECT id FROM pictures WHERE state = ? AND (? IS NULL OR owner = ?)", (TRASHED, owner, owner)
            ).fetchall()
        return tuple(row["id"] for row in rows)

    def settle(self) -> None:
        """After a start: let rows say what files say, where the program ended between moving one and noting it."""

        def change(connection: sqlite3.Connection) -> None:
            for root_id, text in connection.execute("SELECT id, path FROM folders").fetchall():
                root = Path(text)
                for aside in _folders_in(root / FOLDER):
                    row = connection.execute(
                        "SELECT id, place FROM pictures WHERE id = ? AND folder = ? AND state <> ?",
                        (int(aside.name), root_id, TRASHED),
                    ).fetchone()
                    if row is None or (root / row["place"]).exists():
                        continue
                    place = f"{FOLDER}/{aside.name}/{Path(row['place']).name}"
                    if (root / place).is_file():
                        self._note_put(connection, row["id"], row["place"], place)
            for row in connection.execute(
                "SELECT p.id, p.place, t.trash, f.path AS root FROM pictures AS p JOIN texts AS t ON t.picture = p.id"
                " JOIN folders AS f ON f.id = p.folder WHERE p.state = ?",
                (TRASHED,),
            ).fetchall():
                root = Path(row["root"])
                if root.is_dir() and not (root / row["place"]).exists():
                    if (root / row["trash"]).is_file():
                        _note_restored(connection, row["id"], row["trash"])
                    else:
                        forget(connection, (row["id"],))

        self._index.write(change)

    def purge_old(self) -> Outcome:
        """Delete for good what has been in the trash for longer than it is kept."""
        if not (days := self.days):
            return Outcome(())
        with self._index.reading() as connection:
            rows = connection.execute(
                "SELECT id FROM pictures WHERE state = ? AND trashed < ?", (TRASHED, self._clock() - days * DAY)
            ).fetchall()
        return self.purge([row["id"] for row in rows])

    def _each(
        self, pictures: Sequence[int], owner: str | None, act: Callable[[sqlite3.Connection, sqlite3.Row], None]
    ) -> Outcome:
        def change(connection: sqlite3.Connection) -> Outcome:
            done, refused = [], []
            for picture in owned(connection, pictures, owner):
                row = connection.execute(
                    "SELECT p.id, p.state, p.folder, p.place, t.trash, f.path AS root FROM pictures AS p"
                    " JOIN texts AS t ON t.picture = p.id JOIN folders AS f ON f.id = p.folder WHERE p.id = ?",
                    (picture,),
                ).fetchone()
                try:
                    act(connection, row)
                    done.append(picture)
                except WebuiError as error:
                    refused.append((picture, str(error)))
                except OSError as error:
                    refused.append((picture, f"{row['place']}: {error.strerror or type(error).__name__}"))
            return Outcome(tuple(done), tuple(refused))

        return self._index.write(change)

    def _put(self, connection: sqlite3.Connection, row: sqlite3.Row) -> None:
        root = Path(row["root"])
        if row["state"] == TRASHED:
            raise WebuiError(f"{row['place']} is in the trash already")
        path = path_within(root, row["place"])
        bin_ = root / FOLDER
        bin_.mkdir(exist_ok=True)
        if bin_.is_symlink():
            raise WebuiError(f"{bin_} is a link, which is not followed; remove it")
        place = f"{FOLDER}/{row['id']}/{path.name}"
        aside = bin_ / str(row["id"])
        aside.mkdir()
        try:
            _move(path, root / place)
        except OSError:
            aside.rmdir()
            raise
        with contextlib.suppress(OSError):
            if _own_text(path):
                _move(path.with_suffix(".txt"), (root / place).with_suffix(".txt"))
        self._note_put(connection, row["id"], row["place"], place)

    def _note_put(self, connection: sqlite3.Connection, picture: int, before: str, place: str) -> None:
        connection.execute(
            "UPDATE pictures SET state = ?, place = ?, trashed = ? WHERE id = ?",
            (TRASHED, place, self._clock(), picture),
        )
        connection.execute("UPDATE texts SET trash = ? WHERE picture = ?", (before, picture))

    def _restore(self, connection: sqlite3.Connection, row: sqlite3.Row) -> None:
        root = Path(row["root"])
        if row["state"] != TRASHED:
            raise WebuiError(f"{row['place']} is not in the trash")
        old, path = path_within(root, row["place"]), root / row["trash"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path = path_within(root, row["trash"])
        taken = connection.execute(
            "SELECT 1 FROM pictures WHERE folder = ? AND place = ? AND state <> 1", (row["folder"], row["trash"])
        ).fetchone()
        if taken or path.exists():
            raise WebuiError(f"another file is at {row['trash']} by now; move it away, then restore this one")
        _move(old, path)
        with contextlib.suppress(OSError):
            if (text := old.with_suffix(".txt")).is_file():
                _move(text, path.with_suffix(".txt"))
        with contextlib.suppress(OSError):
            old.parent.rmdir()
        _note_restored(connection, row["id"], row["trash"])

    def _purge(self, connection: sqlite3.Connection, row: sqlite3.Row) -> None:
        if row["state"] != TRASHED or not str(row["place"]).startswith(f"{FOLDER}/{row['id']}/"):
            raise WebuiError(f"{row['place']} is not in the trash; put it there first")
        path = path_within(Path(row["root"]), row["place"])
        path.unlink(missing_ok=True)
        path.with_suffix(".txt").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()
        forget(connection, (row["id"],))


def _note_restored(connection: sqlite3.Connection, picture: int, place: str) -> None:
    connection.execute("UPDATE pictures SET state = ?, place = ?, trashed = NULL WHERE id = ?", (HERE, place, picture))
    connection.execute("UPDATE texts SET trash = '' WHERE picture = ?", (picture,))


def _folders_in(bin_: Path) -> list[Path]:
    """The folders of pictures in a trash folder."""
    if bin_.is_symlink() or not bin_.is_dir():
        return []
    return [one for one in bin_.iterdir() if one.name.isascii() and one.name.isdigit() and one.is_dir()]


def _own_text(path: Path) -> bool:
    """Whether there is a text file that belongs to this picture and to no other of the same name."""
    text = path.with_suffix(".txt")
    if text.is_symlink() or not text.is_file():
        return False
    return not any(
        one.stem == path.stem and one.suffix != ".txt" for one in path.parent.glob(_escaped(path.stem) + ".*")
    )


def _escaped(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _move(source: Path, target: Path) -> None:
    """Rename a file, never over another. Raises OSError."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(17, "another file is there", str(target)) from None
        os.rename(source, target)
    else:
        os.unlink(source)
