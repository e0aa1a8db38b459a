"""Runs a measurement in a process of its own, so that memory and imports of other code do not count."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS = 600


class ChildFailed(Exception):
    """A measurement has ended with an error; the text holds the end of its output."""


def environment() -> dict[str, str]:
    """This process's variables, with one thread, no network, and compiled modules kept (imports are timed warm)."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }


def measure(module: str, *arguments: str | Path, timeout: float = TIMEOUT_SECONDS) -> Any:
    """Run `python -m module arguments` and return what `answer` wrote.

    Raises:
        ChildFailed: it ended with an error, or took too long.
    """
    command = [sys.executable, "-m", module, *(str(argument) for argument in arguments)]
    try:
        done = subprocess.run(
            command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ChildFailed(f"{module} took more than {timeout:.0f} s") from error
    if done.returncode != 0:
        raise ChildFailed(f"{module} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def answer(value: Any) -> None:
    """Give a result to the parent process, as the last line of standard output."""
    sys.stdout.write(f"\n{json.dumps(value)}\n")
