"""Measures the time from the start of the program to its page, and to the first picture of a tiny model over the
API.
"""

import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from benchmarks.children import ROOT, ChildFailed, environment
from benchmarks.report import Row

PART = "startup"
ROUNDS = 3  # after one that is thrown away: it compiles modules and fills the page cache
PAGE_TARGET = 5.0
PATIENCE = 120.0
LOOK = 0.02
REQUEST: Mapping[str, object] = {
    "prompt": "a cow", "steps": 4, "width": 64, "height": 64, "seed": 1, "save_images": False,
}  # fmt: skip


def rows(models: Path) -> Iterator[Row]:
    """Start the program a few times with a models folder that holds one tiny checkpoint."""
    _once(models)
    runs = [_once(models) for _ in range(ROUNDS)]
    for what, key, target, note in (
        ("start to page ready, wall", "page", PAGE_TARGET, "process start until GET / answers 200"),
        ("start to page ready, CPU of the server", "server_cpu", None, ""),
        ("start to page ready, CPU of all processes", "page_cpu", None, "the worker loads torch at the same time"),
        ("start to first picture, wall", "picture", None, "64x64, 4 steps; asked for as soon as the page was ready"),
        ("page ready to first picture, wall", "waited", None, ""),
        ("a second picture, wall", "second", None, ""),
        ("memory of all processes after it", "memory", None, "sum of their own (unique) pages"),
    ):
        values = [run[key] for run in runs]
        unit = "GiB" if key == "memory" else "s"
        yield Row(
            PART, what, statistics.median(values), unit, target=target, spread=(min(values), max(values)), note=note
        )


def _once(models: Path) -> dict[str, float]:
    """One start, two pictures, one end."""
    with tempfile.TemporaryDirectory(prefix="webui-start-") as folder, _server(models, Path(folder)) as (process, port):
        began = process.create_time()
        _until_page(process, port)
        page, server_cpu, page_cpu = time.time() - began, _cpu([process]), _cpu(_family(process))
        _picture(port)
        picture = time.time() - began
        _picture(port)
        second = time.time() - began - picture
        memory = sum(one.memory_full_info().uss for one in _family(process)) / 2**30
    return {
        "page": page, "server_cpu": server_cpu, "page_cpu": page_cpu, "picture": picture, "waited": picture - page,
        "second": second, "memory": memory,
    }  # fmt: skip


@contextlib.contextmanager
def _server(models: Path, folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    """The program in folders of its own; ended as Ctrl+C would end it."""
    port = _free_port()
    command = [
        sys.executable, "-m", "webui", "--api", "--threads", "1", "--port", str(port), "--models-dir", str(models),
        "--data-dir", str(folder / "data"), "--outputs-dir", str(folder / "outputs"),
    ]  # fmt: skip
    with (folder / "log").open("w+b") as log:
        process = subprocess.Popen(command, env=environment(), cwd=ROOT, stdout=log, stderr=log)
        try:
            yield psutil.Process(process.pid), port
        except ChildFailed as error:
            log.seek(0)
            raise ChildFailed(f"{error}\n{log.read()[-2000:].decode('utf-8', 'replace')}") from error
        finally:
            process.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_page(process: psutil.Process, port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise ChildFailed("the program ended before its page was ready:")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as page:
                page.read()
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(LOOK)
    raise ChildFailed(f"there was no page after {PATIENCE:.0f} s:")


def _picture(port: int) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/sdapi/v1/txt2img",
        data=json.dumps(REQUEST).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            made = len(json.load(reply)["images"])
    except urllib.error.HTTPError as error:
        raise ChildFailed(f"txt2img: {error.code} {error.read()[:500].decode('utf-8', 'replace')}") from error
    if made != 1:
        raise ChildFailed(f"txt2img answered with {made} images, expected 1")


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _cpu(processes: list[psutil.Process]) -> float:
    """CPU seconds that they have used so far."""
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
