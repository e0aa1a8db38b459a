"""What tests of bundled extensions share."""

from pathlib import Path

import pytest

from tests.exact_back import exact_back
from webui.processing.back import Back

EXTENSIONS = Path(__file__).parents[2] / "extensions"


@pytest.fixture(scope="session")
def bundled_back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    """The back with every bundled extension and the tiny models; loading the extensions takes half a second."""
    data = tmp_path_factory.mktemp("bundled")
    return exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=EXTENSIONS)
