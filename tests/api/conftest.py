"""What the tests of the routes share: an engine on a back that the test moves by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for engine in bench.made:
        engine.close()
