"""The index follows the folders: a scan may be repeated, broken off, and finds what was moved, changed or deleted."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gallery.pictures import infotext, save_picture, scanned
from webui.domain.errors import BadRequestError
from webui.gallery.gallery import Gallery
from webui.gallery.picture_facts import Origin
from webui.gallery.searching import Query


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    folder = tmp_path / "outputs"
    folder.mkdir()
    return folder


@pytest.fixture
def gallery(tmp_path: Path, outputs: Path) -> Iterator[Gallery]:
    made = Gallery(tmp_path / "data", outputs)
    yield made
    made.close()


def names(gallery: Gallery, text: str = "", **more: Any) -> list[str]:
    return sorted(row.name for row in gallery.search.page(Query(text, **more)).rows)


def content(gallery: Gallery) -> list[tuple[object, ...]]:
    """All that the index says of the pictures that are there, but their numbers."""
    with gallery.index.reading() as connection:
        rows = connection.execute(
            "SELECT f.path, p.place, p.bytes, p.modified, p.digest, p.width, p.seed, p.steps, r.checkpoint, r.kind,"
            " r.program, t.prompt, t.negative, t.infotext, t.fault, p.state,"
            " (SELECT group_concat(name) FROM loras WHERE picture = p.id),"
            " (SELECT prompt || '|' || negative || '|' || name FROM words WHERE rowid = p.id)"
            " FROM pictures AS p JOIN folders AS f ON f.id = p.folder JOIN traits AS r ON r.id = p.trait"
            " JOIN texts AS t ON t.picture = p.id WHERE p.state IN (0, 3) ORDER BY f.path, p.place"
        ).fetchall()
    return [tuple(row) for row in rows]


def test_a_scan_finds_pictures_and_what_they_tell(gallery: Gallery, outputs: Path) -> None:
    text = infotext("a castle <lora:ink:0.8>", negative="blurry", seed=7)
    save_picture(outputs / "txt2img-images/2026-11-28/00000-7.png", text, size=16)
    save_picture(outputs / "txt2img-grids/grid-0000.png", text)
    save_picture(outputs / "extras-images/00000.png", text)
    save_picture(outputs / "img2img-images/a.png", infotext("a river", more=", Denoising strength: 0.5"))
    save_picture(outputs / "img2img-images/b.png", infotext("a river", more=", Denoising strength: 0.5, Mask blur: 4"))
    scanned(gallery)
    found = {row.name: row for row in gallery.search.page(Query()).rows}
    assert {name: row.kind for name, row in found.items()} == {
        "00000-7.png": "txt2img", "grid-0000.png": "grid", "00000.png": "upscale", "a.png": "img2img",
        "b.png": "inpaint",
    }  # fmt: skip
    told = gallery.search.details(found["00000-7.png"].id)
    assert (told.row.width, told.row.seed, told.row.checkpoint, told.row.program) == (16, "7", "dreamshaper_8", "A1111")
    assert told.infotext == text
    assert told.loras == ("ink",)


def test_a_second_scan_changes_nothing_and_reads_nothing(gallery: Gallery, outputs: Path) -> None:
    for number in range(5):
        save_picture(outputs / f"{number}.png", infotext("x", seed=number))
    before = content(scanned(gallery))
    assert len(before) == 5
    changes = gallery.index.changes
    assert content(scanned(gallery)) == before
    assert gallery.scanner.state.seen == 5
    assert gallery.scanner.state.to_read == 0
    assert gallery.index.changes == changes


def test_what_is_no_picture_is_passed_over(gallery: Gallery, outputs: Path, tmp_path: Path) -> None:
    save_picture(outputs / "good.png")
    save_picture(outputs / ".hidden.png")
    save_picture(outputs / ".hidden/inside.png")
    (outputs / "notes.txt").write_text("no picture")
    (outputs / "script.py").write_text("raise SystemExit")
    save_picture(tmp_path / "elsewhere/secret.png")
    (outputs / "link.png").symlink_to(tmp_path / "elsewhere/secret.png")
    (outputs / "linked").symlink_to(tmp_path / "elsewhere")
    (outputs / "folder.png").mkdir()
    assert names(scanned(gallery)) == ["good.png"]
    assert gallery.scanner.state.faults == ()


def test_damaged_files_are_listed_with_the_reason(gallery: Gallery, outputs: Path) -> None:
    (outputs / "empty.png").write_bytes(b"")
    (outputs / "text.png").write_text("<svg onload='alert(1)'>")
    huge = bytearray(save_picture(outputs / "huge.png").read_bytes())
    huge[16:24] = (200_000).to_bytes(4, "big") * 2
    (outputs / "huge.png").write_bytes(huge)
    scanned(gallery)
    assert names(gallery) == []
    faults = {row.name: row.fault for row in gallery.search.page(Query(shelf="damaged")).rows}
    assert faults.keys() == {"empty.png", "text.png", "huge.png"}
    assert all(faults.values())
    assert "megapixels" in faults["huge.png"] or "broken" in faults["huge.png"]


def test_a_picture_that_is_cut_off_is_noticed_when_it_is_to_be_shown(gallery: Gallery, outputs: Path) -> None:
    path = save_picture(outputs / "cut.png", infotext("x"), size=200)
    noise = random.Random(0).randbytes(200 * 200 * 3)
    from PIL import Image

    Image.frombytes("RGB", (200, 200), noise).save(path)
    path.write_bytes(path.read_bytes()[:40_000])
    scanned(gallery)
    rows = gallery.search.page(Query()).rows + gallery.search.page(Query(shelf="damaged")).rows
    with pytest.raises(BadRequestError):
        gallery.thumbnail(rows[0].id)
    assert names(gallery) == []
    assert names(gallery, shelf="damaged") == ["cut.png"]


def test_marks_stay_with_a_picture_that_is_moved_between_folders(
    gallery: Gallery, outputs: Path, tmp_path: Path
) -> None:
    path = save_picture(outputs / "a.png", infotext("x"))
    (tmp_path / "more").mkdir()
    gallery.roots.add(str(tmp_path / "more"))
    scanned(gallery)
    (row,) = gallery.search.page(Query()).rows
    gallery.marks.rate([row.id], 4)
    gallery.marks.tag([row.id], ["Finished", "best  of"])
    gallery.marks.note(row.id, "for the wall")
    shutil.move(path, tmp_path / "more/renamed.png")
    scanned(gallery)
    (moved,) = gallery.search.page(Query()).rows
    told = gallery.search.details(moved.id)
    assert (moved.id, moved.name, moved.rating) == (row.id, "renamed.png", 4)
    assert (told.tags, told.notes) == (("best of", "finished"), "for the wall")
    assert names(gallery, "wall") == ["renamed.png"]


def test_a_picture_with_stars_that_vanishes_comes_back_with_them(
    gallery: Gallery, outputs: Path, tmp_path: Path
) -> None:
    path = save_picture(outputs / "a.png", infotext("x"))
    save_picture(outputs / "b.png", infotext("y"))
    scanned(gallery)
    gallery.marks.rate([row.id for row in gallery.search.page(Query("name:a")).rows], 5)
    shutil.move(path, tmp_path / "a.png")
    (outputs / "b.png").unlink()
    assert names(scanned(gallery)) == []
    shutil.move(tmp_path / "a.png", outputs / "deep.png")
    scanned(gallery)
    assert [(row.name, row.rating) for row in gallery.search.page(Query()).rows] == [("deep.png", 5)]


def test_two_pictures_that_change_places_keep_their_own_stars(gallery: Gallery, outputs: Path) -> None:
    first, second = (save_picture(outputs / f"{name}.png", infotext(name)) for name in ("first", "second"))
    os.utime(second, ns=(10**18, 10**18))
    scanned(gallery)
    for stars, name in ((2, "first"), (5, "second")):
        gallery.marks.rate([row.id for row in gallery.search.page(Query(f"prompt:{name}")).rows], stars)
    first.rename(outputs / "aside")
    second.rename(first)
    (outputs / "aside").rename(second)
    scanned(gallery)
    found = {row.prompt: (row.name, row.rating) for row in gallery.search.page(Query()).rows}
    assert found == {"first": ("second.png", 2), "second": ("first.png", 5)}


def test_a_copy_is_another_picture(gallery: Gallery, outputs: Path) -> None:
    shutil.copy2(save_picture(outputs / "a.png", infotext("x")), outputs / "b.png")
    scanned(gallery)
    first = gallery.search.page(Query("name:a")).rows[0]
    gallery.marks.rate([first.id], 5)
    assert [row.rating for row in scanned(gallery).search.page(Query(sort="rating")).rows] == [5, 0]


def test_a_folder_that_is_not_there_now_keeps_its_pictures(gallery: Gallery, tmp_path: Path) -> None:
    save_picture(tmp_path / "stick/a.png")
    gallery.roots.add(str(tmp_path / "stick"))
    scanned(gallery)
    (tmp_path / "stick").rename(tmp_path / "unplugged")
    assert names(scanned(gallery)) == ["a.png"]
    assert "not there now" in gallery.scanner.state.faults[0]


def test_a_scan_that_is_stopped_goes_on_later(gallery: Gallery, outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        save_picture(outputs / f"{number}.png")
    real = gallery.index.write
    monkeypatch.setattr("webui.gallery.scanning.BATCH", 2)

    def once(change: Any) -> Any:
        gallery.scanner.stop()
        return real(change)

    monkeypatch.setattr(gallery.index, "write", once)
    scanned(gallery)
    assert gallery.scanner.state.stopped
    assert len(names(gallery)) == 2
    monkeypatch.setattr(gallery.index, "write", real)
    scanned(gallery)
    assert gallery.scanner.state.to_read == 4
    assert len(names(gallery)) == 6


def test_the_index_equals_a_fresh_one_whatever_was_done_to_the_files(tmp_path: Path, outputs: Path) -> None:
    chance = random.Random(12)
    gallery = Gallery(tmp_path / "data", outputs)
    for turn in range(12):
        files = [path for path in outputs.rglob("*") if path.is_file()]
        for _ in range(6):
            act = chance.choice(("add", "add", "remove", "move", "over", "copy", "edit", "break"))
            target = outputs / chance.choice("abc") / f"{chance.randrange(12)}.png"
            target.parent.mkdir(exist_ok=True)
            if act == "add" or not files:
                save_picture(target, infotext(f"word{chance.randrange(5)}", seed=chance.randrange(99)))
                continue
            path = chance.choice(files)
            if not path.exists():
                continue
            if act == "remove":
                path.unlink()
            elif act == "move" and not target.exists():
                path.rename(target)
            elif act == "over":
                path.replace(target)
            elif act == "copy":
                if path != target:
                    shutil.copyfile(path, target)
            elif act == "edit":
                save_picture(path, infotext(f"edited {turn}"))
            elif act == "break":
                path.write_bytes(b"no picture" * (turn + 1))
        scanned(gallery)
    kept = content(gallery)
    gallery.close()
    fresh = Gallery(tmp_path / "other", outputs)
    assert content(scanned(fresh)) == kept
    fresh.close()


def test_a_picture_that_is_saved_is_there_at_once(gallery: Gallery, outputs: Path) -> None:
    path = save_picture(outputs / "txt2img-images/1.png", infotext("a castle"))
    gallery.note_saved(path, Origin("ann", "job1", 2, "txt2img", "aa", "bb"))
    row = gallery.search.of_job("job1", 2)
    assert row is not None
    assert (row.prompt, row.program) == ("a castle", "webui")
    assert gallery.search.of_job("job1", 2, "bob") is None
    assert content(gallery) == content(scanned(gallery))
    assert gallery.search.details(row.id).owner == "ann"


def test_older_pictures_get_their_owners_from_the_jobs(tmp_path: Path, outputs: Path) -> None:
    path = save_picture(outputs / "1.png", infotext("x"))
    gallery = Gallery(tmp_path / "data", outputs, origins=lambda: {str(path): Origin("ann", "job9", 1)})
    scanned(gallery)
    assert names(gallery, owner="ann") == ["1.png"]
    assert names(gallery, owner="bob") == []
    gallery.close()


def test_a_text_file_beside_a_picture_tells_what_is_not_in_it(gallery: Gallery, outputs: Path) -> None:
    save_picture(outputs / "1.png").with_suffix(".txt").write_text(infotext("from the text file", seed=3))
    scanned(gallery)
    (row,) = gallery.search.page(Query("seed:3")).rows
    assert row.prompt == "from the text file"


@pytest.mark.parametrize("path", ["", "relative", "/", "/no/such/folder\0", "~nobody/x"])
def test_a_folder_that_cannot_be_one_is_refused(gallery: Gallery, path: str) -> None:
    with pytest.raises(BadRequestError):
        gallery.roots.add(path)


def test_folders_inside_one_another_are_refused(gallery: Gallery, outputs: Path, tmp_path: Path) -> None:
    (outputs / "inner").mkdir()
    for path in (outputs / "inner", tmp_path, outputs):
        with pytest.raises(BadRequestError, match="known already"):
            gallery.roots.add(str(path))


def test_taking_a_folder_out_touches_no_file(gallery: Gallery, tmp_path: Path) -> None:
    path = save_picture(tmp_path / "more/a.png", infotext("x"))
    root = gallery.roots.add(str(tmp_path / "more"))
    assert names(scanned(gallery)) == ["a.png"]
    gallery.roots.remove(root.id)
    assert names(gallery) == []
    assert names(gallery, "x") == []
    assert path.is_file()
