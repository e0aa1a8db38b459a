"""A database of any earlier form is opened with all that is in it, and no step on the way can be seen half done."""

import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from webui.database.migrating import migrate
from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.jobs.migrations import FORM, SCRIPTS
from webui.jobs.store import JobStore

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(Path(__file__).with_name("forms").glob("form_*.sql"), key=lambda path: int(path.stem[5:]))
REQUEST = GenerationRequest(
    prompt="a \U0001f600 \"'", seed=7, checkpoint="tiny", extensions={"wildcards": {"on": [1, None]}}
)
each_form = pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "webui.sqlite3"


def laid(sample: Path, path: Path) -> Path:
    """Make the database that a sample describes."""
    connection = sqlite3.connect(path)
    connection.executescript(sample.read_text(encoding="utf-8"))
    connection.close()
    return path


def dump(path: Path) -> list[str]:
    """All that is in a database, its form included."""
    connection = sqlite3.connect(path)
    (form,) = connection.execute("PRAGMA user_version").fetchone()
    lines = [f"form {form}", *connection.iterdump()]
    connection.close()
    return lines


def schema(path: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(path)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {name: sorted(row[1:6] for row in connection.execute(f"PRAGMA table_info({name})")) for name in names}
    indexes = connection.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index'").fetchall()
    connection.close()
    return {**columns, "indexes": sorted(indexes)}


def test_there_is_a_sample_of_each_form() -> None:
    assert [sample.stem for sample in SAMPLES] == [f"form_{form}" for form in range(1, FORM + 1)]


@each_form
def test_what_is_in_a_database_of_an_earlier_form_is_still_there(sample: Path, path: Path) -> None:
    store = JobStore(laid(sample, path))
    left = store.unfinished()
    assert [(row.id, row.kind, row.state, row.save, row.attempts) for row in left] == [
        ("running", "generation", "running", True, 1),
        ("waiting", "generation", "queued", True, 0),
        ("unsaved", "generation", "queued", False, 0),
    ]
    requests = [GenerationRequest.model_validate_json(row.work) for row in left]
    assert requests == [REQUEST.with_(n_iter=3), REQUEST.with_(seed=8), REQUEST.with_(seed=9)]
    failed = store.job("failed")
    assert failed is not None
    assert (failed.state, failed.error, failed.created) == ("failed", "checkpoint: no 'tiny'", 1700000001.0)
    assert [(image.seq, image.job_id, image.path, image.seed) for image in store.images()] == [
        (3, "running", "outputs/00002-7.png", 7),
        (2, "done", "outputs/00001-8.png", 8),
        (1, "done", "outputs/00000-7.png", 7),
    ]
    assert store.images()[0].infotext == "a \U0001f600 \"'\nSteps: 20, Seed: 7"


@each_form
def test_an_opened_database_has_the_schema_of_a_new_one(sample: Path, path: Path, tmp_path: Path) -> None:
    JobStore(laid(sample, path)).close()
    JobStore(tmp_path / "new.sqlite3").close()
    assert schema(path) == schema(tmp_path / "new.sqlite3")


@each_form
def test_what_it_was_is_kept_beside_it_and_only_then(sample: Path, path: Path, tmp_path: Path) -> None:
    before = dump(laid(sample, path))
    for _ in range(2):
        JobStore(path).close()
    form = int(sample.stem[5:])
    copies = [] if form == FORM else [f"{path.name}.form-{form}"]
    assert [file.name for file in tmp_path.iterdir() if file != path] == copies
    assert [dump(tmp_path / copy) for copy in copies] == [before] * len(copies)


def test_a_new_database_has_nothing_to_copy(path: Path, tmp_path: Path) -> None:
    JobStore(path).close()
    assert list(tmp_path.iterdir()) == [path]


BROKEN = "CREATE TABLE half (id TEXT);\nUPDATE jobs SET error = 'lost';\nINSERT INTO nowhere VALUES (1);"
ORPHANS = "DELETE FROM jobs WHERE id = 'done';"


@pytest.mark.parametrize(
    ("script", "reason"), [(BROKEN, "nowhere"), (ORPHANS, "images would belong to no row of jobs")]
)
def test_a_script_that_fails_half_way_changes_nothing(path: Path, script: str, reason: str) -> None:
    before = dump(laid(SAMPLES[0], path))
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(WebuiError, match=rf"from form 1 to form 2 \(.*{reason}.*webui\.sqlite3\.form-1 beside it"):
        migrate(connection, path, (SCRIPTS[0], script))
    connection.close()
    assert dump(path) == before
    JobStore(path).close()  # and the right script then works


def test_each_step_that_went_well_is_kept(path: Path) -> None:
    laid(SAMPLES[0], path)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(WebuiError, match="from form 2 to form 3"):
        migrate(connection, path, (SCRIPTS[0], "CREATE TABLE second (id TEXT);", BROKEN))
    connection.close()
    assert dump(path)[0] == "form 2"


def test_a_kill_in_the_middle_of_a_script_is_harmless(path: Path) -> None:
    before = dump(laid(SAMPLES[0], path))
    code = textwrap.dedent(f"""
        import os, signal, sqlite3, sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from webui.database.migrating import migrate
        from webui.jobs.migrations import SCRIPTS
        path = Path({str(path)!r})
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
        migrate(connection, path, (SCRIPTS[0], "UPDATE jobs SET error = 'lost';\\nSELECT die();"))
    """)
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode != 0
    assert dump(path) == before
    store = JobStore(path)
    assert store.moved_aside is None
    assert len(store.unfinished()) == 3


def test_without_room_for_the_copy_nothing_is_changed(path: Path, tmp_path: Path) -> None:
    before = dump(laid(SAMPLES[0], path))
    (tmp_path / f"{path.name}.form-1").mkdir()  # stands in the way as a full disk would
    with pytest.raises(WebuiError, match="nothing was changed"):
        JobStore(path)
    assert dump(path) == before
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, f"{path.name}.form-1"]
