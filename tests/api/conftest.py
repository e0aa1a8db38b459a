"""What the tests of the routes share: an engine on a back that the test moves by hand."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.engine_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench
