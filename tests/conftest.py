"""What every test shares: one thread, so that two cores stay steady and last digits do not move; folders of models."""

import gc
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # else torch starts processes for one small network
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import compileall
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import hypothesis
import pytest
import torch
from filelock import FileLock

from tests import reference, tiny_models
from tests.pickles_here import converted_here
from webui.ui.gradio_import import without_stubs

if TYPE_CHECKING:
    from webui.processing.back import Back

pytest_plugins = ("tests.reference_runs", "tests.handing_out")
EXTENSIONS = Path(__file__).parents[1] / "extensions"

without_stubs()  # also where a test imports Gradio by itself, before anything of the page

gc.disable()  # what is imported and collected is no garbage; `pytest_collection_finish` enables it again

# A busy machine is no fault of the code, so no example has a deadline; pytest's own limit ends what hangs.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


LONG = (  # what takes longest, the longest first, so that no process works alone at the end (paths below tests/)
    "processing/test_goldens", "ui/journeys/", "gpu/test_whole_back", "ui/", "extensions/test_hostile",
    "extensions/test_controlnet_goldens", "extensions/test_extension_goldens",
    "processing/test_script_goldens", "executors/", "crash/", "test_app.py", "test_tls.py",
    "api/page/", "miniature/", "processing/", "gpu/", "weights/",
)  # fmt: skip

WITH_MODELS = ("extensions", "families", "gpu", "miniature", "processing", "weights")  # folders below tests/


def pytest_configure() -> None:
    """Compile what is imported only while tests run, by this process or by those that it starts: none keeps what it
    compiles (`pytest_collection_finish`), so each would compile it again.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ and not sys.dont_write_bytecode:
        plugin = Path(anyio.__file__).parent  # pytest compiles a package with a plugin in a form of its own
        for folder in (EXTENSIONS, EXTENSIONS.parent / "webui", plugin):
            compileall.compile_dir(folder, quiet=2)


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
def reference_models_dir(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A models folder with the models of the reference cases, one for all processes. Nothing may be written there."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "reference models"
    with FileLock(shared / "reference models.lock"):
        if not folder.is_dir():
            begun = shared / f"reference models of {os.getpid()}"
            reference.models_of_cases(begun, reference.folders_of(request.config)[:-1])
            begun.rename(folder)
    return folder


@pytest.fixture(scope="session")
def reference_back(reference_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> "Back":
    """The back that makes reference cases, with every bundled extension; it keeps each checkpoint it has loaded."""
    from tests.exact_back import exact_back  # takes seconds, which processes without reference cases need not wait

    return exact_back(
        models_dir=reference_models_dir, data_dir=tmp_path_factory.mktemp("references"), extensions_dir=EXTENSIONS,
        checkpoints_in_memory=12,
    )  # fmt: skip
