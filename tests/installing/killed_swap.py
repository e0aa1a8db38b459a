"""A process that swaps an extension and is killed before one of its steps, for `test_swap.py`."""

import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from webui.domain.settings import BackSettings
from webui.installing import swap
from webui.installing.lockfile import Entry, LockFile
from webui.installing.tree import tree_hash

KILLED = 9


def main(factory: str, settings: BackSettings, connection: "Connection[Any, Any]") -> None:
    """Hear (folder, task, how many steps are done before the kill), and do the task."""
    folder, task, steps = connection.recv()
    _kill_after(steps)
    _do(Path(folder), task)


def _kill_after(steps: int) -> None:
    left = iter(range(steps))

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            if next(left, None) is None:
                os._exit(KILLED)
            return real(*arguments)

        return step

    os.rename = counting(os.rename)
    swap.delete_tree = counting(swap.delete_tree)  # type: ignore[attr-defined]
    LockFile.write = counting(LockFile.write)  # type: ignore[method-assign]


def _do(folder: Path, task: str) -> None:
    generations = swap.Generations(folder, LockFile(folder.parent / "lock.json"))
    if task == "put":
        staged = folder / ".staging" / "x" / "toy"
        generations.put("toy", staged, Entry("2", "s", "", "", tree_hash(staged)))
    elif task == "roll_back":
        generations.roll_back("toy", "why")
    elif task == "settle":
        generations.settle("toy")
    else:
        generations.remove("toy")
