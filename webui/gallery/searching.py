"""Searching the index: pages of pictures, places to jump to, facets with counts, and what is known of one."""

import base64
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

from webui.domain.errors import BadRequestError
from webui.gallery.index_file import IndexFile
from webui.gallery.search_clauses import Clause, clauses_of
from webui.gallery.search_terms import terms_of
from webui.gallery.states import DAMAGED, HERE, TRASHED

Sort = Literal["newest", "oldest", "rating", "size"]
Shelf = Literal["here", "trash", "damaged"]
PAGE: Final = 200  # rows of a page, and between two places to jump to
MAX_FACETS = 200  # values of one facet that are told
FACETS: Final = ("checkpoint", "sampler", "scheduler", "kind", "program", "size", "month")

_ORDERS: Mapping[Sort, tuple[str, str]] = MappingProxyType(
    {
        "newest": ("created", "DESC"),
        "oldest": ("created", "ASC"),
        "rating": ("rating", "DESC"),
        "size": ("area", "DESC"),
    }
)
_SHELVES: Mapping[Shelf, int] = MappingProxyType({"here": HERE, "trash": TRASHED, "damaged": DAMAGED})
_ROW = (
    "SELECT p.id, p.digest, p.width, p.height, p.bytes, p.created, p.rating, p.seed, p.owner, p.job, p.position,"
    " p.state, p.trashed, p.folder, p.place, r.checkpoint, r.kind, r.program, t.prompt, t.notes, t.fault"
    " FROM pictures AS p JOIN traits AS r ON r.id = p.trait JOIN texts AS t ON t.picture = p.id"
)


@dataclass(frozen=True, slots=True)
class Row:
    """What a list shows of a picture.

    Attributes:
        digest: changes with the content of the file.
        created: seconds since the epoch.
        fault: why it cannot be shown.
        trashed: when it was put into the trash; None where it was not.
    """

    id: int
    digest: str
    width: int
    height: int
    bytes: int
    created: float
    rating: int
    seed: str
    job: str
    position: int
    checkpoint: str
    kind: str
    program: str
    prompt: str
    name: str
    fault: str
    trashed: float | None


@dataclass(frozen=True, slots=True)
class Details:
    """All that the index knows of a picture."""

    row: Row
    infotext: str
    notes: str
    tags: tuple[str, ...]
    loras: tuple[str, ...]
    folder: int
    place: str
    owner: str


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search.

    Attributes:
        after: where the next page begins; "" at the end.
        total: how many there are in all; told with the first page only.
    """

    rows: tuple[Row, ...]
    after: str
    total: int


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        text: as it was typed; see `search_terms.py`.
        owner: only pictures of this user; None: of everybody.
    """

    text: str = ""
    sort: Sort = "newest"
    shelf: Shelf = "here"
    owner: str | None = None

    @property
    def condition(self) -> Clause:
        """As one condition over `pictures`. Raises BadRequestError."""
        clauses = [Clause("state = ?", (_SHELVES[self.shelf],))]
        if self.owner is not None:
            clauses.append(Clause("owner = ?", (self.owner,)))
        clauses += clauses_of(terms_of(self.text))
        return Clause(" AND ".join(one.sql for one in clauses), tuple(value for one in clauses for value in one.values))


class Search:
    """Reads the index; changes nothing. Thread-safe."""

    def __init__(self, index: IndexFile) -> None:
        self._index = index

    def page(self, query: Query, *, after: str = "", limit: int = PAGE) -> Found:
        """Some pictures in order.

        Args:
            after: from `Found.after` or `anchors` of the same query.

        Raises:
            BadRequestError: a term or `after` cannot be read.
        """
        condition, (key, way) = query.condition, _ORDERS[query.sort]
        where, values = condition.sql, condition.values
        if after:
            where += f" AND ({key}, id) {'<' if way == 'DESC' else '>'} (?, ?)"
            values += _place_of(after)
        statement = f"SELECT {key}, id FROM pictures WHERE {where} ORDER BY {key} {way}, id {way} LIMIT ?"
        limit = max(1, min(limit, PAGE))
        with self._index.reading() as connection:
            found = connection.execute(statement, (*values, limit)).fetchall()
            rows = _rows(connection, [one["id"] for one in found])
            counted = f"SELECT count(*) FROM pictures WHERE {condition.sql}"
            total = 0 if after else connection.execute(counted, condition.values).fetchone()[0]
        end = _after(found[-1][0], found[-1][1]) if len(found) == limit else ""
        return Found(rows, end, total)

    def anchors(self, query: Query) -> tuple[str, ...]:
        """Where every page of PAGE rows but the first begins, so that a list can jump. Raises BadRequestError."""
        condition, (key, way) = query.condition, _ORDERS[query.sort]
        numbered = f"SELECT {key} AS k, id, row_number() OVER (ORDER BY {key} {way}, id {way}) AS n FROM pictures"
        with self._index.reading() as connection:
            rows = connection.execute(
                f"SELECT k, id FROM ({numbered} WHERE {condition.sql}) WHERE n % {PAGE} = 0 ORDER BY n",
                condition.values,
            ).fetchall()
        return tuple(_after(row["k"], row["id"]) for row in rows)

    def facets(self, query: Query) -> dict[str, tuple[tuple[str, int], ...]]:
        """How many of the pictures have each value, the most frequent first; months in order, the newest first."""
        condition = query.condition
        counts = {name: Counter[str]() for name in (*FACETS, "lora", "tag")}
        ratings: Counter[str] = Counter()
        with self._index.reading() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None  # plain tuples: there may be very many
            of_trait: Counter[int] = Counter()
            for trait, rating, count in cursor.execute(
                f"SELECT trait, rating, count(*) FROM pictures WHERE {condition.sql} GROUP BY trait, rating",
                condition.values,
            ):
                of_trait[trait] += count
                ratings[str(rating)] += count
            _count_traits(cursor, of_trait, counts)
            tagged = f"SELECT name, count(*) FROM tags CROSS JOIN pictures ON id = picture WHERE {condition.sql}"
            counts["tag"].update(dict(cursor.execute(f"{tagged} GROUP BY name", condition.values).fetchall()))
        told = {
            name: tuple((value, count) for value, count in found.most_common(MAX_FACETS) if value)
            for name, found in counts.items()
        }
        told["month"] = tuple(sorted(told["month"], reverse=True))
        return told | {"rating": tuple(sorted(((v, n) for v, n in ratings.items() if v != "0"), reverse=True))}

    def details(self, picture: int, owner: str | None = None) -> Details:
        """Raises BadRequestError, field `id`, where there is no such picture, or it is another user's."""
        with self._index.reading() as connection:
            row = connection.execute(f"{_ROW} WHERE p.id = ?", (picture,)).fetchone()
            if row is None or (owner is not None and row["owner"] != owner):
                raise BadRequestError("id", f"there is no picture {picture} in the library")
            text = connection.execute("SELECT infotext FROM texts WHERE picture = ?", (picture,)).fetchone()[0]
            tags, loras = (_names(connection, table, picture) for table in ("tags", "loras"))
        return Details(_row(row), text, row["notes"], tags, loras, row["folder"], row["place"], row["owner"])

    def of_job(self, job: str, position: int, owner: str | None = None) -> Row | None:
        """The picture at a place of a job; None where it is not in the index."""
        with self._index.reading() as connection:
            row = connection.execute(
                f"{_ROW} WHERE p.job = ? AND p.job <> '' AND p.position = ? AND (? IS NULL OR p.owner = ?)",
                (job, position, owner, owner),
            ).fetchone()
        return None if row is None else _row(row)

    def rows(self, pictures: list[int], owner: str | None = None) -> tuple[Row, ...]:
        """Those of these pictures that there are, in the same order."""
        with self._index.reading() as connection:
            found = _rows(connection, pictures)
            if owner is None:
                return found
            own = {row[0] for row in connection.execute(
                f"SELECT id FROM pictures WHERE owner = ? AND id IN ({','.join('?' * len(pictures))})",
                (owner, *pictures),
            )}  # fmt: skip
        return tuple(row for row in found if row.id in own)


def _count_traits(cursor: sqlite3.Cursor, of_trait: Mapping[int, int], counts: Mapping[str, Counter[str]]) -> None:
    """Add to the counts of every facet how many pictures have which traits."""
    columns = [counts[name] for name in FACETS]
    loras: Counter[str] = Counter()
    for trait, together, *values in cursor.execute(f"SELECT id, loras, {', '.join(FACETS)} FROM traits"):
        if count := of_trait.get(trait, 0):
            for column, value in zip(columns, values, strict=True):
                column[value] += count
            loras[together] += count
    for together, count in loras.items():
        for name in together.split("\n"):
            counts["lora"][name] += count


def _names(connection: sqlite3.Connection, table: str, picture: int) -> tuple[str, ...]:
    rows = connection.execute(f"SELECT name FROM {table} WHERE picture = ? ORDER BY name", (picture,))
    return tuple(row[0] for row in rows)


def _rows(connection: sqlite3.Connection, pictures: list[int]) -> tuple[Row, ...]:
    marks = ",".join("?" * len(pictures))
    found = {row["id"]: row for row in connection.execute(f"{_ROW} WHERE p.id IN ({marks})", pictures)}
    return tuple(_row(found[picture]) for picture in pictures if picture in found)


def _row(row: sqlite3.Row) -> Row:
    return Row(
        row["id"], row["digest"], row["width"], row["height"], row["bytes"], row["created"], row["rating"],
        row["seed"], row["job"], row["position"], row["checkpoint"], row["kind"], row["program"],
        row["prompt"][:400], str(row["place"]).rpartition("/")[2], row["fault"], row["trashed"],
    )  # fmt: skip


def _after(key: Any, picture: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([key, picture]).encode()).decode().rstrip("=")


def _place_of(after: str) -> tuple[Any, ...]:
    try:
        key, picture = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        return (float(key), int(picture))
    except (ValueError, TypeError):
        raise BadRequestError("after", "is no place in a list; take it from the answer before") from None
