"""Batches of pictures: found, paired, made one after another under their own names, begun over the API."""

import base64
import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.api.fakes import FakeLibrary, call, encode
from tests.doors import HoldingExecutor
from tests.painting import PaintingBack
from webui.api.application import create
from webui.api.parts import Parts
from webui.commands import cli
from webui.domain.batch import BatchOptions
from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.saving import Saving
from webui.domain.upscale import Upscale
from webui.engine.batch_door import BatchDoor, templated
from webui.engine.batching import BatchJob, SentFiles
from webui.engine.engine import Engine
from webui.engine.folder_access import AT_THE_MACHINE, Caller, FolderAccess
from webui.executors.inline import InlineExecutor
from webui.experiments.picture_batch import BatchFile, files_in, paired, request_of
from webui.installing.permission import NotAllowedError, Permission
from webui.jobs.store import JobStore
from webui.output.store import ImageStore

PATIENCE = 30.0  # seconds
FROM_ELSEWHERE = Caller("203.0.113.9", {"host": "pictures.example"})
TEMPLATE = templated({"prompt": "a fox", "seed": 4, "width": 64, "height": 64})
TEXT = "in snow\nNegative prompt: rain\nSteps: 9, Sampler: Euler, CFG scale: 3, Seed: 77, Size: 64x64"


def drawn(path: Path, size: tuple[int, int] = (40, 24), text: str = "", mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    info = PngInfo()
    if text:
        info.add_text("parameters", text)
    Image.new(mode, size, 255 if mode == "L" else (9, 9, 9)).save(path, pnginfo=info)
    return path


@dataclass
class House:
    """The program's engine over a back that paints, and a folder of pictures."""

    folder: Path
    hold: bool = False

    def __post_init__(self) -> None:
        self.pictures = self.folder / "holidays"
        for number in (1, 2, 10):
            drawn(self.pictures / f"p{number}.png")
        self.store = ImageStore(self.folder / "outputs")
        self.engine = Engine(
            HoldingExecutor if self.hold else partial(InlineExecutor, PaintingBack(size=(8, 8))),
            FakeLibrary(self.folder / "cache"),
            JobStore(self.folder / "jobs.sqlite3"),
            self.store,
            data_dir=self.folder,
        )
        access = FolderAccess(lambda: [self.pictures], Permission())
        self.door = BatchDoor(self.engine, access, Saving)
        self.app = create(Parts(engine=self.engine, encode=encode, batches=self.door))

    def begin(self, template: GenerationRequest = TEMPLATE, **options: Any) -> BatchJob:
        order = BatchOptions.model_validate({"folder": str(self.pictures), **options})
        return self.door.start(template, order, SentFiles(), AT_THE_MACHINE)

    def results(self, kind: str = "img2img-images", folder: str = "holidays") -> list[str]:
        return sorted(path.name for path in (self.folder / "outputs" / kind / folder).glob("*.*"))

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return call(self.app, "POST", path, json=body)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.engine.close()


def sources(*names: str) -> list[BatchFile]:
    return [BatchFile(name, b"") for name in names]


def test_pictures_of_a_folder_come_as_people_count_and_links_are_told_of(tmp_path: Path) -> None:
    for name in ("p10.png", "p2.PNG", "p1.jpg", "notes.txt"):
        drawn(tmp_path / name) if name != "notes.txt" else (tmp_path / name).write_text("")
    (tmp_path / "secret.png").symlink_to("/etc/passwd")
    files, links = files_in(tmp_path)
    assert [one.name for one in files] == ["p1.jpg", "p2.PNG", "p10.png"]
    assert links == ("secret.png",)


def test_one_mask_is_for_all_and_of_several_each_picture_has_its_own() -> None:
    pictures = sources("a.png", "b.jpg")
    for_all, without = paired(pictures, sources("any.png"), None)
    assert [one.mask.name for one in for_all if one.mask] == ["any.png", "any.png"]
    own, without = paired(pictures, sources("a.png", "z.png"), None)
    assert [one.source.name for one in own] == ["a.png"]
    assert without == ("b.jpg",)


def test_pictures_that_differ_by_their_ending_alone_get_two_names() -> None:
    found, _ = paired(sources("a.png", "a.jpg", "b.png"), (), None)
    assert [one.name for one in found] == ["a_png", "a_jpg", "b"]


def test_parameters_of_another_folder_are_taken_and_prompts_put_behind(tmp_path: Path) -> None:
    source = BatchFile("a.png", drawn(tmp_path / "a.png"))
    info = BatchFile("a.png", drawn(tmp_path / "infos" / "a.png", text=TEXT))
    (picture,), _ = paired([source], (), [info])
    options = BatchOptions(take=("prompt", "negative_prompt", "seed", "steps"))
    request, told = request_of(picture, TEMPLATE, options)
    assert (request.prompt, request.negative_prompt) == ("a fox in snow", "rain")
    assert (request.seed, request.steps, request.cfg_scale) == (77, 9, TEMPLATE.cfg_scale)
    assert not told
    (bare,), _ = paired([source], (), None)
    assert request_of(bare, TEMPLATE, options)[1] == ("a.png has no generation parameters",)


def test_a_picture_keeps_its_size_in_whole_cells_where_that_is_wanted(tmp_path: Path) -> None:
    (picture,), _ = paired([BatchFile("a.png", drawn(tmp_path / "a.png", (45, 30)))], (), None)
    request, _ = request_of(picture, TEMPLATE, BatchOptions(own_size=True))
    assert (request.width % 8, request.height % 8) == (0, 0)
    assert abs(request.width - 45) < 8
    assert abs(request.height - 30) < 8


def test_each_picture_becomes_a_job_and_its_result_keeps_its_name(house: House) -> None:
    result = house.begin().result(PATIENCE)
    assert house.results() == ["p1.png", "p10.png", "p2.png"]
    assert (result.made, result.skipped, result.failed) == (3, 0, ())
    assert [(job.kind, job.seed) for _, job in _requests(house)] == [("img2img", 4)] * 3


def _requests(house: House) -> list[tuple[str, Any]]:
    rows = house.engine.history()
    jobs = {row.job_id: house.engine.request_of(row.job_id) for row in rows}
    return [(name, _Kind(one.task.kind, one.seed)) for name, one in jobs.items() if one is not None]


@dataclass(frozen=True)
class _Kind:
    kind: str
    seed: int


def test_what_is_there_already_is_left_out_and_said(house: House) -> None:
    house.begin().result(PATIENCE)
    drawn(house.pictures / "p3.png")
    again = house.begin(skip_existing=True).result(PATIENCE)
    assert (again.made, again.skipped) == (1, 3)
    assert any("3 were left out" in notice.text for notice in again.notices)
    twice = house.begin(output="elsewhere").result(PATIENCE)
    assert twice.made == 4
    assert len(house.results(folder="elsewhere")) == 4


def test_names_with_tokens_and_slashes_stay_names(house: House) -> None:
    drawn(house.pictures / "[seed].png")
    house.begin(output="../[date]").result(PATIENCE)
    assert "[seed].png" in house.results(folder="_.._[date]")


def test_a_broken_picture_is_named_and_the_others_are_made(house: House) -> None:
    (house.pictures / "p2.png").write_bytes(b"no picture")
    result = house.begin().result(PATIENCE)
    assert result.made == 2
    assert [name for name, _ in result.failed] == ["p2.png"]


def test_masks_of_a_folder_are_used(house: House) -> None:
    for number in (1, 2, 10):
        drawn(house.folder / "masks" / f"p{number}.png", mode="L")
    house.begin(mask_folder=str(house.folder / "masks")).result(PATIENCE)
    tasks = [house.engine.request_of(row.job_id) for row in house.engine.history()]
    assert all(one is not None and isinstance(one.task, Img2Img) and one.task.inpainting for one in tasks)


def test_pictures_are_enlarged_by_folder(house: House) -> None:
    template = templated({"task": {"kind": "upscale", "scale": 2, "upscaler": "Nearest"}})
    result = house.begin(template).result(PATIENCE)
    assert result.made == 3
    assert house.results("extras-images") == ["p1.png", "p10.png", "p2.png"]
    assert isinstance(template.task, Upscale)


def test_a_stop_ends_the_picture_in_work_and_begins_no_other(tmp_path: Path) -> None:
    house = House(tmp_path, hold=True)
    try:
        job = house.begin()
        assert job.wait_for(lambda now: bool(now.progress.job_id), PATIENCE)
        assert [one.id for one in house.engine.overview.beside()] == [job.id]
        job.cancel()
        result = job.result(PATIENCE)
        assert (result.interrupted, result.made) == (True, 0)
        assert house.engine.overview.beside() == ()
        assert not house.engine.queued()
    finally:
        house.engine.close()


def test_only_folders_of_the_library_are_read_for_others(house: House, tmp_path: Path) -> None:
    access = house.door.folders
    assert access.folder(str(house.pictures), "folder", FROM_ELSEWHERE) == house.pictures
    drawn(house.pictures / "inner" / "a.png")
    assert access.folder(str(house.pictures / "inner"), "folder", FROM_ELSEWHERE)
    (house.pictures / "way_out").symlink_to(tmp_path)
    for text in (str(tmp_path), f"{house.pictures}/../", f"{house.pictures}/way_out", "/etc", "/nowhere"):
        with pytest.raises(NotAllowedError):
            access.folder(text, "folder", FROM_ELSEWHERE)
    here = Caller("127.0.0.1", {"host": "127.0.0.1:7860"})
    assert access.folder(str(tmp_path), "folder", here) == tmp_path
    with pytest.raises(BadRequestError, match="absolute"):
        access.folder("pictures", "folder", here)


def test_a_batch_is_begun_watched_and_listed_over_the_api(house: House) -> None:
    body = {"folder": str(house.pictures), "request": {"prompt": "a fox", "steps": 2, "width": 64, "height": 64}}
    answer = house.post("/api/batches", body)
    assert answer.status_code == 201, answer.text
    job = house.engine.batch_of(answer.json()["id"])
    assert job is not None
    job.result(PATIENCE)
    told = call(house.app, "GET", f"/api/batches/{job.id}").json()
    assert (told["state"], told["made"], told["count"], told["fraction"]) == ("done", 3, 3, 1.0)
    assert call(house.app, "GET", "/api/batches").json() == []
    assert house.post("/api/batches/none/cancel", {}).status_code == 404


def test_pictures_are_sent_along_over_the_api(house: House) -> None:
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "PNG")
    data = base64.b64encode(out.getvalue()).decode()
    request = {"task": {"kind": "upscale", "upscaler": "Nearest"}}
    sent = {"request": request, "pictures": [{"name": "mine.png", "data": data}], "output": "sent"}
    answer = house.post("/api/batches", sent)
    assert answer.status_code == 201, answer.text
    job = house.engine.batch_of(answer.json()["id"])
    assert job is not None
    assert job.result(PATIENCE).made == 1
    assert house.results("extras-images", "sent") == ["mine.png"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"request": {}}, "folder"),
        ({"request": {"steps": 0}, "folder": "/"}, "steps"),
        ({"request": {}, "folder": "pictures"}, "folder"),
        ({"request": {}, "pictures": [{"name": "a.png", "data": "https://a.example/a.png"}]}, "data"),
        ({"request": {}, "pictures": [{"name": "a.png", "data": "aGFsbG8="}]}, "image"),
        ({"request": {}, "take": ["hat"]}, "take"),
    ],
)
def test_what_is_wrong_with_a_batch_is_named(house: House, body: Mapping[str, Any], place: str) -> None:
    answer = house.post("/api/batches", body)
    assert answer.status_code == 422
    assert place in str(answer.json()["detail"][0]["loc"])
    assert not house.engine.batches()


@pytest.fixture
def typed(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The house, whose engine the command line uses."""

    @contextlib.contextmanager
    def engine_of(settings: object) -> Iterator[Engine]:
        yield house.engine

    monkeypatch.setattr("webui.server.app.engine_of", engine_of)
    monkeypatch.setattr(cli, "at_trained_size", lambda library, request: request)
    monkeypatch.chdir(house.folder)
    return house


def test_a_folder_is_made_anew_by_a_typed_command(typed: House, capsys: pytest.CaptureFixture[str]) -> None:
    drawn(typed.folder / "mask.png", mode="L")
    arguments = ["generate", "a fox", "--steps", "2", "--checkpoint", "tiny-sd1", "--init", str(typed.pictures)]
    arguments += ["--mask", "mask.png", "--mask-blur", "1", "-o", "made", "--skip-existing", "--data-dir", "data"]
    assert cli.main(arguments) == cli.OK
    written = capsys.readouterr().out.split()
    assert written == [f"made/{name}.png" for name in ("p1", "p2", "p10")]
    assert all(Path(path).is_file() for path in written)
    made = typed.engine.request_of(typed.engine.overview.ended(1)[0].id)
    assert made is not None
    assert isinstance(made.task, Img2Img)
    assert made.task.inpainting is not None
    assert (made.task.inpainting.mask_blur_x, made.width, made.height) == (1, 40, 24)
    assert cli.main(arguments) == cli.OK
    assert capsys.readouterr().out == ""


def test_a_folder_is_enlarged_by_a_typed_command(typed: House, capsys: pytest.CaptureFixture[str]) -> None:
    (typed.pictures / "p2.png").write_bytes(b"no picture")
    arguments = ["upscale", "holidays", "--upscaler", "Nearest", "--data-dir", "data"]
    assert cli.main(arguments) == cli.FAILED
    told = capsys.readouterr()
    assert [Path(path).name for path in told.out.split()] == ["p1.png", "p10.png"]
    assert "p2.png" in told.err
    assert typed.results("extras-images") == ["p1.png", "p10.png"]
    assert cli.main(["upscale", "holidays", "-o", "one.png", "--data-dir", "data"]) == cli.FAILED
    assert "should be a folder" in capsys.readouterr().err
