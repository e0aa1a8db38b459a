"""What every test shares: one thread, so that two cores stay steady and last digits do not move; folders of models."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from pathlib import Path

import hypothesis
import pytest
import torch

from tests import reference, tiny_models

# A busy machine is no fault of the code, so no example has a deadline; pytest's own limit ends what hangs.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--schema-calls", type=int, default=0, help="calls to make from the description of the API; 0: a few"
    )


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with tiny checkpoints of random numbers (tests/tiny_models.py). Nothing may be written there."""
    folder = tmp_path_factory.mktemp("tiny") / "models"
    tiny_models.build(folder)
    return folder


@pytest.fixture(scope="session")
def reference_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the checkpoints of our own reference cases. Nothing may be written there."""
    folder = tmp_path_factory.mktemp("reference") / "models"
    reference.whole_checkpoints(folder)
    return folder
