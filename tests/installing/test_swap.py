"""A kill at any moment of a swap, an update, a roll-back or a removal leaves the old or the new, never neither."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.narrowing import known
from webui.installing.lockfile import Entry, LockFile
from webui.installing.swap import Generations
from webui.installing.tree import tree_hash

ROOT = Path(__file__).parents[2]
KILLED = 9
PROGRAM = """
import os, sys
from pathlib import Path
from webui.installing import swap
from webui.installing.lockfile import Entry, LockFile
left = int(sys.argv[3])
def counting(real):
    def step(*arguments):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return real(*arguments)
    return step
swap.os.rename = counting(os.rename)
swap.delete_tree = counting(swap.delete_tree)
LockFile.write = counting(LockFile.write)
folder = Path(sys.argv[1])
generations = swap.Generations(folder, LockFile(folder.parent / "lock.json"))
if sys.argv[2] == "put":
    staged = folder / ".staging" / "x" / "toy"
    generations.put("toy", staged, Entry("2", "s", "", "", swap.tree_hash(staged)))
elif sys.argv[2] == "roll_back":
    generations.roll_back("toy", "why")
elif sys.argv[2] == "settle":
    generations.settle("toy")
else:
    generations.remove("toy")
"""


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
        command = [sys.executable, "-c", PROGRAM, str(folder), task, str(step)]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
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
    command = [sys.executable, "-c", PROGRAM, str(folder), "put", "2"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == KILLED
    file = LockFile(tmp_path / "lock.json")
    Generations(folder, file).recover()
    assert (version_of(folder), dict(file.read().records)) == ("", {})
