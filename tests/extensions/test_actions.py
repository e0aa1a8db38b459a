"""Actions from the route to the worker's side and back, over a real engine with its back in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.api.fakes import call, encode
from tests.extensions.toys import good, toy
from webui.api.application import create
from webui.api.parts import Parts
from webui.domain.errors import BadRequestError, Cancelled, WebuiError
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ActionTalk, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, ModelFacts
from webui.engine.engine import Engine
from webui.executors.inline import InlineExecutor
from webui.jobs.store import JobStore
from webui.library.library import ModelLibrary
from webui.plugins.catalog import Catalog
from webui.plugins.host import ExtensionHost
from webui.plugins.loader import Loaded, load_all
from webui.plugins.models import LibraryModels
from webui.processing.ports import Reporter
from webui.weights.families.registry import FAMILIES

DOING = """
    from PIL import Image
    from pydantic import Field

    class Form(Options):
        count: int = Field(2, ge=0, le=9)
        picture: ImageField | None = None

    def count(options, context):
        for number in range(options.count):
            context.progress(number, options.count, "counting")
        return ActionResult("counted", images=(Image.new("RGB", (options.count, 1)),), data={"count": options.count})

    def names(options, context):
        return ActionResult(data={"names": list(context.models.names("lora"))})

    def wrong(options, context):
        return 1

    def stops(options, context):
        raise Cancelled("stopped")

    def file(options, context):
        path = context.new_file("lora", "made.safetensors")
        path.write_bytes(b"")
        return ActionResult(files=(path,))

    def keeps(options, context):
        context.record("part", str(context.data_dir).encode())
        return ActionResult()

    @hookimpl
    def actions():
        return [
            Action("count", "Count", Form, count, ("POST /doing/count", "GET /doing/count")),
            Action("names", "Names", Form, names, light=True),
            Action("wrong", "Wrong", Form, wrong),
            Action("stops", "Stops", Form, stops),
            Action("file", "File", Form, file),
            Action("keeps", "Keeps", Form, keeps),
        ]
"""


class HostingBack:
    """A back without models."""

    def __init__(self, host: ExtensionHost) -> None:
        self.host = host

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        return self.host.loaded.infos

    def act(
        self,
        call: ActionCall,
        progress: Callable[[ActionProgress], None],
        stopped: Callable[[], bool],
        *talk: ActionTalk,
    ) -> ActionOutcome:
        return self.host.act(call, progress, stopped, None, *talk)

    def run(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int] = frozenset()
    ) -> GenerationResult:
        self.host.join(request)
        return GenerationResult(request, (), ModelFacts("", ""))

    def load(self, checkpoint: str) -> None: ...
    def close(self) -> None: ...


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = tmp_path_factory.mktemp("e")
    toy(folder, "doing", DOING)
    good(folder)
    return load_all(folder)


@pytest.fixture
def engine(tmp_path: Path, loaded: Loaded) -> Iterator[Engine]:
    library = ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)
    back = HostingBack(ExtensionHost(loaded, LibraryModels(library), torch.device("cpu"), torch.float32))
    engine = Engine(
        lambda on_event: InlineExecutor(back, on_event),
        library,
        JobStore(tmp_path / "jobs.sqlite3"),
        None,  # type: ignore[arg-type]
        data_dir=tmp_path,
        max_queue=8,
        extensions=Catalog(loaded.infos, tmp_path / "settings.json"),
    )
    yield engine
    engine.close()


class Client:
    def __init__(self, engine: Engine) -> None:
        self.app = create(Parts(engine=engine, encode=encode))

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return call(self.app, method, path, **({} if body is None else {"json": body}))


@pytest.fixture
def client(engine: Engine) -> Client:
    return Client(engine)


def test_an_action_is_a_job(engine: Engine) -> None:
    job = engine.act("doing", "count", {"count": 3})
    made = job.result(5)
    assert (job.state, made.text, made.data, made.images[0].size) == ("done", "counted", {"count": 3}, (3, 1))
    assert engine.action(job.id) is job


def test_what_it_records_is_kept_beside_its_job(engine: Engine) -> None:
    job = engine.act("doing", "keeps", {})
    job.result(5)
    assert engine.recordings.of(job.id) == {"part": b"data"}


@pytest.mark.parametrize(("action", "kind"), [("wrong", WebuiError), ("stops", Cancelled)])
def test_its_failures_are_told(engine: Engine, action: str, kind: type[Exception]) -> None:
    job = engine.act("doing", action, {})
    with pytest.raises(kind):
        job.result(5)
    assert job.state == ("cancelled" if kind is Cancelled else "failed")


def test_options_that_do_not_fit_are_refused_at_once(engine: Engine) -> None:
    with pytest.raises(BadRequestError, match="maximum of 9"):
        engine.act("doing", "count", {"count": 10})


def test_a_new_file_lies_in_its_folder_and_nowhere_else(engine: Engine, tmp_path: Path) -> None:
    made = engine.act("doing", "file", {}).result(5)
    assert made.files == (str(tmp_path / "models" / "Lora" / "made.safetensors"),)
    with pytest.raises(BadRequestError, match="is there already"):
        engine.act("doing", "file", {}).result(5)
    models = LibraryModels(engine.library)
    for name in ("../x.safetensors", "/etc/x", "", "a/../../b", "..", "x\0y"):
        with pytest.raises(BadRequestError):
            models.new_file("lora", name)


def test_routes_start_watch_and_wait(client: Client) -> None:
    started = client("POST", "/api/extensions/doing/actions/count", {"count": 1})
    assert started.status_code == 201
    seen = client("GET", f"/api/actions/{started.json()['id']}").json()
    assert (seen["state"], seen["result"]["data"], seen["result"]["images"]) == ("done", {"count": 1}, 1)
    picture = client("GET", f"/api/actions/{started.json()['id']}/images/0")
    assert picture.headers["content-type"] == "image/png"
    assert client("POST", "/api/extensions/doing/actions/count?wait=true", {}).json()["text"] == "counted"
    assert client("POST", "/api/extensions/doing/actions/names").json()["data"] == {"names": []}
    assert client("POST", "/doing/count", {"count": 4}).json() == {"count": 4}
    assert client("GET", "/doing/count?count=5").json() == {"count": 5}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/extensions/nobody/actions/count", {}, 404),
        ("/api/extensions/doing/actions/nothing", {}, 404),
        ("/api/extensions/doing/actions/count", {"count": "many"}, 422),
        ("/api/extensions/doing/actions/count", {"cuont": 1}, 422),
        ("/doing/count", {"count": 10}, 422),
        ("/api/extensions/doing/actions/wrong?wait=true", {}, 500),
    ],
)
def test_routes_refuse_in_words(client: Client, path: str, body: dict[str, Any], status: int) -> None:
    assert client("POST", path, body).status_code == status


def test_the_list_and_the_switch(client: Client, engine: Engine) -> None:
    listed = {one["name"]: one for one in client("GET", "/api/extensions").json()}
    assert listed["good"]["options"]["properties"]["word"]["default"] == "toy"
    assert listed["doing"]["actions"][0]["routes"] == ["POST /doing/count", "GET /doing/count"]
    assert client("POST", "/api/extensions/good/enabled", {"enabled": False}).status_code == 200
    assert client("POST", "/api/extensions/nobody/enabled", {"enabled": False}).status_code == 422
    names = client("GET", "/sdapi/v1/scripts").json()
    assert names["txt2img"][:5] == ["refiner", "sampler", "seed", "good", "prompt matrix"]
    assert names["img2img"][:5] == ["refiner", "sampler", "seed", "good", "soft inpainting"]
    infos = client("GET", "/sdapi/v1/script-info").json()
    shown = [[one["label"] for one in info["args"]] for info in infos if info["name"] == "good"]
    assert shown == [["Strength", "Word"]] * 2  # of txt2img and of img2img
    assert [one["enabled"] for one in client("GET", "/sdapi/v1/extensions").json()] == [True, True]
