"""The program as its user starts it: a process of its own, with the folders of a test."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.answering import until_it_answers

ROOT = Path(__file__).parents[2]


@contextmanager
def running_program(
    folder: Path, port: int, starting: Mapping[str, Any], flags: Mapping[str, object]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start it, and wait until it answers.

    Args:
        folder: where it keeps its data, and pictures in `outputs`.
        port: where it listens. At one that has served pages before, a browser has compiled the page's scripts.
        starting: the form's starting values.
        flags: further flags with their values; "" for one that has none.
    """
    data = folder / "data"
    data.mkdir()
    (data / "starting_values.json").write_text(json.dumps(starting))
    given = {"--port": port, "--data-dir": data, "--outputs-dir": folder / "outputs", **flags}
    parts = [str(part) for flag, value in given.items() for part in (flag, value) if part != ""]
    process = subprocess.Popen([sys.executable, "-m", "webui", *parts], cwd=ROOT)
    try:
        until_it_answers(f"http://127.0.0.1:{port}/health", process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
