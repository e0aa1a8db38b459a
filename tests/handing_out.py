"""Which of pytest's processes runs which file: where files share something costly, the same processes have them.

A browser that has shown the page, or a program that has loaded checkpoints, is made once for a process and takes it
some ten seconds. Files are handed out whole and in the order of their collection, as `--dist loadfile` does it; but
while there are files of a kind that a process has begun with, it goes on with these, then come those of no kind.
"""

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler.protocol import Scheduling
    from xdist.workermanage import WorkerController

PAGE, MODELS, ANY = "page", "models", ""
KINDS = (
    ("tests/ui/*", PAGE),
    ("tests/miniature/*", MODELS),
    ("tests/processing/test_*goldens.py", MODELS),
    ("tests/extensions/test_*goldens.py", MODELS),
)
FIRST = (PAGE, MODELS, PAGE)  # what the first processes begin with, and again from the fourth on


def kind_of(file: str) -> str:
    """What costly thing the tests of a file share with others. Its path begins at the clone's folder."""
    return next((kind for pattern, kind in KINDS if fnmatch(file, pattern)), ANY)


def next_file(waiting: Sequence[str], begun: set[str]) -> str:
    """Which of the files that wait suits a process that has begun with these kinds: the first of the best."""

    def worse(file: str) -> int:
        kind = kind_of(file)
        return 0 if kind in begun - {ANY} else 1 if kind == ANY else 2

    return min(waiting, key=worse)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Scheduling | None":
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class GoingOn(LoadFileScheduling):  # type: ignore[misc]  # xdist tells no types
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._begun: dict[WorkerController, set[str]] = {}

        def _assign_work_unit(self, node: "WorkerController") -> None:
            begun = self._begun.setdefault(node, {FIRST[len(self._begun) % len(FIRST)]})
            file = next_file([*self.workqueue], begun)
            begun.add(kind_of(file))
            self.workqueue.move_to_end(file, last=False)  # where the next one is taken from
            super()._assign_work_unit(node)

    return GoingOn(config, log)
