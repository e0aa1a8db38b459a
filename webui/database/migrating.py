"""Bringing a database to the newest of the forms that it has had, by the scripts of the room that owns it.

The form of a file is its `PRAGMA user_version`; a new file has form 0. The script at index n makes form n + 1 of form
n.
"""

import contextlib
import logging
import os
import sqlite3
from pathlib import Path

from webui.domain.errors import WebuiError
from webui.library.unfinished import unfinished

log = logging.getLogger(__name__)


def refuse_newer(connection: sqlite3.Connection, path: Path, scripts: tuple[str, ...]) -> None:
    """Raises WebuiError where a newer version of the program has written the file. Writes nothing."""
    if (form := _form(connection)) > len(scripts):
        raise WebuiError(
            f"{path} was written by a newer version of this program (form {form}, known up to {len(scripts)}); "
            "use that version, or move the file away"
        )


def migrate(connection: sqlite3.Connection, path: Path, scripts: tuple[str, ...]) -> Path | None:
    """Bring the file to the newest form, each step in a transaction of its own, so that a kill leaves a whole form.

    Args:
        connection: in autocommit mode, its foreign keys not enforced: a script may have to build a table anew.
        path: the file of `connection`.

    Returns:
        The copy of the file as it was, `<name>.form-<number>`; None where there was nothing to copy.

    Raises:
        WebuiError: a script failed, or there is no room for the copy. The file keeps the form that it has reached.
    """
    form = _form(connection)
    if form >= len(scripts):
        return None
    copy = _copy(connection, path, form) if form else None
    for reached, script in enumerate(scripts[form:], form):
        try:
            _apply(connection, script, reached + 1)
        except sqlite3.Error as error:
            kept = f"; {copy.name} beside it is a copy of what it was before" if copy else ""
            raise WebuiError(
                f"database {path.name} cannot be brought from form {reached} to form {reached + 1} ({error}); "
                f"it still has form {reached}{kept}"
            ) from error
    if copy is not None:
        log.info(
            "%s was brought from form %d to form %d; %s is a copy of it as it was", path, form, len(scripts), copy.name
        )
    return copy


def _form(connection: sqlite3.Connection) -> int:
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    return int(form)


def _apply(connection: sqlite3.Connection, script: str, form: int) -> None:
    """Run one script and note the form that it makes: both or, whatever happens, neither."""
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\n;PRAGMA user_version = {form};")
        _check_references(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check_references(connection: sqlite3.Connection) -> None:
    """Raises sqlite3.IntegrityError where a row refers to one that is not there."""
    if (orphan := connection.execute("PRAGMA foreign_key_check").fetchone()) is not None:
        raise sqlite3.IntegrityError(f"row {orphan[1]} of {orphan[0]} would belong to no row of {orphan[2]}")


def _copy(connection: sqlite3.Connection, path: Path, form: int) -> Path:
    """Copy the database into one file that is whole under its name; an older copy of that form makes room."""
    place = path.with_name(f"{path.name}.form-{form}")
    temporary = unfinished(place)
    try:
        with contextlib.closing(sqlite3.connect(temporary)) as target:
            connection.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # or a file with the latest pages would stand beside it
        os.replace(temporary, place)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise WebuiError(
            f"database {path.name} has to be changed for this version of the program, and the copy of it that is made "
            f"first cannot be written ({error}); make room in {path.parent}, nothing was changed"
        ) from error
    return place
