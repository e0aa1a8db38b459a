"""A server of the page over an engine whose jobs tests tell the ends of, and a browser that asks it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.page.browsers import Browser, Server
from tests.engine_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for engine in bench.made:
        engine.close()


@pytest.fixture
def server(bench: Bench) -> Server:
    return Server(bench)


@pytest.fixture
def me(server: Server) -> Browser:
    return server.browser()
