"""The forms that the database of plots has had, as the scripts that lead from each to the next.

A script that was ever released is never changed again: whoever needs another schema appends a script.
"""

# A plot is an experiment that is stored; a cell is the place of one of its requests.
_PLOTS_AND_CELLS = """
CREATE TABLE plots (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    task TEXT NOT NULL,
    created REAL NOT NULL,
    title TEXT NOT NULL,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    layout TEXT NOT NULL,
    count INTEGER NOT NULL,
    saving TEXT NOT NULL,
    state TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX plots_by_state ON plots (state);
CREATE TABLE cells (
    plot TEXT NOT NULL REFERENCES plots (id),
    x INTEGER NOT NULL,
    y INTEGER NOT NULL,
    z INTEGER NOT NULL,
    state TEXT NOT NULL,
    job TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    error TEXT NOT NULL DEFAULT '',
    path TEXT NOT NULL DEFAULT '',
    position INTEGER NOT NULL DEFAULT 0,
    infotext TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (plot, x, y, z)
) WITHOUT ROWID;
CREATE TABLE sheets (
    plot TEXT NOT NULL REFERENCES plots (id),
    number INTEGER NOT NULL,
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (plot, number)
) WITHOUT ROWID;
"""

# The script at index n makes form n + 1 of form n.
PLOT_SCRIPTS = (_PLOTS_AND_CELLS,)
