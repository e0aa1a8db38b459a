"""What a picture was made from and what was made of it: pictures linked by the digests of their pixels."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from webui.gallery.index_file import IndexFile
from webui.gallery.states import HERE

MAX_DEPTH: Final = 12
MAX_PICTURES: Final = 200


@dataclass(frozen=True, slots=True)
class Relation:
    """A picture of the tree and the one that it was made from; None where that is not known."""

    id: int
    made_from: int | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """A tree, its root first. `whole` is False where it was too large to be told."""

    relations: tuple[Relation, ...]
    whole: bool = True


def lineage_of(index: IndexFile, picture: int, owner: str | None = None) -> Lineage:
    """The tree that a picture belongs to: its ancestors, and all that was made of the eldest of them."""
    with index.reading() as connection:
        root, seen = picture, {picture}
        for _ in range(MAX_DEPTH):
            parent = _parent(connection, root, owner)
            if parent is None or parent in seen:
                break
            root = parent
            seen.add(parent)
        relations = [Relation(root, None)]
        known, layer = {root}, [root]
        for _ in range(2 * MAX_DEPTH):
            found = [(child, one) for one in layer for child in _children(connection, one, owner) if child not in known]
            layer = []
            for child, one in found:
                if child in known:
                    continue
                if len(relations) >= MAX_PICTURES:
                    return Lineage(tuple(relations), False)
                relations.append(Relation(child, one))
                known.add(child)
                layer.append(child)
            if not layer:
                break
    return Lineage(tuple(relations))


def _parent(connection: sqlite3.Connection, picture: int, owner: str | None) -> int | None:
    row = connection.execute(
        "SELECT p.id FROM pictures AS c JOIN pictures AS p ON p.pixels = c.source WHERE c.id = ? AND c.source <> ''"
        " AND p.pixels <> '' AND p.state = ? AND p.id <> c.id AND (? IS NULL OR p.owner = ?) ORDER BY p.id LIMIT 1",
        (picture, HERE, owner, owner),
    ).fetchone()
    return None if row is None else int(row[0])


def _children(connection: sqlite3.Connection, picture: int, owner: str | None) -> Iterable[int]:
    rows = connection.execute(
        "SELECT c.id FROM pictures AS p JOIN pictures AS c ON c.source = p.pixels WHERE p.id = ? AND p.pixels <> ''"
        " AND c.source <> '' AND c.state = ? AND c.id <> p.id AND (? IS NULL OR c.owner = ?) ORDER BY c.id LIMIT ?",
        (picture, HERE, owner, owner, MAX_PICTURES),
    ).fetchall()
    return [int(row[0]) for row in rows]
