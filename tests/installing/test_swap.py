"""A kill at any moment of a swap, an update, a roll-back or a removal leaves the old or the new, never neither."""

from pathlib import Path

import pytest

from tests.forked import exit_code
from tests.installing.killed_swap import KILLED
from tests.narrowing import known
from webui.installing.lockfile import Entry, LockFile
from webui.installing.swap import Generations
from webui.installing.tree import tree_hash


def toy(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "plugin.py").write_text(f"version = {version}\n")
    return folder


def version_of(folder: Path) -> str:
    path = folder / "toy" / "plugin.py"
    return path.read_text().split()[-1] if path.exists() else ""


@pytest.mark.parametrize("task", ["put", "roll_back", "remove", "settle"])
def test_killed_anywhere(tmp_path: Path, task: str) -> None:
    outcomes = []
    for step in range(20):
        folder = tmp_path / str(step) / "extensions"
        file = LockFile(folder.parent / "lock.json")
        generations = Generations(folder, file)
        for version in ("0", "1"):
            staged = toy(generations.staging() / "toy", version)
            generations.put("toy", staged, Entry(version, "s", "", "", tree_hash(staged)))
        toy(folder / ".staging" / "x" / "toy", "2")
        code = exit_code("tests.installing.killed_swap:main", (str(folder), task, step))
        assert code in (0, KILLED)

        Generations(folder, file).recover()
        there = version_of(folder)
        record = file.read().records.get("toy")
        assert (known(record.now).version if record else "") == there
        assert record is None or (record.coming is None and known(record.now).sha256 == tree_hash(folder / "toy"))
        assert not list((folder / ".staging").glob("*"))
        previous = folder / ".previous" / "toy"
        assert previous.exists() == (record is not None and record.previous is not None)
        outcomes.append(there)
        if code == 0:
            break
    old, new = {"put": ("1", "2"), "roll_back": ("1", "0"), "remove": ("1", ""), "settle": ("1", "1")}[task]
    assert (outcomes[0], outcomes[-1]) == (old, new)
    assert set(outcomes) <= {old, new}
    assert code == 0


def test_a_first_installation_that_was_killed_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "extensions"
    toy(folder / ".staging" / "x" / "toy", "2")
    assert exit_code("tests.installing.killed_swap:main", (str(folder), "put", 2)) == KILLED
    file = LockFile(tmp_path / "lock.json")
    Generations(folder, file).recover()
    assert (version_of(folder), dict(file.read().records)) == ("", {})
