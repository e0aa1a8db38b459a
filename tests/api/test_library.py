"""The routes of the Library, for one user, for two, for callers from afar, and for a job that is made once more."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.api.fakes import FakeLibrary, call, encode
from tests.doors import DoorEngine
from tests.gallery.pictures import infotext, save_picture, scanned
from tests.painting import PaintingBack
from webui.api.application import create
from webui.api.page.library_door import LibraryDoor
from webui.api.parts import Parts
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import stopped_notice
from webui.engine.indexing import indexing
from webui.executors.inline import InlineExecutor
from webui.gallery.gallery import Gallery

BASE = "/internal/page/library"


class House:
    """The application over a real gallery and an engine that paints; `user` is who has logged in."""

    def __init__(self, folder: Path, *, single_user: bool = True, local: bool = True) -> None:
        self.outputs = folder / "outputs"
        self.outputs.mkdir()
        self.gallery = Gallery(folder / "data", self.outputs)
        self.back = PaintingBack(size=(8, 8))
        self.engine = DoorEngine(
            FakeLibrary,
            lambda on_event: InlineExecutor(self.back, on_event),
            outputs=self.outputs,
            on_picture=indexing(self.gallery),
        )
        self.revealed: list[Path] = []
        self.door = LibraryDoor(
            self.gallery, self.engine, single_user=single_user, local=local, reveal=self.revealed.append
        )
        self.app = create(Parts(engine=self.engine, encode=encode, library=self.door), with_api=False)
        self.user: str | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app({**scope, "webui.user": self.user} if self.user else scope, receive, send)

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        if body is not None:
            options["json"] = body
        return call(self, method, BASE + path, **options)

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/pictures", params=query).json()["rows"]
        return found

    def generate(self, owner: str = "", **request: Any) -> str:
        """A job that is done; its id."""
        job = self.engine.submit(
            GenerationRequest(**{"prompt": "a castle", "seed": 5} | request), save=True, owner=owner
        )
        job.result(30)
        return job.id


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.engine.close()
    made.gallery.close()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, single_user=False, local=False)
    yield made
    made.engine.close()
    made.gallery.close()


def test_a_picture_is_in_the_library_as_soon_as_it_is_made(house: House) -> None:
    job = house.generate(n_iter=2)
    rows = house.rows(q="castle")
    assert [(row["job"], row["index"], row["kind"], row["program"]) for row in rows] == [
        (job, 1, "txt2img", "webui"), (job, 0, "txt2img", "webui"),
    ]  # fmt: skip
    one = house.ask("GET", f"/of-job/{job}/0").json()
    assert one == rows[1]
    told = house.ask("GET", f"/pictures/{one['number']}").json()
    assert {"key": "Seed", "value": "5", "fields": ["seed"]} in told["told"]["parameters"]
    assert told["picture"]["text"] == told["told"]["text"] != ""


def test_files_and_thumbnails_may_be_kept_for_ever(house: House) -> None:
    house.generate()
    (row,) = house.rows()
    file, thumb = (call(house, "GET", "/" + row[name]) for name in ("url", "thumb"))
    assert file.content == next(house.outputs.rglob("*.png")).read_bytes()
    assert (file.headers["content-type"], thumb.headers["content-type"]) == ("image/png", "image/webp")
    assert "immutable" in file.headers["cache-control"]
    assert "immutable" in thumb.headers["cache-control"]
    Image.open(io.BytesIO(thumb.content)).verify()


def test_lists_are_turned_page_by_page(house: House) -> None:
    for number in range(5):
        save_picture(house.outputs / f"{number}.png", infotext("many", seed=number))
    scanned(house.gallery)
    first = house.ask("GET", "/pictures", params={"limit": 3}).json()
    second = house.ask("GET", "/pictures", params={"limit": 3, "after": first["after"]}).json()
    assert (first["total"], len(first["rows"]), len(second["rows"]), second["after"]) == (5, 3, 2, "")
    assert house.ask("GET", "/anchors").json() == []
    assert house.ask("GET", "/facets").json()["checkpoint"] == [{"value": "dreamshaper_8", "count": 5}]
    half_typed = house.ask("GET", "/pictures", params={"q": "rating:many"}).json()
    assert (half_typed["rows"], half_typed["total"]) == ([], 0)
    assert "rating:many is no number" in half_typed["fault"]
    assert house.ask("GET", "/pictures", params={"sort": "sideways"}).status_code == 422


def test_stars_tags_and_notes_are_kept_and_carried(house: House) -> None:
    house.generate(n_iter=3)
    ids = [row["number"] for row in house.rows()]
    assert house.ask("POST", "/rating", {"ids": ids[:2], "rating": 4}).json() == {"changed": 2}
    assert house.ask("POST", "/tags", {"ids": ids, "add": ["Print"]}).json() == {"changed": 3}
    assert house.ask("PUT", f"/pictures/{ids[0]}/notes", {"notes": "for the wall"}).status_code == 200
    assert len(house.rows(q="rating:4 tag:print")) == 2
    assert len(house.rows(q="wall")) == 1
    marks = house.ask("GET", "/marks").json()
    assert len(marks["pictures"]) == 3
    assert house.ask("POST", "/marks", marks).json() == {"changed": 3, "missing": 0}
    assert house.ask("POST", "/rating", {"ids": ids, "rating": 9}).status_code == 422


def test_deleting_can_be_undone_until_the_trash_is_emptied(house: House) -> None:
    house.generate(n_iter=2)
    ids = [row["number"] for row in house.rows()]
    assert house.ask("POST", "/trash", {"ids": ids}).json() == {"done": ids, "refused": []}
    assert house.rows() == []
    assert len(house.rows(shelf="trash")) == 2
    assert house.ask("POST", "/restore", {"ids": ids[:1]}).json()["done"] == ids[:1]
    assert house.ask("POST", "/purge", {"all": True}).json()["done"] == ids[1:]
    assert house.rows(shelf="trash") == []
    assert [row["number"] for row in house.rows()] == ids[:1]
    refused = house.ask("POST", "/purge", {"ids": ids[:1]}).json()["refused"]
    assert "not in the trash" in refused[0]["reason"]


def test_chosen_pictures_come_as_one_zip_file(house: House) -> None:
    house.generate(n_iter=2)
    ids = ",".join(str(row["number"]) for row in house.rows())
    answer = house.ask("GET", "/zip", params={"ids": ids})
    assert answer.headers["content-type"] == "application/zip"
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert len(names) == 2
    for wrong in ("", "x", "1;2", ",".join(map(str, range(2001)))):
        assert house.ask("GET", "/zip", params={"ids": wrong}).status_code == 422


def test_a_picture_of_img2img_knows_what_it_was_made_from(house: House) -> None:
    job = house.generate()
    with Image.open(next(house.outputs.rglob("*.png"))) as image:
        source = Picture.of(image)
    child = house.generate(task=Img2Img(image=source), prompt="a river")
    numbers = {row["job"]: row["number"] for row in house.rows()}
    for number in numbers.values():
        nodes = house.ask("GET", f"/pictures/{number}/lineage").json()["nodes"]
        assert [(node["picture"]["number"], node["made_from"]) for node in nodes] == [
            (numbers[job], None), (numbers[child], numbers[job]),
        ]  # fmt: skip


def test_a_picture_is_made_again_from_its_very_request(house: House) -> None:
    first = house.generate(seed=77, n_iter=2, steps=3)
    row = next(row for row in house.rows() if row["index"] == 1)
    answer = house.ask("POST", f"/pictures/{row['number']}/again").json()
    job = house.engine.job(answer["job"])
    assert job is not None
    assert job.id != first
    assert (job.work.prompt, job.work.steps, job.work.images) == ("a castle", 3, 1)
    assert str(job.work.seed) == row["seed"]


def test_of_a_picture_that_was_stopped_it_is_said_where(house: House) -> None:
    house.back.notices = (stopped_notice(0, 3, 20),)
    house.generate()
    (row,) = house.rows()
    answer = house.ask("POST", f"/pictures/{row['number']}/again").json()
    assert answer["notices"][0] == "The first was stopped at step 3 of 20; this one was made to its end."


def test_a_picture_of_img2img_is_made_again_with_the_picture_that_it_began_with(house: House) -> None:
    source = Picture.of(Image.new("RGB", (8, 8), (1, 2, 3)))
    house.generate(task=Img2Img(image=source, denoising_strength=0.3))
    (row,) = house.rows()
    assert row["kind"] == "img2img"
    answer = house.ask("POST", f"/pictures/{row['number']}/again").json()
    job = house.engine.job(answer["job"])
    assert job is not None
    assert isinstance(job.work.task, Img2Img)
    assert (job.work.task.image, job.work.task.denoising_strength) == (source, 0.3)


@pytest.mark.parametrize(
    ("place", "text", "why"),
    [
        ("img2img-images/a.png", infotext("x", more=", Denoising strength: 0.5"), "another picture"),
        ("txt2img-grids/a.png", infotext("x"), "sheet"),
        ("a.png", "", "no generation parameters"),
    ],
)
def test_what_cannot_be_made_again_is_refused_with_the_reason(house: House, place: str, text: str, why: str) -> None:
    save_picture(house.outputs / place, text)
    scanned(house.gallery)
    (row,) = house.rows()
    answer = house.ask("POST", f"/pictures/{row['number']}/again")
    assert answer.status_code == 409
    assert why in answer.json()["detail"]


def test_a_file_that_is_dropped_tells_all_its_texts(house: House, tmp_path: Path) -> None:
    path = save_picture(tmp_path / "x.png", infotext("a castle", negative="blurry", seed=7))
    read = house.ask("POST", "/read", content=path.read_bytes()).json()
    told = {one["key"]: one["value"] for one in read["told"]["parameters"]}
    assert (told["Prompt"], told["Negative prompt"], told["Seed"]) == ("a castle", "blurry", "7")
    assert "none of PNG" in house.ask("POST", "/read", content=b"no picture").json()["fault"]
    assert house.rows() == []


def test_each_user_sees_and_changes_only_their_own(shared: House) -> None:
    shared.generate("ann")
    shared.generate("bob")
    save_picture(shared.outputs / "old.png", infotext("nobody's"))
    scanned(shared.gallery)
    shared.user = "ann"
    (own,) = shared.rows()
    shared.user = "bob"
    (other,) = shared.rows()
    assert own["number"] != other["number"]
    number = own["number"]
    for method, path, body in (
        ("GET", f"/pictures/{number}", None),
        ("GET", f"/pictures/{number}/lineage", None),
        ("POST", f"/pictures/{number}/again", {}),
        ("PUT", f"/pictures/{number}/notes", {"notes": "x"}),
    ):
        assert shared.ask(method, path, body).status_code == 422, path
    assert shared.ask("GET", f"/of-job/{own['job']}/0").json() is None
    for name in ("url", "thumb"):
        assert call(shared, "GET", "/" + own[name]).status_code == 422
    assert shared.ask("POST", "/trash", {"ids": [number]}).json()["done"] == []
    assert shared.ask("POST", "/rating", {"ids": [number], "rating": 1}).json() == {"changed": 0}
    assert shared.ask("GET", "/facets").json()["checkpoint"] == [{"value": "mini", "count": 1}]
    archive = shared.ask("GET", "/zip", params={"ids": str(number)}).content
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == []
    assert shared.ask("GET", "/marks").json()["pictures"] == []
    shared.user = None
    assert len(shared.rows()) == 3


def test_a_lone_user_with_a_password_sees_everything(house: House) -> None:
    house.generate("somebody else")
    house.user = "ann"
    assert len(house.rows()) == 1


def test_folders_are_for_callers_at_this_machine(house: House, shared_folder: Path) -> None:
    save_picture(shared_folder / "a.png", infotext("from elsewhere"))
    assert house.ask("GET", "/abilities").json() == {"folders": True, "reveal": True, "trash_days": 30}
    added = house.ask("POST", "/folders", {"path": str(shared_folder)}).json()
    assert house.gallery.scanner.wait(30)
    assert [row["name"] for row in house.rows()] == ["a.png"]
    assert house.ask("GET", "/scan").json()["running"] is False
    number = house.rows()[0]["number"]
    house.ask("POST", f"/pictures/{number}/reveal")
    assert house.revealed == [shared_folder / "a.png"]
    assert {one["path"] for one in house.ask("GET", "/folders").json()} == {str(house.outputs), str(shared_folder)}
    assert house.ask("DELETE", f"/folders/{added['id']}").status_code == 200
    assert house.rows() == []
    assert house.ask("POST", "/folders", {"path": "nowhere"}).status_code == 422


def test_a_caller_from_afar_learns_no_path_and_opens_nothing(shared: House, shared_folder: Path) -> None:
    shared.generate()
    number = shared.rows()[0]["number"]
    assert shared.ask("GET", "/abilities").json()["folders"] is False
    for method, path, body in (
        ("POST", "/folders", {"path": str(shared_folder)}),
        ("DELETE", "/folders/1", None),
        ("POST", f"/pictures/{number}/reveal", {}),
        ("PUT", "/trash/days", {"days": 1}),
    ):
        answer = shared.ask(method, path, body)
        assert answer.status_code >= 400
        assert "from this machine only" in answer.json()["detail"]
    assert shared.revealed == []
    told = json.dumps([shared.ask("GET", path).json() for path in ("/folders", "/pictures", f"/pictures/{number}")])
    assert str(shared.outputs.parent) not in told


@pytest.fixture
def shared_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder.resolve()
