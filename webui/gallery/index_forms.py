"""The forms that the index of pictures has had, as the scripts that lead from each to the next.

A script that was ever released is never changed again: whoever needs another schema appends a script. How they are run
is in `webui/database/migrating.py`.

`pictures` is kept narrow, so that a pass over 100,000 rows stays in memory: long texts lie in `texts`, and what many
pictures share (checkpoint, sampler, month and so on) is one row of `traits`, by whose number facets are counted.
"""

from typing import Final

_PICTURES = """
CREATE TABLE folders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    own INTEGER NOT NULL
);
CREATE TABLE traits (
    id INTEGER PRIMARY KEY,
    checkpoint TEXT NOT NULL,
    sampler TEXT NOT NULL,
    scheduler TEXT NOT NULL,
    kind TEXT NOT NULL,
    program TEXT NOT NULL,
    size TEXT NOT NULL,
    month TEXT NOT NULL,
    loras TEXT NOT NULL,
    UNIQUE (checkpoint, sampler, scheduler, kind, program, size, month, loras)
);
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state INTEGER NOT NULL DEFAULT 0,
    folder INTEGER NOT NULL REFERENCES folders (id),
    place TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    digest TEXT NOT NULL,
    width INTEGER NOT NULL DEFAULT 0,
    height INTEGER NOT NULL DEFAULT 0,
    area INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    trait INTEGER NOT NULL REFERENCES traits (id),
    rating INTEGER NOT NULL DEFAULT 0,
    seed TEXT NOT NULL DEFAULT '',
    steps REAL,
    cfg_scale REAL,
    owner TEXT NOT NULL DEFAULT '',
    job TEXT NOT NULL DEFAULT '',
    position INTEGER NOT NULL DEFAULT 0,
    pixels TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL DEFAULT '',
    trashed REAL
);
CREATE UNIQUE INDEX pictures_by_place ON pictures (folder, place) WHERE state <> 1;
CREATE INDEX pictures_by_date ON pictures (state, created, id, owner, trait, rating);
CREATE INDEX pictures_by_rating ON pictures (state, rating, id, owner, trait);
CREATE INDEX pictures_by_area ON pictures (state, area, id, owner, trait);
CREATE INDEX pictures_by_trait ON pictures (state, trait, rating, owner);
CREATE INDEX pictures_by_digest ON pictures (digest);
CREATE INDEX pictures_by_seed ON pictures (seed) WHERE seed <> '';
CREATE INDEX pictures_by_job ON pictures (job, position) WHERE job <> '';
CREATE INDEX pictures_by_pixels ON pictures (pixels) WHERE pixels <> '';
CREATE INDEX pictures_by_source ON pictures (source) WHERE source <> '';
CREATE TABLE texts (
    picture INTEGER PRIMARY KEY REFERENCES pictures (id) ON DELETE CASCADE,
    prompt TEXT NOT NULL DEFAULT '',
    negative TEXT NOT NULL DEFAULT '',
    infotext TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '',
    fault TEXT NOT NULL DEFAULT '',
    trash TEXT NOT NULL DEFAULT ''
);
CREATE TABLE loras (
    picture INTEGER NOT NULL REFERENCES pictures (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (picture, name)
) WITHOUT ROWID;
CREATE INDEX loras_by_name ON loras (name, picture);
CREATE TABLE tags (
    picture INTEGER NOT NULL REFERENCES pictures (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (picture, name)
) WITHOUT ROWID;
CREATE INDEX tags_by_name ON tags (name, picture);
CREATE VIRTUAL TABLE words USING fts5 (
    prompt, negative, name, notes, tags, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

SCRIPTS: Final = (_PICTURES,)
