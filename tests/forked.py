"""One maker of worker processes for all tests of a process: the libraries of a worker are loaded once for all."""

import atexit
import functools
import os
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

from webui.domain.settings import BackSettings
from webui.executors.birth import Births, Order
from webui.executors.nursery import Nurseries, births_here
from webui.executors.wire import Born


@functools.cache
def births() -> Births:
    """As the program makes workers on this system; lasts until the tests end."""
    made = births_here()
    if isinstance(made, Nurseries):
        made = Nurseries(_environment)
    atexit.register(made.close)
    return made


def _environment() -> Mapping[str, str]:
    """Without what pytest writes there before each test, for which no library has to be loaded anew."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def exit_code(main: str, given: object) -> int:
    """What the process of a main function ends with, which is sent `given` and answers nothing."""
    connection: Connection[Any, Any]
    connection, theirs = Pipe()
    child = births().bear(Order(main, main, BackSettings(), {}), theirs)
    theirs.close()
    connection.send(given)
    if not child.pid:
        born = connection.recv()
        assert isinstance(born, Born)
        child.was_born(born.pid)
    wait([child.sentinel])
    connection.close()
    return child.ended()
