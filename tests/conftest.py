"""What every test shares: one thread, so that two cores stay steady and last digits do not move; folders of models."""

import gc
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # else torch starts processes for one small network
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import torch

from tests import reference, tiny_models
from tests.pickles_here import converted_here

gc.disable()  # what is imported and collected is no garbage; `pytest_collection_finish` enables it again

# A busy machine is no fault of the code, so no example has a deadline; pytest's own limit ends what hangs.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


LONG = (  # what takes longest, the longest first, so that no process works alone at the end (paths below tests/)
    "processing/test_goldens", "ui/journeys/", "gpu/test_whole_back", "ui/", "extensions/test_hostile",
    "processing/test_script_goldens", "executors/", "test_whole_program.py", "crash/", "test_app.py", "test_tls.py",
    "api/page/", "miniature/", "processing/", "gpu/", "weights/",
)  # fmt: skip

WITH_MODELS = ("extensions", "families", "gpu", "miniature", "processing", "weights")  # folders below tests/


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first; within a rank everything keeps its order."""
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        place = item.path.relative_to(here).as_posix()
        return next((at for at, long in enumerate(LONG) if place.startswith(long)), len(LONG))

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Keep nothing compiled from here on: of an extension that a test writes twice within a second, Python would take
    the first version for the second.

    What there is now stays until the end: it is not looked through by each of the searches for garbage that follow.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)  # objects that come anew until the next search; 700 without this
    gc.enable()
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--schema-calls", type=int, default=0, help="calls to make from the description of the API; 0: a few"
    )


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="module")
def _own_garbage(request: pytest.FixtureRequest) -> None:
    """What a file of tests with models finds in memory is not looked through by its searches for garbage, of which
    there is one whenever a model is loaded: pages and programs of earlier files are millions of objects.
    """
    if request.path.parent.name in WITH_MODELS:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="module")
def pickles_here() -> Iterator[None]:
    """See `tests/pickles_here.py`."""
    with converted_here():
        yield


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
