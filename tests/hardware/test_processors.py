"""How many cores there are for this process, and what the processor is called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from webui.executors.birth import ENVIRONMENT
from webui.hardware.processors import WAITING, processor_name, usable_cores


@pytest.mark.parametrize(
    ("files", "most"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
        ({"cpu.max": "nonsense"}, 8),
    ],
)
def test_cores_are_those_that_a_container_has_time_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], most: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="ascii")
    assert usable_cores(tmp_path) == most


def test_a_processor_is_told_by_name_and_model(tmp_path: Path) -> None:
    one = "model name\t: Some CPU\ncpu family\t: 25\nmodel\t\t: 17\nstepping\t: 1\n"
    (tmp_path / "cpuinfo").write_text(f"{one}\n{one.replace('Some', 'Other')}", encoding="utf-8")
    assert processor_name(tmp_path / "cpuinfo") == "Some CPU 25 17 1"
    assert processor_name(tmp_path / "missing")


def test_a_worker_has_its_threads_wait_without_spinning() -> None:
    assert ENVIRONMENT.items() >= WAITING.items()


def test_the_runtime_of_threads_reads_it() -> None:
    told = {**os.environ, **WAITING, "OMP_DISPLAY_ENV": "true"}
    done = subprocess.run(
        [sys.executable, "-c", "import torch; torch.ones(1)"], env=told, capture_output=True, text=True, check=True
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr
