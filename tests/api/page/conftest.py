"""A server of the page over an engine whose jobs tests tell the ends of, and a browser that asks it."""

import pytest

from tests.api.page.browsers import Browser, Server
from tests.engine_bench import Bench


@pytest.fixture
def server(bench: Bench) -> Server:
    return Server(bench)


@pytest.fixture
def me(server: Server) -> Browser:
    return server.browser()
