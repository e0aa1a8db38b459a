"""Stars, tags and notes: what people add to their pictures. They stay with a picture wherever its file is moved."""

import sqlite3
from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from webui.domain.errors import BadRequestError
from webui.gallery.filing import refresh_words
from webui.gallery.index_file import IndexFile

MAX_AT_ONCE: Final = 20_000  # pictures that one change is for
MAX_TAGS: Final = 100  # of one picture
MAX_TAG: Final = 80  # characters
MAX_NOTES: Final = 20_000  # characters


class Mark(BaseModel):
    """The marks of one picture, as they are exported. `digest` finds it again, under whatever name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    digest: str = Field(max_length=64)
    name: str = Field("", max_length=400)
    rating: int = Field(0, ge=0, le=5)
    tags: tuple[str, ...] = Field((), max_length=MAX_TAGS)
    notes: str = Field("", max_length=MAX_NOTES)


class MarksFile(BaseModel):
    """All marks of a library as one file (JSON)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal["webui-library-marks"] = "webui-library-marks"
    version: Literal[1] = 1
    pictures: tuple[Mark, ...] = Field((), max_length=1_000_000)


class Marks:
    """Changes marks. Thread-safe. With an owner, pictures of others are left alone."""

    def __init__(self, index: IndexFile) -> None:
        self._index = index

    def rate(self, pictures: Sequence[int], rating: int, owner: str | None = None) -> int:
        """Give pictures 0 to 5 stars; how many got them. Raises BadRequestError."""
        if not 0 <= rating <= 5:
            raise BadRequestError("rating", "must be 0 to 5 stars")

        def change(connection: sqlite3.Connection) -> int:
            own = owned(connection, pictures, owner)
            connection.executemany("UPDATE pictures SET rating = ? WHERE id = ?", [(rating, one) for one in own])
            return len(own)

        return self._index.write(change)

    def tag(
        self, pictures: Sequence[int], add: Sequence[str] = (), remove: Sequence[str] = (), owner: str | None = None
    ) -> int:
        """Give pictures tags and take others from them; how many pictures were changed. Raises BadRequestError."""
        added, removed = cleaned(add), cleaned(remove)

        def change(connection: sqlite3.Connection) -> int:
            own = owned(connection, pictures, owner)
            pairs = [(one, tag) for one in own for tag in removed]
            connection.executemany("DELETE FROM tags WHERE picture = ? AND name = ?", pairs)
            _add_tags(connection, own, added)
            refresh_words(connection, own)
            return len(own)

        return self._index.write(change)

    def note(self, picture: int, notes: str, owner: str | None = None) -> None:
        """Replace the notes of a picture. Raises BadRequestError."""
        if len(notes) > MAX_NOTES:
            raise BadRequestError("notes", f"have {len(notes)} characters; at most {MAX_NOTES} are kept")

        def change(connection: sqlite3.Connection) -> None:
            for one in owned(connection, (picture,), owner):
                connection.execute("UPDATE texts SET notes = ? WHERE picture = ?", (notes, one))
                refresh_words(connection, (one,))

        self._index.write(change)

    def exported(self, owner: str | None = None) -> MarksFile:
        """The marks of all pictures that have any."""
        with self._index.reading() as connection:
            tags: dict[int, list[str]] = {}
            for picture, name in connection.execute("SELECT picture, name FROM tags ORDER BY picture, name"):
                tags.setdefault(picture, []).append(name)
            rows = connection.execute(
                "SELECT p.id, p.digest, p.place, p.rating, t.notes FROM pictures AS p JOIN texts AS t"
                " ON t.picture = p.id WHERE (p.rating > 0 OR t.notes <> '' OR p.id IN (SELECT picture FROM tags))"
                " AND (? IS NULL OR p.owner = ?) ORDER BY p.id",
                (owner, owner),
            ).fetchall()
        return MarksFile(
            pictures=tuple(
                Mark(
                    digest=row["digest"],
                    name=str(row["place"]).rpartition("/")[2][:400],
                    rating=row["rating"],
                    tags=tuple(tags.get(row["id"], ())),
                    notes=row["notes"],
                )
                for row in rows
            )
        )

    def take_over(self, marks: MarksFile, owner: str | None = None) -> tuple[int, int]:
        """Add marks from a file: the higher number of stars, tags of both, notes where there are none.

        Returns:
            How many pictures got marks, and how many of the file are not in the index.
        """

        def change(connection: sqlite3.Connection) -> tuple[int, int]:
            found = 0
            for mark in marks.pictures:
                rows = connection.execute(
                    "SELECT id FROM pictures WHERE digest = ? AND (? IS NULL OR owner = ?)", (mark.digest, owner, owner)
                ).fetchall()
                found += bool(rows)
                for (picture,) in rows:
                    connection.execute(
                        "UPDATE pictures SET rating = max(rating, ?) WHERE id = ?", (mark.rating, picture)
                    )
                    connection.execute(
                        "UPDATE texts SET notes = ? WHERE picture = ? AND notes = ''", (mark.notes, picture)
                    )
                    _add_tags(connection, [picture], cleaned(mark.tags))
                    refresh_words(connection, (picture,))
            return found, len(marks.pictures) - found

        return self._index.write(change)


def cleaned(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are kept: one line, no spaces at the ends, each once, without regard to case.

    Raises:
        BadRequestError: one is too long.
    """
    found: dict[str, str] = {}
    for tag in tags:
        plain = " ".join(tag.split()).replace('"', "'").lower()
        if len(plain) > MAX_TAG:
            raise BadRequestError("tags", f"{plain[:30]!r}... is longer than {MAX_TAG} characters")
        if plain:
            found.setdefault(plain, plain)
    return tuple(found.values())[:MAX_TAGS]


def owned(connection: sqlite3.Connection, pictures: Sequence[int], owner: str | None) -> list[int]:
    """Those of the pictures that there are and that this user may change, each once.

    Raises:
        BadRequestError: there are too many.
    """
    if len(pictures) > MAX_AT_ONCE:
        raise BadRequestError("ids", f"{len(pictures)} pictures at once; at most {MAX_AT_ONCE}")
    check = "SELECT 1 FROM pictures WHERE id = ? AND (? IS NULL OR owner = ?)"
    return [one for one in dict.fromkeys(pictures) if connection.execute(check, (one, owner, owner)).fetchone()]


def _add_tags(connection: sqlite3.Connection, pictures: Sequence[int], tags: Sequence[str]) -> None:
    if not tags:
        return
    for picture in pictures:
        (there,) = connection.execute("SELECT count(*) FROM tags WHERE picture = ?", (picture,)).fetchone()
        fresh = [(picture, tag) for tag in tags][: max(0, MAX_TAGS - there)]
        connection.executemany("INSERT OR IGNORE INTO tags (picture, name) VALUES (?, ?)", fresh)
