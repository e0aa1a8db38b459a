"""What people do with pictures: marks and their export, the trash and the way back, zip files, lineage, thumbnails."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.gallery.pictures import infotext, save_picture, scanned
from webui.domain.errors import BadRequestError, WebuiError
from webui.gallery.desktop import command_for, has_desktop
from webui.gallery.gallery import Gallery
from webui.gallery.marks import MarksFile
from webui.gallery.picture_facts import Origin, pixels_of
from webui.gallery.roots import path_within
from webui.gallery.searching import Query
from webui.gallery.thumbnails import SIDE, Thumbnails
from webui.gallery.zipping import free_name, zipped


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    for name in ("a", "b", "c"):
        save_picture(folder / f"deep/{name}.png", infotext(name, seed=ord(name)), colour=(ord(name), 0, 0))
    return folder


@pytest.fixture
def clock() -> list[float]:
    return [1_000_000.0]


@pytest.fixture
def gallery(tmp_path: Path, outputs: Path, clock: list[float]) -> Iterator[Gallery]:
    made = Gallery(tmp_path / "data", outputs, clock=lambda: clock[0])
    yield scanned(made)
    made.close()


def id_of(gallery: Gallery, name: str, shelf: str = "here") -> int:
    rows = gallery.search.page(Query(f"name:{name}", shelf=shelf)).rows  # type: ignore[arg-type]
    return rows[0].id


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and time."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_trash_and_restore_leave_every_byte_where_it_was(gallery: Gallery, outputs: Path) -> None:
    (outputs / "deep/a.txt").write_text("beside a")
    before, rows = tree(outputs), gallery.search.page(Query()).rows
    gallery.marks.rate([id_of(gallery, "a")], 3)
    ids = [id_of(gallery, name) for name in "ab"]
    assert gallery.trash.put(ids).done == tuple(ids)
    assert not (outputs / "deep/a.png").exists()
    assert not (outputs / "deep/a.txt").exists()
    assert [row.name for row in gallery.search.page(Query()).rows] == ["c.png"]
    assert {row.name for row in gallery.search.page(Query(shelf="trash")).rows} == {"a.png", "b.png"}
    scanned(gallery)
    assert gallery.search.page(Query()).total == 1
    assert gallery.trash.restore(ids).done == tuple(ids)
    assert tree(outputs) == before
    assert {row.id for row in gallery.search.page(Query()).rows} == {row.id for row in rows}
    assert gallery.search.page(Query(sort="rating")).rows[0].rating == 3


def test_a_folder_that_was_removed_meanwhile_is_made_again(gallery: Gallery, outputs: Path) -> None:
    ids = [id_of(gallery, name) for name in "abc"]
    gallery.trash.put(ids)
    (outputs / "deep").rmdir()
    assert gallery.trash.restore(ids).done == tuple(ids)
    assert (outputs / "deep/c.png").is_file()


def test_nothing_is_restored_over_another_file(gallery: Gallery, outputs: Path) -> None:
    picture = id_of(gallery, "a")
    gallery.trash.put([picture])
    other = save_picture(outputs / "deep/a.png", infotext("another")).read_bytes()
    scanned(gallery)
    outcome = gallery.trash.restore([picture])
    assert outcome.done == ()
    assert "another file" in outcome.refused[0][1]
    assert (outputs / "deep/a.png").read_bytes() == other
    assert gallery.trash.contents() == (picture,)


def test_only_what_is_in_the_trash_is_deleted_for_good(gallery: Gallery, outputs: Path) -> None:
    picture = id_of(gallery, "a")
    outcome = gallery.trash.purge([picture])
    assert outcome.done == ()
    assert (outputs / "deep/a.png").is_file()
    gallery.trash.put([picture])
    assert gallery.trash.purge([picture]).done == (picture,)
    assert not any((outputs / ".trash").iterdir())
    assert gallery.trash.contents() == ()
    with pytest.raises(BadRequestError):
        gallery.search.details(picture)


def test_the_trash_empties_itself_after_the_days_that_were_chosen(gallery: Gallery, clock: list[float]) -> None:
    gallery.trash.put([id_of(gallery, "a")])
    clock[0] += 10 * 86400
    gallery.trash.put([id_of(gallery, "b")])
    gallery.trash.keep_for(15)
    assert gallery.trash.purge_old().done == ()
    clock[0] += 6 * 86400
    assert len(gallery.trash.purge_old().done) == 1
    gallery.trash.keep_for(0)
    clock[0] += 1000 * 86400
    assert gallery.trash.purge_old().done == ()
    assert len(gallery.trash.contents()) == 1


def test_another_user_can_neither_delete_nor_mark(gallery: Gallery) -> None:
    ids = [id_of(gallery, name) for name in "abc"]
    assert gallery.trash.put(ids, "bob").done == ()
    assert gallery.marks.rate(ids, 5, "bob") == 0
    assert gallery.marks.tag(ids, ["x"], owner="bob") == 0
    gallery.marks.note(ids[0], "x", "bob")
    assert [row.rating for row in gallery.search.page(Query()).rows] == [0, 0, 0]
    assert gallery.search.page(Query("notes:x")).total == 0


def test_a_start_finds_out_what_a_kill_left_between_moving_and_noting(
    gallery: Gallery, tmp_path: Path, outputs: Path
) -> None:
    first, second = id_of(gallery, "a"), id_of(gallery, "b")
    (outputs / f".trash/{first}").mkdir(parents=True)
    (outputs / "deep/a.png").rename(outputs / f".trash/{first}/a.png")
    gallery.trash.put([second])
    (outputs / f".trash/{second}/b.png").rename(outputs / "deep/b.png")
    gallery.close()
    again = Gallery(tmp_path / "data", outputs)
    assert again.trash.contents() == (first,)
    assert {row.name for row in scanned(again).search.page(Query()).rows} == {"b.png", "c.png"}
    assert again.trash.restore([first]).done == (first,)
    again.close()


def test_a_trash_folder_that_is_a_link_is_not_followed(gallery: Gallery, outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (outputs / ".trash").symlink_to(tmp_path / "elsewhere")
    outcome = gallery.trash.put([id_of(gallery, "a")])
    assert "link" in outcome.refused[0][1]
    assert (outputs / "deep/a.png").is_file()
    assert not any((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("place", ["../x.png", "/etc/passwd", "a/../../x", "", "link/x.png", "out.png"])
def test_no_place_leads_out_of_its_folder(tmp_path: Path, place: str) -> None:
    root = (tmp_path / "root").resolve()
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    (root / "out.png").symlink_to(tmp_path / "x.png")
    with pytest.raises(WebuiError):
        path_within(root, place)


def test_marks_can_be_carried_to_another_library(gallery: Gallery, tmp_path: Path, outputs: Path) -> None:
    gallery.marks.rate([id_of(gallery, "a")], 4)
    gallery.marks.tag([id_of(gallery, "b")], ["Finished", "finished", " "])
    gallery.marks.note(id_of(gallery, "c"), "print")
    text = gallery.marks.exported().model_dump_json()
    assert [one["name"] for one in json.loads(text)["pictures"]] == ["a.png", "b.png", "c.png"]
    (outputs / "deep/a.png").rename(outputs / "renamed.png")
    other = scanned(Gallery(tmp_path / "other", outputs))
    assert other.marks.take_over(MarksFile.model_validate_json(text)) == (3, 0)
    told = other.marks.exported()
    assert {one.digest: (one.rating, one.tags, one.notes) for one in told.pictures} == {
        one.digest: (one.rating, one.tags, one.notes) for one in gallery.marks.exported().pictures
    }
    other.close()


def test_marks_out_of_range_are_refused(gallery: Gallery) -> None:
    picture = id_of(gallery, "a")
    for act in (
        lambda: gallery.marks.rate([picture], 6),
        lambda: gallery.marks.tag([picture], ["x" * 81]),
        lambda: gallery.marks.note(picture, "x" * 20_001),
        lambda: gallery.marks.rate(list(range(20_001)), 1),
    ):
        with pytest.raises(BadRequestError):
            act()


def test_a_zip_file_holds_the_pictures_as_they_are_under_safe_names(outputs: Path) -> None:
    other = save_picture(outputs / "other/a.png", "x")
    odd = save_picture(outputs / "other/con<>:x.png", "y")
    files = [outputs / "deep/a.png", other, odd, outputs / "gone.png"]
    archive = zipfile.ZipFile(io.BytesIO(b"".join(zipped(files))))
    assert archive.testzip() is None
    assert archive.namelist() == ["a.png", "a (2).png", "con___x.png", "left-out.txt"]
    assert archive.read("a.png") == files[0].read_bytes()
    assert archive.read("a (2).png") == other.read_bytes()
    assert b"gone.png" in archive.read("left-out.txt")


def test_names_in_a_zip_file_lead_nowhere() -> None:
    used: set[str] = set()
    assert free_name("../../etc/x.png", used) == "_.._etc_x.png"
    assert free_name("...", used) == "picture"
    assert free_name("A.png", used) == "A.png"
    assert free_name("a.png", used) == "a (2).png"


def test_what_was_made_from_what_is_told_as_a_tree(gallery: Gallery, outputs: Path) -> None:
    """Also where the first picture was found by a scan: its pixels are known as soon as it was shown."""
    first = id_of(gallery, "a")
    gallery.thumbnail(first)
    with Image.open(outputs / "deep/a.png") as image:
        source = pixels_of(image)
    ids = []
    for number, colour in enumerate(((1, 2, 3), (4, 5, 6))):
        path = save_picture(outputs / f"img2img-images/{number}.png", infotext("child"), colour=colour)
        with Image.open(path) as image:
            made = pixels_of(image)
        gallery.note_saved(path, Origin("", f"job{number}", 0, "img2img", made, source))
        row = gallery.search.of_job(f"job{number}", 0)
        assert row is not None
        ids.append(row.id)
        source = made
    expected = [(first, None), (ids[0], first), (ids[1], ids[0])]
    for picture in (first, *ids):
        assert [(one.id, one.made_from) for one in gallery.lineage(picture).relations] == expected
    gallery.trash.put([ids[0]])
    assert [one.id for one in gallery.lineage(ids[1]).relations] == [ids[1]]


def test_a_picture_that_was_made_from_its_own_equal_is_no_endless_tree(gallery: Gallery, outputs: Path) -> None:
    for name, pixels, source in (("x", "p1", "p2"), ("y", "p2", "p1"), ("z", "p3", "p3")):
        path = save_picture(outputs / f"img2img-images/{name}.png", infotext(name))
        gallery.note_saved(path, Origin("", name, 0, "img2img", pixels, source))
    told = gallery.lineage(id_of(gallery, "x"))
    assert len(told.relations) == 2
    assert len(gallery.lineage(id_of(gallery, "z")).relations) == 1


def test_thumbnails_are_made_once_and_their_folder_has_a_bound(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "small", max_bytes=1000)
    picture = save_picture(tmp_path / "big.png", size=800)
    assert thumbnails.get("aa11") is None
    data, pixels = thumbnails.make("aa11", picture)
    with Image.open(io.BytesIO(data)) as small:
        assert (small.format, max(small.size)) == ("WEBP", SIDE)
    with Image.open(picture) as image:
        assert pixels == pixels_of(image)
    kept = thumbnails.get("aa11")
    assert kept is not None
    assert kept.read_bytes() == data
    for number in range(40):
        thumbnails.make(f"bb{number}", picture)
    assert thumbnails.trim() > 0
    assert sum(path.stat().st_size for path in (tmp_path / "small").rglob("*.webp")) <= 1000


def test_a_file_that_is_gone_is_noticed_when_it_is_asked_for(gallery: Gallery, outputs: Path) -> None:
    picture = id_of(gallery, "a")
    (outputs / "deep/a.png").unlink()
    with pytest.raises(BadRequestError, match="gone"):
        gallery.path_of(picture)
    assert gallery.search.page(Query()).total == 2


def test_the_file_manager_is_given_a_path_and_no_shell() -> None:
    path = Path("/x/$(touch y); z.png")
    assert command_for(path, "linux") == ("xdg-open", "/x")
    assert command_for(path, "darwin") == ("open", "-R", str(path))
    assert command_for(path, "win32")[0] == "explorer"
    assert not has_desktop({}, "linux")
    assert has_desktop({"DISPLAY": ":0"}, "linux")
