"""Extensions are described in processes that are forked from one that has loaded what describing takes: for tests in
which the descriptions matter and not how their process begins, which takes six times as long.
"""

import os
import subprocess
from collections.abc import Mapping
from multiprocessing import Pipe, reduction
from multiprocessing.connection import Connection, wait
from types import SimpleNamespace
from typing import Any

import pytest

from tests.forked import births
from webui.domain.settings import BackSettings
from webui.executors.birth import Order
from webui.executors.nursery import Nurseries
from webui.executors.wire import Born
from webui.plugins import describe, describing, loader

LOADED = (describe, loader)  # before any process is forked
HERE = f"{__name__}:described"


class Forked:
    """As much of `subprocess.Popen` as `describing` uses."""

    def __init__(self, command: list[str], stdout: int, env: Mapping[str, str]) -> None:
        assert (command[1:3], stdout) == (["-m", describe.__name__], subprocess.PIPE)
        connection: Connection[Any, Any]
        connection, theirs = Pipe()
        self._code: int | None = None
        self._child = births().bear(Order(HERE, HERE, BackSettings(), {}), theirs)
        theirs.close()
        born = connection.recv()
        assert isinstance(born, Born)
        self._child.was_born(born.pid)
        reading, writing = os.pipe()
        self.stdout = os.fdopen(reading, "rb")
        reduction.send_handle(connection, writing, born.pid)
        os.close(writing)
        connection.send((command[3:], dict(env)))
        connection.close()

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            if not wait([self._child.sentinel], timeout):
                raise subprocess.TimeoutExpired(HERE, timeout or 0.0)
            self._code = self._child.ended()
        return self._code

    def kill(self) -> None:
        if self._code is None:
            self._child.kill()


def described(factory: str, settings: BackSettings, connection: "Connection[Any, Any]") -> None:
    """In the forked process: what `python -m webui.plugins.describe` does."""
    writing = reduction.recv_handle(connection)
    arguments, environment = connection.recv()
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(writing, 1)
    os.close(writing)
    describe.main(arguments)


@pytest.fixture
def forked_describing(monkeypatch: pytest.MonkeyPatch) -> None:
    """See above. Folders of packages that an extension brings are not looked into."""
    if isinstance(births(), Nurseries):
        made = SimpleNamespace(Popen=Forked, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
        monkeypatch.setattr(describing, "subprocess", made)
