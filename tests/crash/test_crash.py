"""Workers and servers are killed at fixed moments: no picture is lost, doubled, or half there.

The long one is a program: `python launch.py test --crash` runs `tests/crash/long.py`.
"""

import sys
from pathlib import Path

import pytest

from tests.crash.trial import Trial

JOBS = 5


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_kills_cost_no_picture(tmp_path: Path) -> None:
    trial = Trial(tmp_path, JOBS)
    found = trial.run([(0.1, "worker"), (0.3, "server"), (0.5, "worker"), (0.6, "server"), (0.8, "worker")])
    assert found.is_well, found
    assert len(trial.files) == JOBS * 3
    assert found.kills["server"] == 2
    assert found.kills["worker"] >= 2
    assert found.held == []
