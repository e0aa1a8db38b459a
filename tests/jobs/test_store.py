"""The database outlives crashes, refuses what it does not know and never loses what others hold."""

import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from webui.domain.errors import BadRequestError, WebuiError
from webui.jobs.migrations import FORM
from webui.jobs.store import JobStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "webui.sqlite3"


def test_what_was_left_is_listed_in_the_order_it_was_sent_whatever_the_clock_said(path: Path) -> None:
    store = JobStore(path)
    for number in range(5):
        store.add(f"job {number}", "generation", f"seed {number}", save=bool(number % 2), created=-number)
    store.note_started("job 0")
    store.note_ended("job 0", "done")
    store.note_started("job 1")
    store.note_ended("job 3", "failed", "why")
    store.close()
    left = JobStore(path).unfinished()
    assert [(row.id, row.state, row.attempts, row.save) for row in left] == [
        ("job 1", "running", 1, True),
        ("job 2", "queued", 0, False),
        ("job 4", "queued", 0, False),
    ]
    assert [(row.kind, row.work) for row in left] == [("generation", f"seed {seed}") for seed in (1, 2, 4)]
    failed = JobStore(path).job("job 3")
    assert failed is not None
    assert (failed.state, failed.error) == ("failed", "why")


def test_an_id_is_taken_for_ever(path: Path) -> None:
    store = JobStore(path)
    store.add("a", "generation", "{}", save=True, created=0)
    with pytest.raises(BadRequestError, match="job_id"):
        store.add("a", "generation", "{}", save=True, created=0)


def test_images_are_paged_from_the_newest(path: Path) -> None:
    store = JobStore(path)
    store.add("a", "generation", "{}", save=True, created=0)
    for number in range(5):
        store.add_image("a", f"{number}.png", "text", number, position=number)
    first = store.images(limit=3)
    second = store.images(limit=3, before=first[-1].seq)
    assert [image.path for image in first + second] == ["4.png", "3.png", "2.png", "1.png", "0.png"]


def test_a_kill_leaves_a_sound_database(path: Path) -> None:
    script = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from webui.jobs.store import JobStore
        store = JobStore(Path({str(path)!r}))
        for number in range(20):
            store.add(str(number), "generation", "", save=True, created=0)
        store.note_started("0")
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    subprocess.run([sys.executable, "-c", script], check=False)
    store = JobStore(path)
    assert store.moved_aside is None
    assert [row.id for row in store.unfinished()] == [str(number) for number in range(20)]


@pytest.mark.parametrize("content", [b"no database, but long enough to be looked at " * 40, b"SQLite format 3\0"])
def test_a_damaged_file_is_moved_aside(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = JobStore(path)
    assert store.unfinished() == ()
    assert store.moved_aside is not None
    assert store.moved_aside.read_bytes() == content


def test_damaged_pages_are_noticed(path: Path) -> None:
    store = JobStore(path)
    for number in range(200):
        store.add(str(number), "generation", "word " * 50, save=True, created=0)
    store.close()
    whole = bytearray(path.read_bytes())
    whole[8192:] = bytes(len(whole) - 8192)
    path.write_bytes(whole)
    assert JobStore(path).moved_aside is not None


def test_a_newer_database_is_refused_and_left_alone(path: Path) -> None:
    JobStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {FORM + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(WebuiError, match="newer version"):
        JobStore(path)
    assert path.read_bytes() == before


def test_a_locked_database_is_not_taken_for_a_damaged_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.database.opening.PATIENCE", 0.05)
    store = JobStore(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(WebuiError, match="locked"):
        store.add("a", "generation", "{}", save=True, created=0)
    other.execute("ROLLBACK")
    other.close()
    store.add("a", "generation", "{}", save=True, created=0)
    assert [file.name for file in path.parent.iterdir() if "damaged" in file.name] == []


@pytest.mark.parametrize("seed", [0, 2**63 - 1, 2**63, 2**64 - 1])
def test_every_seed_of_64_bits_is_kept(path: Path, seed: int) -> None:
    store = JobStore(path)
    store.add("a", "generation", "{}", save=True, created=0)
    store.add_image("a", "x.png", "text", seed, position=0)
    assert [image.seed for image in store.images()] == [seed]


def test_a_closed_store_says_so(path: Path) -> None:
    store = JobStore(path)
    store.close()
    store.close()
    with pytest.raises(WebuiError, match="database"):
        store.unfinished()
