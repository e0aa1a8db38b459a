"""One program with the models that ship, for all tests by meaning."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from webui.domain.settings import BackSettings
from webui.processing.back import Back, build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    data = tmp_path_factory.mktemp("data")
    made = build(
        BackSettings(
            models_dir=ROOT / "models",
            data_dir=data,
            extensions_dir=ROOT / "extensions",
            device="cpu",
            precision="fp32",
            threads=1,
        )
    )
    yield made
    made.close()
