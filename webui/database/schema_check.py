"""Whether a database has the tables and columns of the form that it says it has; one that has not is damaged."""

import contextlib
import sqlite3
from collections.abc import Mapping

Schema = Mapping[str, frozenset[str]]  # columns by table


def schema_fault(connection: sqlite3.Connection, form: int, scripts: tuple[str, ...]) -> str:
    """What is wrong with the tables of a database of that form, in words; "" for nothing.

    Args:
        scripts: the one at index n makes form n + 1 of form n; the first tables are made by them, in memory.
    """
    there = _schema(connection)
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript("".join(scripts[:form]))
        wanted = _schema(fresh)
        if not form:
            fresh.executescript("".join(scripts))
            ours = [table for table in _schema(fresh) if table in there]
            return f"it has a table {ours[0]} of no known form" if ours else ""
    for table, columns in wanted.items():
        if missing := columns - there.get(table, frozenset()):
            return f"its table {table} has no column {min(missing)}"
    return ""


def _schema(connection: sqlite3.Connection) -> Schema:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {
        name: frozenset(row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(name)})"))
        for (name,) in map(tuple, tables.fetchall())
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
