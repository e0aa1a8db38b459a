"""Workers and servers are killed while a plot is made: it comes to the same, and no cell is made twice."""

import sys
from pathlib import Path

import pytest

from tests.crash.plot_trial import faults


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_plot_outlives_its_worker_and_its_server(tmp_path: Path) -> None:
    found, kills = faults(tmp_path, [(0.3, "worker"), (0.6, "server")])
    assert found == []
    assert kills["server"] == 1
