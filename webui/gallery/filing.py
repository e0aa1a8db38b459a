"""Writing rows of pictures: new ones, changed ones, moved ones, and those whose files are gone.

Every function runs inside a transaction that its caller began (`IndexFile.write`).
"""

import sqlite3
from collections.abc import Callable, Iterable

from webui.gallery.picture_facts import FileFacts
from webui.gallery.states import DAMAGED, HERE, MISSING, TRASHED
from webui.gallery.words import spaced

IsThere = Callable[[sqlite3.Row], bool]  # whether the file of a row (folder, place, bytes, modified) is as it was


def file_picture(connection: sqlite3.Connection, folder: int, place: str, facts: FileFacts, is_there: IsThere) -> int:
    """Note a file as it was read; the id of its row.

    A row with the same content whose own file is no longer there is this picture, moved, and keeps its stars, tags and
    notes. Else a row of this place is brought up to date.
    """
    at_place = connection.execute(
        "SELECT id, digest FROM pictures WHERE folder = ? AND place = ? AND state <> ?", (folder, place, MISSING)
    ).fetchone()
    row = at_place
    if at_place is None or at_place["digest"] != facts.stat.digest:
        row = _moved(connection, facts, is_there) or at_place
    if row is not None and at_place is not None and row["id"] != at_place["id"]:
        note_gone(connection, (at_place["id"],))  # another picture was moved over its file
    if row is None:
        made = connection.execute(
            "INSERT INTO pictures (folder, place, bytes, modified, digest, created, trait)"
            " VALUES (?, ?, 0, 0, '', 0, ?)",
            (folder, place, _trait(connection, facts)),
        )
        picture = int(made.lastrowid or 0)
        connection.execute("INSERT INTO texts (picture) VALUES (?)", (picture,))
    else:
        picture = int(row["id"])
    _update(connection, picture, folder, place, facts)
    refresh_words(connection, (picture,))
    return picture


def note_gone(connection: sqlite3.Connection, pictures: Iterable[int]) -> None:
    """The files of these are gone. A row with stars, tags or notes stays, hidden, in case its file turns up again."""
    for picture in pictures:
        marked = connection.execute(
            "SELECT 1 FROM pictures AS p JOIN texts AS t ON t.picture = p.id WHERE p.id = ? AND (p.rating > 0"
            " OR t.notes <> '' OR EXISTS (SELECT 1 FROM tags WHERE tags.picture = p.id))",
            (picture,),
        ).fetchone()
        if marked:
            connection.execute("UPDATE pictures SET state = ? WHERE id = ?", (MISSING, picture))
        else:
            forget(connection, (picture,))


def forget(connection: sqlite3.Connection, pictures: Iterable[int]) -> None:
    """Remove rows and all that belongs to them."""
    gone = [(picture,) for picture in pictures]
    connection.executemany("DELETE FROM words WHERE rowid = ?", gone)
    connection.executemany("DELETE FROM pictures WHERE id = ?", gone)


def refresh_words(connection: sqlite3.Connection, pictures: Iterable[int]) -> None:
    """Give the full-text index the texts of these pictures as they are now."""
    for picture in pictures:
        row = connection.execute(
            "SELECT p.place, t.prompt, t.negative, t.notes,"
            " (SELECT group_concat(name, ' ') FROM tags WHERE tags.picture = p.id) AS tags"
            " FROM pictures AS p JOIN texts AS t ON t.picture = p.id WHERE p.id = ?",
            (picture,),
        ).fetchone()
        if row is None:
            continue
        name = str(row["place"]).rpartition("/")[2]
        texts = (row["prompt"], row["negative"], name, row["notes"], row["tags"] or "")
        connection.execute("DELETE FROM words WHERE rowid = ?", (picture,))
        connection.execute(
            "INSERT INTO words (rowid, prompt, negative, name, notes, tags) VALUES (?, ?, ?, ?, ?, ?)",
            (picture, *map(spaced, texts)),
        )


def _update(connection: sqlite3.Connection, picture: int, folder: int, place: str, facts: FileFacts) -> None:
    stat, origin = facts.stat, facts.origin
    connection.execute(
        "UPDATE pictures SET state = ?, folder = ?, place = ?, width = ?, height = ?, area = ?,"
        " created = ?, trait = ?, seed = ?, steps = ?, cfg_scale = ?,"
        # what only the job knew stays known, its pixels as long as the file is the same
        " owner = CASE WHEN ? = '' THEN owner ELSE ? END, job = CASE WHEN ? = '' THEN job ELSE ? END,"
        " position = CASE WHEN ? = '' THEN position ELSE ? END,"
        " pixels = CASE WHEN ? = '' AND digest = ? THEN pixels ELSE ? END,"
        " source = CASE WHEN ? = '' AND digest = ? THEN source ELSE ? END,"
        " bytes = ?, modified = ?, digest = ? WHERE id = ?",
        (
            DAMAGED if facts.fault else HERE, folder, place, facts.width, facts.height, facts.width * facts.height,
            facts.created, _trait(connection, facts), facts.seed, facts.steps, facts.cfg_scale,
            origin.owner, origin.owner, origin.job, origin.job, origin.job, origin.position,
            origin.pixels, stat.digest, origin.pixels, origin.source, stat.digest, origin.source,
            stat.bytes, stat.modified, stat.digest, picture,
        ),
    )  # fmt: skip
    connection.execute(
        "UPDATE texts SET prompt = ?, negative = ?, infotext = ?, fault = ?, trash = '' WHERE picture = ?",
        (facts.prompt, facts.negative_prompt, facts.infotext, facts.fault, picture),
    )
    connection.execute("DELETE FROM loras WHERE picture = ?", (picture,))
    connection.executemany("INSERT INTO loras (picture, name) VALUES (?, ?)", [(picture, one) for one in facts.loras])


def _moved(connection: sqlite3.Connection, facts: FileFacts, is_there: IsThere) -> sqlite3.Row | None:
    """A row with the same content whose own file is not where it was; the one with most stars first."""
    rows = connection.execute(
        "SELECT id, folder, place, bytes, modified, state FROM pictures WHERE digest = ? AND bytes = ? AND state <> ?"
        " ORDER BY rating DESC, id LIMIT 100",
        (facts.stat.digest, facts.stat.bytes, TRASHED),
    ).fetchall()
    return next((row for row in rows if row["state"] == MISSING or not is_there(row)), None)


def _trait(connection: sqlite3.Connection, facts: FileFacts) -> int:
    shared = facts.shared
    values = (
        shared.checkpoint, shared.sampler, shared.scheduler, shared.kind, shared.program, shared.size, shared.month,
        "\n".join(sorted(facts.loras)),
    )  # fmt: skip
    row = connection.execute(
        "SELECT id FROM traits WHERE checkpoint = ? AND sampler = ? AND scheduler = ? AND kind = ? AND program = ?"
        " AND size = ? AND month = ? AND loras = ?",
        values,
    ).fetchone()
    if row is not None:
        return int(row["id"])
    made = connection.execute(
        "INSERT INTO traits (checkpoint, sampler, scheduler, kind, program, size, month, loras)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    return int(made.lastrowid or 0)
