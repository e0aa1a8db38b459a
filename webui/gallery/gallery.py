"""The library of pictures, put together: its index, its folders, and what can be done with what is in them."""

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from webui.domain.errors import BadRequestError, WebuiError
from webui.gallery.filing import file_picture, note_gone
from webui.gallery.index_file import IndexFile
from webui.gallery.last_uses import LastUses
from webui.gallery.lineage import Lineage, lineage_of
from webui.gallery.marks import Marks
from webui.gallery.picture_facts import Origin
from webui.gallery.reading_files import read_file
from webui.gallery.roots import Roots, path_within
from webui.gallery.scanning import Origins, Scanner, is_there, path_exists
from webui.gallery.searching import Search
from webui.gallery.states import DAMAGED
from webui.gallery.thumbnails import Thumbnails
from webui.gallery.trash import Trash

FILE = "library.sqlite3"  # in the data folder
THUMBNAILS = "thumbnails"  # in the cache folder

log = logging.getLogger(__name__)


class Gallery:
    """Every picture that was ever saved. Thread-safe.

    Attributes:
        search: reads, as `last_uses` does; `marks`, `trash`, `roots` and `scanner` change.
    """

    def __init__(
        self,
        data_dir: Path,
        outputs_dir: Path,
        *,
        origins: Origins = dict,
        is_busy: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the index; nothing is scanned yet.

        Args:
            outputs_dir: where this program saves; always a folder of the library.
            origins: who had which file made, for pictures that were saved before there was an index.
            is_busy: whether pictures are being made.

        Raises:
            WebuiError: the index cannot be opened.
        """
        self.index = IndexFile(data_dir / FILE)
        self.roots = Roots(self.index, outputs_dir)
        self.search = Search(self.index)
        self.last_uses = LastUses(self.index)
        self.marks = Marks(self.index)
        self.trash = Trash(self.index, clock)
        self.thumbnails = Thumbnails(data_dir / "cache" / THUMBNAILS)
        self.scanner = Scanner(self.index, self.roots, origins=origins, is_busy=is_busy, clock=clock)
        self.trash.settle()

    def close(self) -> None:
        """Safe to call twice."""
        self.scanner.close()
        self.index.close()

    def note_saved(self, path: Path, origin: Origin) -> None:
        """A picture was saved just now. A failure is in the log alone: the next scan finds the file."""
        try:
            paths = {root.id: root.path for root in self.roots.all()}
            folder, place = next(
                (number, path.resolve().relative_to(root).as_posix())
                for number, root in paths.items()
                if path.resolve().is_relative_to(root)
            )
            facts = read_file(path, place, origin)
            self.index.write(lambda c: file_picture(c, folder, place, facts, lambda row: is_there(paths, row)))
        except StopIteration:
            log.warning("%s is in no folder of the library", path)
        except (OSError, WebuiError) as error:
            log.warning("%s is not in the library yet: %s", path, error)

    def path_of(self, picture: int, owner: str | None = None) -> Path:
        """The file of a picture.

        Raises:
            BadRequestError: there is no such picture, it is another user's, or its file is gone.
        """
        found = self.search.details(picture, owner)
        with self.index.reading() as connection:
            (root,) = connection.execute("SELECT path FROM folders WHERE id = ?", (found.folder,)).fetchone()
        try:
            path = path_within(Path(root), found.place)
        except WebuiError as error:
            raise BadRequestError("id", str(error)) from None
        if not path.is_file():
            if found.row.trashed is None and Path(root).is_dir():
                self.index.write(lambda c: None if path_exists(Path(root), found.place) else note_gone(c, (picture,)))
            raise BadRequestError("id", f"the file {found.place} is gone; it was moved or deleted by another program")
        return path

    def paths_of(self, pictures: Sequence[int], owner: str | None = None) -> list[Path]:
        """The files of those of the pictures that are there."""
        found = []
        for picture in pictures:
            try:
                found.append(self.path_of(picture, owner))
            except BadRequestError:
                continue  # it was deleted since it was chosen
        return found

    def thumbnail(self, picture: int, owner: str | None = None) -> bytes:
        """A WebP of the picture, made where it is asked for the first time.

        Raises:
            BadRequestError: there is no such picture, or it turns out to be damaged, which is noted.
        """
        digest = self.search.details(picture, owner).row.digest
        if (kept := self.thumbnails.get(digest)) is not None:
            return kept.read_bytes()
        try:
            data, pixels = self.thumbnails.make(digest, self.path_of(picture, owner))
        except BadRequestError as error:
            fault = error.message
            if error.field == "image":
                self.index.write(lambda c: _note_damaged(c, picture, digest, fault))
            raise
        self.index.write(lambda c: _note_pixels(c, picture, digest, pixels), shows=False)
        return data

    def lineage(self, picture: int, owner: str | None = None) -> Lineage:
        """The tree that a picture belongs to."""
        return lineage_of(self.index, self.search.details(picture, owner).row.id, owner)


def _note_damaged(connection: sqlite3.Connection, picture: int, digest: str, fault: str) -> None:
    changed = connection.execute(
        "UPDATE pictures SET state = ? WHERE id = ? AND digest = ? AND state = 0", (DAMAGED, picture, digest)
    ).rowcount
    if changed:
        connection.execute("UPDATE texts SET fault = ? WHERE picture = ?", (fault, picture))


def _note_pixels(connection: sqlite3.Connection, picture: int, digest: str, pixels: str) -> None:
    connection.execute("UPDATE pictures SET pixels = ? WHERE id = ? AND digest = ?", (pixels, picture, digest))
