"""The forms that the database of jobs has had, as the scripts that lead from each to the next.

A script that was ever released is never changed again: whoever needs another schema appends a script, and a sample of
the form before it to the tests. How they are run is in `webui/database/migrating.py`.
"""

_JOBS_AND_IMAGES = """
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    created REAL NOT NULL,
    request TEXT NOT NULL,
    save INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX jobs_by_state ON jobs (state, seq);
CREATE TABLE images (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    path TEXT NOT NULL,
    infotext TEXT NOT NULL,
    seed INTEGER NOT NULL,
    created REAL NOT NULL
);
CREATE INDEX images_by_job ON images (job_id);
"""

_KINDS_OF_JOBS = """
ALTER TABLE jobs RENAME COLUMN request TO work;
ALTER TABLE jobs ADD COLUMN kind TEXT NOT NULL DEFAULT 'generation';
"""

# The place of a picture in its job was not noted before; pictures were told in the order in which they were made.
_QUEUE_AND_RESULTS = """
ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN task TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN breaks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN ended REAL;
ALTER TABLE jobs ADD COLUMN notices TEXT NOT NULL DEFAULT '[]';
ALTER TABLE jobs ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN listed INTEGER NOT NULL DEFAULT 1;
UPDATE jobs SET rank = seq;
CREATE INDEX jobs_by_task ON jobs (task);
ALTER TABLE images ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE images ADD COLUMN subseed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE images ADD COLUMN state TEXT NOT NULL DEFAULT 'saved';
ALTER TABLE images ADD COLUMN digest TEXT NOT NULL DEFAULT '';
UPDATE images SET position =
    (SELECT COUNT(*) FROM images AS earlier WHERE earlier.job_id = images.job_id AND earlier.seq < images.seq);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_WAYS_OF_SAVING = """
ALTER TABLE jobs ADD COLUMN saving TEXT NOT NULL DEFAULT '';
"""

# The script at index n makes form n + 1 of form n.
SCRIPTS = (_JOBS_AND_IMAGES, _KINDS_OF_JOBS, _QUEUE_AND_RESULTS, _WAYS_OF_SAVING)
FORM = len(SCRIPTS)
