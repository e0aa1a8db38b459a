"""The plots on disk (SQLite): what each is made of, and what has become of each of its cells."""

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from webui.database.opening import open_database, telling
from webui.experiments.course import Place
from webui.jobs.plot_forms import PLOT_SCRIPTS

PlotState = Literal["running", "done", "stopped", "failed"]
CellState = Literal["empty", "running", "there", "failed"]
MOST_PLOTS = 500  # rows that a list gives at most at once


@dataclass(frozen=True, slots=True)
class StoredPlot:
    """A row of `plots`.

    Attributes:
        title: of its script.
        kind: how a page shows it.
        origin: what it is made of, as `Origin.text` writes it.
        layout: its axes, as the engine writes them.
        count: how many cells it has.
        saving: how its pictures and grids become files, as the engine writes it.
        error: why it failed.
        done: how many cells are there.
    """

    id: str
    owner: str
    task: str
    created: float
    title: str
    kind: str
    origin: str
    layout: str
    count: int
    saving: str
    state: PlotState
    error: str = ""
    done: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class StoredCell:
    """A row of `cells`; a cell that nobody has begun has none.

    Attributes:
        job: the one that makes it, or made it.
        attempt: how many jobs were begun for it before that one.
        error: why there is no picture although it was tried.
        path: of the file of its picture; "" where there is none.
        position: index of that picture in its job.
    """

    at: Place
    state: CellState
    job: str
    attempt: int = 0
    error: str = ""
    path: str = ""
    position: int = 0
    infotext: str = ""


@dataclass(frozen=True, slots=True)
class StoredSheet:
    """The file of a picture that was put together of several; `digest` is its SHA-256."""

    number: int
    path: str
    digest: str


class PlotStore:
    """The database. Thread-safe; every method raises WebuiError when the disk or the file fails."""

    def __init__(self, path: Path) -> None:
        """Open or create it; a damaged file is moved aside and a new one begun."""
        self.path = path
        self._lock = threading.RLock()
        with telling(self.path):
            self._connection, self.moved_aside = open_database(path, PLOT_SCRIPTS)

    def add(self, plot: StoredPlot) -> None:
        """Keep a plot that is begun."""
        self._change(
            "INSERT INTO plots (id, owner, task, created, title, kind, origin, layout, count, saving, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            plot.id, plot.owner, plot.task, time.time(), plot.title, plot.kind, plot.origin, plot.layout,
            plot.count, plot.saving, plot.state,
        )  # fmt: skip

    def note_state(self, plot_id: str, state: PlotState, error: str = "") -> None:
        """It goes on, or has ended."""
        self._change("UPDATE plots SET state = ?, error = ? WHERE id = ?", state, error, plot_id)

    def note_grown(self, plot_id: str, origin: str, layout: str, count: int) -> None:
        """It has further cells."""
        self._change("UPDATE plots SET origin = ?, layout = ?, count = ? WHERE id = ?", origin, layout, count, plot_id)

    def plot(self, plot_id: str) -> StoredPlot | None:
        rows = self._plots("WHERE plots.id = ?", plot_id)
        return rows[0] if rows else None

    def plots(self, *, owner: str | None = None, limit: int = MOST_PLOTS) -> tuple[StoredPlot, ...]:
        """The newest first; `owner`: only this one's."""
        where = "WHERE (? IS NULL OR owner = ?) ORDER BY plots.seq DESC LIMIT ?"
        return self._plots(where, owner, owner, max(0, min(limit, MOST_PLOTS)))

    def unfinished(self) -> tuple[StoredPlot, ...]:
        """Those that were going on when the program ended, in their order."""
        return self._plots("WHERE plots.state = 'running' ORDER BY plots.seq")

    def cells(self, plot_id: str) -> tuple[StoredCell, ...]:
        """Those that were begun, x fastest, then y, then z."""
        rows = self._rows("SELECT * FROM cells WHERE plot = ? ORDER BY z, y, x", plot_id)
        return tuple(map(_cell_of, rows))

    def cell(self, plot_id: str, at: Place) -> StoredCell | None:
        rows = self._rows("SELECT * FROM cells WHERE plot = ? AND x = ? AND y = ? AND z = ?", plot_id, *at)
        return _cell_of(rows[0]) if rows else None

    def put_cell(self, plot_id: str, cell: StoredCell) -> None:
        """Note how a cell stands; what was known of it before goes."""
        self._change(
            "INSERT OR REPLACE INTO cells (plot, x, y, z, state, job, attempt, error, path, position, infotext)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            plot_id, *cell.at, cell.state, cell.job, cell.attempt, cell.error, cell.path, cell.position, cell.infotext,
        )  # fmt: skip

    def sheets(self, plot_id: str) -> tuple[StoredSheet, ...]:
        """The files of what was put together, in their order. One of which the file is not whole was never finished."""
        rows = self._rows("SELECT number, path, digest FROM sheets WHERE plot = ? ORDER BY number", plot_id)
        return tuple(StoredSheet(row["number"], row["path"], row["digest"]) for row in rows)

    def put_sheet(self, plot_id: str, sheet: StoredSheet) -> None:
        """A file is about to be there."""
        self._change(
            "INSERT OR REPLACE INTO sheets (plot, number, path, digest) VALUES (?, ?, ?, ?)",
            plot_id, sheet.number, sheet.path, sheet.digest,
        )  # fmt: skip

    def drop_sheets(self, plot_id: str) -> None:
        """What was put together shows the plot no longer as it is. The files stay."""
        self._change("DELETE FROM sheets WHERE plot = ?", plot_id)

    def drop(self, plot_id: str) -> None:
        """Forget a plot. Files of pictures stay."""
        with self._lock, telling(self.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for table in ("cells", "sheets"):
                self._connection.execute(f"DELETE FROM {table} WHERE plot = ?", (plot_id,))
            self._connection.execute("DELETE FROM plots WHERE id = ?", (plot_id,))

    def close(self) -> None:
        """Safe to call twice."""
        with self._lock:
            self._connection.close()

    def _plots(self, where: str, *parameters: object) -> tuple[StoredPlot, ...]:
        rows = self._rows(
            "SELECT plots.*, (SELECT COUNT(*) FROM cells WHERE cells.plot = plots.id AND cells.state = 'there')"
            f" AS done FROM plots {where}",
            *parameters,
        )
        return tuple(StoredPlot(**dict(row)) for row in rows)

    def _change(self, statement: str, *parameters: object) -> None:
        with self._lock, telling(self.path):
            self._connection.execute(statement, parameters)

    def _rows(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        with self._lock, telling(self.path):
            return self._connection.execute(query, parameters).fetchall()


def _cell_of(row: sqlite3.Row) -> StoredCell:
    return StoredCell(
        (row["x"], row["y"], row["z"]), row["state"], row["job"], row["attempt"], row["error"], row["path"],
        row["position"], row["infotext"],
    )  # fmt: skip
