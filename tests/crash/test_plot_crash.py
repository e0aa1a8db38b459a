"""A server is killed while a plot is made: it comes to the same, and no cell is made twice.

The long one, with five kills at random moments, is a part of `tests/crash/long.py`.
"""

import sys
from pathlib import Path

import pytest

from tests.crash.plot_trial import faults


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_plot_outlives_its_server(tmp_path: Path) -> None:
    found, kills = faults(tmp_path, [(0.4, "server")])
    assert found == []
    assert kills["server"] == 1
