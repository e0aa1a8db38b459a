"""The stream over a real socket: it comes at once, a page that leaves is noticed, and the server can stop."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from tests.api.page.browsers import PAGE, Server, events_of
from tests.engine_bench import Bench
from tests.executors.watching import until
from webui.domain.visitor import COOKIE
from webui.executors.protocol import Started


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    bench = Bench(tmp_path)
    yield Server(bench)
    for engine in bench.made:
        engine.close()


@pytest.fixture
def served(server: Server) -> Iterator[tuple[str, uvicorn.Server, threading.Thread]]:
    """Its address, with the port that the guard expects in the Host header left to the client."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        program = uvicorn.Server(uvicorn.Config(server.app, log_level="error", lifespan="on"))
        thread = threading.Thread(target=program.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}", program, thread
        server.parts.closing.set()
        program.should_exit = True
        thread.join(20)


def test_a_page_that_leaves_is_noticed_and_the_server_stops_at_once(
    server: Server, served: tuple[str, uvicorn.Server, threading.Thread]
) -> None:
    address, program, thread = served
    watchers, headers = server.engine.overview.changes.watchers, {"host": "127.0.0.1:7860"}
    with httpx.Client(base_url=address, headers=headers, timeout=20) as client:
        with client.stream("GET", f"{PAGE}/events") as first:
            assert first.headers["set-cookie"].startswith(f"{COOKIE}=")
            lines = first.iter_text()
            text = next(lines)
            while not events_of(text):
                text += next(lines)
            job = server.submit(f"page {first.cookies[COOKIE]}")
            server.bench.hand.tell(Started(job.id))
            while "progress" not in [name for name, _ in events_of(text)]:
                text += next(lines)
            rows = [data for name, data in events_of(text) if name == "job"]
            assert rows[0]["mine"]
            assert rows[-1]["state"] == "running"
            assert watchers() == 1
        until(lambda: watchers() == 0, "a page that has left is still told of changes")
        with client.stream("GET", f"{PAGE}/events") as second:
            lines = second.iter_text()
            next(lines)
            server.parts.closing.set()
            program.should_exit = True
            assert "".join(lines).count("event: state") <= 1  # and it is at its end, with no error
    thread.join(20)
    assert not thread.is_alive(), "the stream held the server up"
