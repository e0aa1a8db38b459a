"""Processes that are spawned and such that are forked from a nursery: both are what an executor takes them for."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.executors.newborn import Facts
from tests.executors.watching import PATIENCE, Listener, is_alive, until, wanted
from webui.domain.errors import WorkerDiedError
from webui.domain.settings import BackSettings
from webui.executors.birth import ENVIRONMENT, Births, Child, Order, Spawning
from webui.executors.local import LocalExecutor
from webui.executors.nursery import Nurseries, births_here
from webui.executors.protocol import Progressed
from webui.executors.wire import Born
from webui.hardware.graphics_cards import GraphicsCard

FORKS = sys.platform == "linux"
MAIN = "tests.executors.newborn:main"
CARD = GraphicsCard("nvidia", "RTX")
BACK = "tests.executors.prompted_back:build"


class Newborn:
    """A process that has told what it is."""

    def __init__(self, births: Births, device: str = "cpu", **variables: str) -> None:
        self.connection: Connection[Any, Any]
        self.connection, theirs = Pipe()
        self.child: Child = births.bear(Order(MAIN, MAIN, BackSettings(device=device), variables), theirs)
        theirs.close()
        first = self._heard()
        if isinstance(first, Born):
            self.child.was_born(first.pid)
            first = self._heard()
        assert isinstance(first, Facts)
        self.facts = first

    def _heard(self) -> object:
        assert self.connection.poll(PATIENCE), "nothing was heard"
        return self.connection.recv()

    def ends(self) -> int:
        assert wait([self.child.sentinel], PATIENCE), "it lives on"
        self.connection.close()
        return self.child.ended()


@pytest.fixture
def nurseries() -> Iterator[Nurseries]:
    """Its processes have an environment of which a part is changed by tests."""
    made = Nurseries(lambda: {**os.environ, "PYTEST_CURRENT_TEST": ""})
    yield made
    made.close()


@pytest.fixture(params=["spawned", "forked"] if FORKS else ["spawned"])
def births(request: pytest.FixtureRequest) -> Births:
    made: Births = Spawning() if request.param == "spawned" else request.getfixturevalue("nurseries")
    return made


def test_a_process_gets_its_order_and_its_end_is_told(births: Births) -> None:
    one, other = Newborn(births, "cuda:1"), Newborn(births, "cuda:2", OMP_SOMETHING="3")
    assert (one.facts.device, other.facts.device) == ("cuda:1", "cuda:2")
    assert one.facts.environment.get("OMP_SOMETHING") is None
    assert other.facts.environment["OMP_SOMETHING"] == "3"
    for born in (one, other):
        assert born.facts.environment.keys() >= ENVIRONMENT.keys()
        assert psutil.Process(born.child.pid).ppid() == born.facts.parent
    one.connection.send(7)
    other.child.kill()
    assert (one.ends(), other.ends()) == (7, -signal.SIGKILL)


@pytest.mark.skipif(not FORKS, reason="workers are spawned here")
class TestNurseries:
    def test_one_serves_all_orders_of_a_kind_and_they_draw_numbers_of_their_own(self, nurseries: Nurseries) -> None:
        born = [Newborn(nurseries, "cpu"), Newborn(nurseries, "cuda")]
        assert born[0].facts.parent == born[1].facts.parent != os.getpid()
        assert not {*born[0].facts.numbers} & {*born[1].facts.numbers}
        nurseries.close()
        assert not is_alive(born[0].facts.parent)
        assert [one.ends() for one in born] == [255, 255]
        until(lambda: not any(is_alive(one.child.pid) for one in born), "a worker outlived its nursery")

    def test_libraries_are_loaded_anew_where_they_would_find_something_else(
        self, nurseries: Nurseries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.syspath_prepend(str(tmp_path))
        first = Newborn(nurseries)
        parents = [first.facts.parent]
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        changed = Newborn(nurseries)
        assert changed.facts.environment["OMP_NUM_THREADS"] == "2"
        parents.append(changed.facts.parent)
        (tmp_path / "installed.py").touch()
        parents += [Newborn(nurseries).facts.parent, Newborn(nurseries).facts.parent]
        assert len({*parents[:3]}) == 3
        assert parents[2] == parents[3]
        assert is_alive(parents[0])  # with its worker
        first.connection.send(5)
        assert first.ends() == 5
        until(lambda: not is_alive(parents[0]), "a nursery without workers, of which nobody wants another, lives on")

    def test_one_that_has_ended_is_replaced(self, nurseries: Nurseries) -> None:
        first = Newborn(nurseries)
        os.kill(first.facts.parent, signal.SIGKILL)
        until(lambda: not is_alive(first.facts.parent))
        second = Newborn(nurseries)
        assert second.facts.parent != first.facts.parent
        assert first.ends() == 255
        until(lambda: not is_alive(first.child.pid), "a worker outlived its nursery")

    def test_one_that_is_unwanted_before_it_began_never_does_anything(self, nurseries: Nurseries) -> None:
        ours, theirs = Pipe()
        child = nurseries.bear(Order(MAIN, MAIN, BackSettings(), {}), theirs)
        theirs.close()
        child.kill()
        assert child.ended() == 255
        ours.close()
        with contextlib.closing(Newborn(nurseries).connection):  # asked for later, so the first has been forked
            pass


@pytest.mark.skipif(not FORKS, reason="workers are spawned here")
@pytest.mark.parametrize(
    ("version", "cards", "forks"),
    [
        ("cuda: Optional[str] = None", [CARD], True),
        ("cuda: Optional[str] = '13.0'", [], True),
        ("cuda: Optional[str] = '13.0'", [CARD], False),
        ("", [CARD], False),
        ("", [], True),
    ],
)
def test_workers_are_forked_where_torch_finds_no_card(
    tmp_path: Path, version: str, cards: list[GraphicsCard], forks: bool
) -> None:
    if version:
        file = tmp_path / "lib" / "python3.11" / "site-packages" / "torch" / "version.py"
        file.parent.mkdir(parents=True)
        file.write_text(version)
    assert isinstance(births_here(tmp_path, lambda: cards), Nurseries) is forks


@pytest.mark.skipif(not FORKS, reason="workers are spawned here")
def test_a_job_fails_with_the_nursery_and_the_next_is_done(tmp_path: Path) -> None:
    heard, births = Listener(), Nurseries()
    executor = LocalExecutor(BackSettings(data_dir=tmp_path), heard, factory=BACK, births=births)
    executor.submit("killed", wanted("slow", steps=150))
    executor.submit("next", wanted("quick"))
    heard.wait_for("killed", Progressed)
    os.kill(psutil.Process(executor.pid).ppid(), signal.SIGKILL)
    assert isinstance(heard.failed("killed").error, WorkerDiedError)
    assert heard.result("next").images
    executor.close()
    births.close()


def test_a_spawned_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    heard = Listener()
    executor = LocalExecutor(BackSettings(data_dir=tmp_path), heard, factory=BACK, births=Spawning())
    executor.submit("killed", wanted("slow", steps=150))
    executor.submit("next", wanted("quick"))
    heard.wait_for("killed", Progressed)
    os.kill(executor.pid, signal.SIGKILL)
    assert "signal 9" in str(heard.failed("killed").error)
    assert heard.result("next").images
    executor.close()
    until(lambda: not {one for one in set(threading.enumerate()) - threads if one.name.startswith("worker")})
