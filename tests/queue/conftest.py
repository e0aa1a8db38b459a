"""What the tests of the queue share: an engine on a back that the test moves by hand, and deaths that are soon over."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a death follows at once."""
    monkeypatch.setattr("webui.engine.mishaps.DELAYS", (0.01, 0.01))
