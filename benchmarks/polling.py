"""How soon `GET /sdapi/v1/progress` is answered while many clients poll and some generate.

The back is a stand-in that takes as long as it is told and makes noise, which packs badly, so that what is measured is
the front alone. Server and clients are processes of their own: `python -m benchmarks.polling`.
"""

import argparse
import asyncio
import base64
import contextlib
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import uvicorn
from PIL import Image

from benchmarks.children import ROOT, ChildFailed, answer, environment, measure
from benchmarks.report import Row
from webui.api.application import create
from webui.api.parts import Parts
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.domain.saving import Saving
from webui.domain.settings import BackSettings
from webui.engine.engine import Engine
from webui.executors.local import LocalExecutor
from webui.jobs.store import JobStore
from webui.library.library import ModelLibrary
from webui.output.store import ImageStore
from webui.processing.ports import Reporter
from webui.server.app import encoded
from webui.weights.families.registry import FAMILIES

PART = "polling"
POLLING, GENERATING = 120, 3  # clients
PAUSE = 0.5  # seconds between two questions of one client
SECONDS = 20.0
STEPS, STEP = 10, 0.02  # of one picture, seconds each
SIDE = 768  # pixels
TARGET = 0.1
ALONE_SECONDS = 8.0  # in which nobody polls, before and after
SLOWER = 1.1  # times that a picture may take beside the polling clients
PATIENCE = 60.0


class StandIn:
    """A back that makes noise."""

    def run(self, request: GenerationRequest, reporter: Reporter) -> GenerationResult:
        small, buffer = Image.effect_noise((256, 256), 60).convert("RGB"), io.BytesIO()
        small.save(buffer, "JPEG")
        for step in range(STEPS):
            time.sleep(STEP)
            reporter.progress(Progress("sampling", step, STEPS, preview=buffer.getvalue()))
        bands = [Image.effect_noise((SIDE, SIDE), 60) for _ in range(3)]
        image = GeneratedImage(Image.merge("RGB", bands), request, "noise\nSteps: 1, Sampler: Euler", 0, 0)
        reporter.image(image)
        return GenerationResult(request, (image,), ModelFacts("stand-in", "0123456789"))

    def load(self, checkpoint: str) -> None: ...
    def close(self) -> None: ...


def stand_in(settings: BackSettings) -> StandIn:
    """The back, named to the worker."""
    return StandIn()


def serve(folder: Path, port: int) -> None:
    """The API with the stand-in behind it, until a signal."""
    library = ModelLibrary(folder / "models", folder / "cache", FAMILIES)
    engine = Engine(
        partial(LocalExecutor, BackSettings(data_dir=folder), factory="benchmarks.polling:stand_in"),
        library,
        JobStore(folder / "jobs.sqlite3"),
        ImageStore(folder / "outputs"),
        data_dir=folder,
    )
    try:
        app = create(Parts(engine=engine, encode=partial(encoded, Saving())))
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)
    finally:
        engine.close()


def rows() -> Iterator[Row]:
    """One run of server and clients."""
    told = measure("benchmarks.polling", "run")
    note = f"{POLLING} clients, each {PAUSE} s after its last answer, while {GENERATING} generate"
    yield Row(PART, "GET /progress, median", told["p50"], "s", note=note)
    yield Row(PART, "GET /progress, 99 of 100", told["p99"], "s", target=TARGET, note=f"{told['answers']} answers")
    yield Row(PART, "GET /progress, slowest", told["slowest"], "s")
    yield Row(PART, "pictures made meanwhile", told["pictures"], "")
    slower = told["alone"] / told["beside"]
    note = f"before and after {told['alone']:.2f} pictures a second, meanwhile {told['beside']:.2f}"
    yield Row(PART, "time of a picture beside the clients, over without them", slower, "x", target=SLOWER, note=note)


def run() -> dict[str, float]:
    """Start a server, ask it, end it."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="webui-polling-") as folder:
        command = [sys.executable, "-m", "benchmarks.polling", "serve", "--folder", folder, "--port", str(port)]
        server = subprocess.Popen(command, env=environment(), cwd=ROOT)
        try:
            return asyncio.run(_clients(port, server))
        finally:
            server.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(PATIENCE)
            server.kill()


async def _clients(port: int, server: "subprocess.Popen[bytes]") -> dict[str, float]:
    await _listening(port, server)
    await _rate_alone(port)  # the first pictures also load things
    before = await _rate_alone(port)
    ends = time.monotonic() + SECONDS
    made: list[float] = []
    times: list[float] = []
    makers = [_generate(port, ends, made) for _ in range(GENERATING)]
    askers = [_poll(port, ends, times, PAUSE * number / POLLING) for number in range(POLLING)]
    await asyncio.gather(*makers, *askers)
    after = await _rate_alone(port)
    ordered = sorted(times)
    return {
        "alone": (before + after) / 2,
        "beside": len(made) / SECONDS,
        "p50": statistics.median(ordered),
        "p99": ordered[int(len(ordered) * 0.99)],
        "slowest": ordered[-1],
        "answers": len(ordered),
        "pictures": len(made),
        "load": os.getloadavg()[0],
    }


async def _rate_alone(port: int) -> float:
    """Pictures a second while nobody polls."""
    ends = time.monotonic() + ALONE_SECONDS
    made: list[float] = []
    await asyncio.gather(*(_generate(port, ends, made) for _ in range(GENERATING)))
    return len(made) / ALONE_SECONDS


async def _poll(port: int, ends: float, times: list[float], later: float) -> None:
    """Ask on one connection, as browsers and plug-ins do."""
    await asyncio.sleep(later)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < ends:
        began = time.monotonic()
        await _ask(reader, writer, port, "GET", "/sdapi/v1/progress", b"")
        times.append(time.monotonic() - began)
        await asyncio.sleep(PAUSE)
    writer.close()


async def _generate(port: int, ends: float, made: list[float]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")  # enlarging needs no checkpoint
    body = json.dumps({"image": base64.b64encode(buffer.getvalue()).decode(), "upscaler_1": "Lanczos"}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**26)
    while time.monotonic() < ends:
        await _ask(reader, writer, port, "POST", "/sdapi/v1/extra-single-image", body)
        made.append(time.monotonic())
    writer.close()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, method: str, path: str, body: bytes
) -> bytes:
    """One request and the bytes of its answer."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Encoding: gzip\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    if " 200 " not in headers.partition("\r\n")[0]:
        raise ChildFailed(f"{method} {path}: {headers.partition(chr(13))[0]}")
    length = next((line for line in headers.split("\r\n") if line.startswith("content-length:")), "")
    if length:
        return await reader.readexactly(int(length.partition(":")[2]))
    whole = b""
    while (size := int((await reader.readline()).strip() or b"0", 16)) > 0:  # in chunks
        whole += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return whole


async def _listening(port: int, server: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and server.poll() is None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise ChildFailed("the server did not start")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def main() -> None:
    """`run` measures, `serve` is its server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "serve"), nargs="?", default="run")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    if given.what == "serve":
        serve(given.folder, given.port)
    else:
        answer(run())


if __name__ == "__main__":  # the worker imports this module again
    main()
