"""One maker of worker processes for all tests of a process: the libraries of a worker are loaded once for all."""

import atexit
import functools
import os
from collections.abc import Mapping

from webui.executors.birth import Births
from webui.executors.nursery import Nurseries, births_here


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
