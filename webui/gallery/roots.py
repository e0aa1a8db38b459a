"""The folders that the index knows, and the one way from a row to a path: never out of its folder."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from webui.domain.errors import BadRequestError, WebuiError, WrongStateError
from webui.gallery.index_file import IndexFile

MAX_FOLDERS = 50


@dataclass(frozen=True, slots=True)
class Root:
    """A folder whose pictures are in the index.

    Attributes:
        own: the outputs folder of this program, which cannot be taken out.
        pictures: how many of it are in the index.
        there: whether there is such a folder now.
    """

    id: int
    path: Path
    own: bool
    pictures: int = 0
    there: bool = True


class Roots:
    """The list of folders."""

    def __init__(self, index: IndexFile, own: Path) -> None:
        """`own` is the outputs folder; where it was another one before, that stays as an added folder."""
        self._index = index
        path = str(own.resolve())

        def change(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE folders SET own = 0 WHERE path <> ?", (path,))
            connection.execute(
                "INSERT INTO folders (path, own) VALUES (?, 1) ON CONFLICT (path) DO UPDATE SET own = 1", (path,)
            )

        index.write(change)

    def all(self) -> tuple[Root, ...]:
        """The folders, our own first."""
        with self._index.reading() as connection:
            rows = connection.execute(
                "SELECT f.id, f.path, f.own, count(p.id) AS pictures FROM folders AS f"
                " LEFT JOIN pictures AS p ON p.folder = f.id AND p.state = 0 GROUP BY f.id ORDER BY f.own DESC, f.path"
            ).fetchall()
        return tuple(
            Root(row["id"], Path(row["path"]), bool(row["own"]), row["pictures"], Path(row["path"]).is_dir())
            for row in rows
        )

    def add(self, text: str) -> Root:
        """Add a folder that somebody typed.

        Raises:
            BadRequestError: field `path`: no absolute path of a folder that is there, or one inside of another.
        """
        path = Path(text.strip()).expanduser()
        if not path.is_absolute() or "\0" in text:
            raise BadRequestError(
                "path", f"{text[:200]!r} is no absolute path of a folder, such as /pictures or D:\\pictures"
            )
        try:
            path = path.resolve(strict=True)
        except (OSError, RuntimeError):
            raise BadRequestError("path", f"there is no folder {text[:200]}") from None
        if not path.is_dir():
            raise BadRequestError("path", f"{path} is no folder")
        if path == path.parent:
            raise BadRequestError("path", "a whole disk is not taken; name the folder that the pictures are in")
        known = self.all()
        if len(known) >= MAX_FOLDERS:
            raise BadRequestError("path", f"{MAX_FOLDERS} folders are known already; take one out first")
        for root in known:
            if path.is_relative_to(root.path):
                raise BadRequestError("path", f"{root.path} is known already, and all that is in it")
            if root.path.is_relative_to(path):
                raise BadRequestError(
                    "path", f"{root.path}, which is inside of it, is known already; take that out first"
                )

        def change(connection: sqlite3.Connection) -> int:
            made = connection.execute("INSERT INTO folders (path, own) VALUES (?, 0)", (str(path),))
            return int(made.lastrowid or 0)

        return Root(self._index.write(change), path, False)

    def remove(self, root_id: int) -> None:
        """Take a folder out of the index, with the stars, tags and notes of its pictures. No file is touched.

        Raises:
            BadRequestError: there is no such folder.
            WrongStateError: it is our own, or pictures of it are in the trash.
        """

        def change(connection: sqlite3.Connection) -> None:
            row = connection.execute("SELECT own FROM folders WHERE id = ?", (root_id,)).fetchone()
            if row is None:
                raise BadRequestError("folder", f"there is no folder {root_id}")
            if row["own"]:
                raise WrongStateError("the folder that this program saves to is always in the library")
            if connection.execute("SELECT 1 FROM pictures WHERE folder = ? AND state = 2", (root_id,)).fetchone():
                raise WrongStateError("pictures of this folder are in the trash; restore or delete them first")
            gone = "SELECT id FROM pictures WHERE folder = ?"
            connection.execute(f"DELETE FROM words WHERE rowid IN ({gone})", (root_id,))
            connection.execute("DELETE FROM pictures WHERE folder = ?", (root_id,))
            connection.execute("DELETE FROM folders WHERE id = ?", (root_id,))

        self._index.write(change)


def path_within(root: Path, place: str) -> Path:
    """The path of a place in a folder.

    Raises:
        WebuiError: it would lead out of the folder, by its name or by a link on the way.
    """
    parts = PurePosixPath(place).parts
    path = root.joinpath(*parts)
    if not parts or any(part in ("..", "/") for part in parts) or not path.is_relative_to(root):
        raise WebuiError(f"{place!r} is no place in a folder")
    if path.parent.resolve() != path.parent or path.is_symlink():
        raise WebuiError(f"{place!r} leads elsewhere by a link, which is not followed")
    return path
