"""One program with the models that ship, for all tests by meaning."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exact_back import exact_back
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    data = tmp_path_factory.mktemp("data")
    made = exact_back(models_dir=ROOT / "models", data_dir=data, extensions_dir=ROOT / "extensions")
    yield made
    made.close()
