"""One program with the models that ship, for all tests by meaning."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from webui.executors.config import WorkerConfig
from webui.processing.back import Back, build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    data = tmp_path_factory.mktemp("data")
    made = build(WorkerConfig(ROOT / "models", data, ROOT / "extensions", device="cpu", precision="fp32", threads=1))
    yield made
    made.close()
