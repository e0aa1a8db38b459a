"""From a git repository to a picture: installed, its hook acts in a job, a broken update changes nothing, removed."""

from pathlib import Path
from textwrap import dedent

import pytest
import torch

from tests.installing.making import GOOD, Repository, installer
from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.settings import BackSettings
from webui.engine.engine import Engine
from webui.executors.inline import InlineExecutor
from webui.jobs.store import JobStore
from webui.library.library import ModelLibrary
from webui.output.store import ImageStore
from webui.plugins.catalog import Catalog
from webui.plugins.describing import describe_all
from webui.plugins.host import ExtensionHost
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels
from webui.processing.run import Pipeline
from webui.processing.texts import Texts
from webui.processing.upscaling import Upscalers
from webui.weights.families.registry import FAMILIES
from webui.weights.memory import ModelCache
from webui.weights.upscalers import UpscalerCache

REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler", steps=2, seed=5, width=64, height=64,
    extensions={"good": {"word": "seen"}},
)  # fmt: skip


class Starts:
    """Starts the program with what is installed, again and again."""

    def __init__(self, folder: Path, models_dir: Path) -> None:
        self._folder = folder
        self._library = ModelLibrary(models_dir, folder / "data", FAMILIES)
        self._models = ModelCache(self._library, torch.device("cpu"), torch.float32)
        self._number = 0

    def engine(self) -> Engine:
        data = self._folder / f"run{self._number}"
        data.mkdir()
        self._number += 1
        extensions = self._folder / "extensions"
        host = ExtensionHost(load_all(extensions), LibraryModels(self._library), torch.device("cpu"), torch.float32)
        texts = Texts(self._library, data / "styles.csv")
        upscalers = Upscalers(self._library, UpscalerCache(self._library, torch.device("cpu")))
        pipeline = Pipeline(self._library, self._models, texts, host, upscalers, BackSettings(preview_every=0))
        return Engine(
            lambda hear: InlineExecutor(pipeline, hear),
            self._library,
            JobStore(data / "jobs.sqlite3"),
            ImageStore(self._folder / "outputs"),
            data_dir=data,
            max_queue=4,
            extensions=Catalog(describe_all(extensions, data / "cache.json")),
        )

    def infotext(self) -> str:
        """Of the picture that the request gives at a new start of the program."""
        engine = self.engine()
        try:
            return engine.submit(REQUEST, save=False).result().images[0].infotext
        finally:
            engine.close()


@pytest.fixture
def starts(tmp_path: Path, tiny_models_dir: Path) -> Starts:
    return Starts(tmp_path, tiny_models_dir)


def test_installed_used_updated_badly_and_removed(tmp_path: Path, starts: Starts) -> None:
    code = dedent(GOOD)
    repository = Repository(tmp_path)
    repository.commit("1.0", code=code)
    mine = installer(tmp_path)
    mine.apply(mine.plan_install(str(repository.path)).token)
    assert "Toy: SEEN" in starts.infotext()

    repository.commit("2.0", code=code.replace("request_options", "request_optoins"))
    broken = mine.plan_update("good")
    assert broken is not None
    with pytest.raises(WebuiError, match=r"does not fit the hooks.*version 1\.0 stays"):
        mine.apply(broken.token)
    assert "Toy: SEEN" in starts.infotext()

    repository.commit("3.0", code=code.replace("mark(self.options.word)", "'third'"))
    better = mine.plan_update("good")
    assert better is not None
    mine.apply(better.token)
    assert "Toy: third" in starts.infotext()
    mine.roll_back("good")
    assert "Toy: SEEN" in starts.infotext()

    mine.remove("good")
    with pytest.raises(BadRequestError, match="there is no extension 'good'"):
        starts.infotext()
