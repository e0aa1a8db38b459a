"""Saving: no picture is lost, replaced, half written, or written elsewhere."""

import errno
import hashlib
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.narrowing import channels
from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.domain.saving import Saving
from webui.domain.settings import Settings
from webui.output import store as store_module
from webui.output.metadata import read_request, read_text, safe_open
from webui.output.store import ImageStore

TIME = datetime(2024, 3, 9, 15, 4, 5, tzinfo=UTC)
REQUEST = GenerationRequest(prompt="a cat", seed=5)
TEXT = "a cat\nSteps: 20, Sampler: DPM++ 2M, CFG scale: 7.0, Seed: 5, Size: 512x512"


def test_a_name_is_claimed_just_before_a_file_gets_it(tmp_path: Path) -> None:
    place = ImageStore(tmp_path, Saving(folder_pattern=""))
    claims: list[tuple[Path, str, bool]] = []

    def claim(path: Path, digest: str) -> None:
        claims.append((path, digest, path.exists()))

    paths = [place.save(image(), folder="txt2img-images", claim=claim) for _ in range(2)]
    assert [path for path, _, _ in claims] == paths
    assert [there for _, _, there in claims] == [False, False]
    assert [digest for _, digest, _ in claims] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_whether_there_is_room_is_tried_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ImageStore(tmp_path / "outputs")
    place.check_room()
    assert list((tmp_path / "outputs").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(WebuiError, match="cannot be saved"):
        ImageStore(tmp_path / "file").check_room()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("webui.output.store._write_new", full)
    with pytest.raises(WebuiError, match="no space left"):
        place.check_room()


def image(seed: int = 5, text: str = TEXT, color: int = 0) -> GeneratedImage:
    return GeneratedImage(Image.new("RGB", (16, 16), (color, 0, 0)), REQUEST.with_(seed=seed), text, 0, 0)


def store(folder: Path, image_format: Any = "png", **options: Any) -> ImageStore:
    return ImageStore(folder, Saving(image_format=image_format, **options), clock=lambda: TIME)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("image_format", ["png", "jpg", "webp"])
def test_saved_images_carry_their_request(tmp_path: Path, image_format: str) -> None:
    path = store(tmp_path, image_format).save(image(), folder="txt2img-images")
    assert path == tmp_path / "txt2img-images" / "2024-03-09" / f"00000-5.{image_format}"
    saved = safe_open(path)
    assert read_text(saved) == TEXT
    assert read_request(saved) == REQUEST


def test_numbers_go_on_in_a_folder(tmp_path: Path) -> None:
    store(tmp_path).save(image(), folder="txt2img-images")
    path = tmp_path / "txt2img-images" / "2024-03-09"
    (path / "00041-by-hand.txt").touch()
    assert store(tmp_path).save(image(), folder="txt2img-images").name == "00042-5.png"
    assert store(tmp_path).save(image(), folder="img2img-images").name == "00000-5.png"


def test_nothing_is_embedded_where_it_is_switched_off(tmp_path: Path) -> None:
    path = store(tmp_path, embed_parameters=False, folder_pattern="").save(image(), folder="txt2img-images")
    assert path.parent == tmp_path / "txt2img-images"
    assert read_request(safe_open(path)) is None


def test_text_beside_the_image(tmp_path: Path) -> None:
    saved = store(tmp_path, sidecar_text=True).save(image(text="猫"), folder="txt2img-images")
    assert saved.with_suffix(".txt").read_text("utf-8") == "猫\n"


def test_parameters_too_long_for_jpeg_go_into_a_text_beside_it(tmp_path: Path) -> None:
    saved = store(tmp_path, "jpg").save(image(text="猫" * 31_000), folder="txt2img-images")
    assert saved.with_suffix(".txt").read_text("utf-8") == "猫" * 31_000 + "\n"


def test_names_without_number_never_replace(tmp_path: Path) -> None:
    images = store(tmp_path, filename_pattern="[seed]", sidecar_text=True)
    first = images.save(image(color=1), folder="txt2img-images")
    (first.parent / "5-1.txt").write_text("mine")
    second = images.save(image(color=2), folder="txt2img-images")
    assert [first.name, second.name] == ["5.png", "5-2.png"]
    assert safe_open(first).getpixel((0, 0)) == (1, 0, 0)
    assert (first.parent / "5-1.txt").read_text() == "mine"
    assert files(first.parent) == ["5-1.txt", "5-2.png", "5-2.txt", "5.png", "5.txt"]


@pytest.mark.parametrize("links", [True, False])
def test_many_threads_and_stores_lose_nothing(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse_links)
    stores = [store(tmp_path, filename_pattern="[number]", sidecar_text=True) for _ in range(2)]
    paths: list[Path] = []

    def work(which: int) -> None:
        paths.extend(stores[which % 2].save(image(color=which), folder="txt2img-images") for _ in range(6))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 36
    colors = [channels(safe_open(path), 0, 0) for path in paths]
    assert sorted(colors) == sorted([(number, 0, 0) for number in range(6)] * 6)
    assert len(files(tmp_path)) == 72


def refuse_links(*_: object) -> None:
    raise OSError(errno.ENOTSUP, "no links here")


@pytest.mark.parametrize(
    ("links", "fails_at"),  # picture, text; without links both once more under their names
    [(True, 1), (True, 2), (False, 1), (False, 2), (False, 3), (False, 4)],
)
def test_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool, fails_at: int
) -> None:
    calls = 0

    def full(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(errno.ENOSPC, "No space left on device")

    images = store(tmp_path, sidecar_text=True)
    before = images.save(image(color=1), folder="txt2img-images")
    whole = files(tmp_path)
    if not links:
        monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WebuiError, match="no space left"):
        images.save(image(), folder="txt2img-images")
    assert files(tmp_path) == whole
    assert safe_open(before).getpixel((0, 0)) == (1, 0, 0)
    monkeypatch.undo()
    images.save(image(), folder="txt2img-images")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "txt2img-images").write_text("a file where a folder should be")
    with pytest.raises(WebuiError, match="not saved in txt2img-images"):
        store(tmp_path).save(image(), folder="txt2img-images")


@pytest.mark.parametrize("folder", ["..", "", "/tmp", "txt2img-images/../..", "../models"])
def test_other_folders_are_refused(tmp_path: Path, folder: Any) -> None:
    with pytest.raises(WebuiError, match="no folder of images"):
        store(tmp_path / "outputs").save(image(), folder=folder)
    assert list(tmp_path.iterdir()) == []


def test_links_out_of_the_outputs_are_refused(tmp_path: Path) -> None:
    outputs, elsewhere = tmp_path / "outputs", tmp_path / "elsewhere"
    outputs.mkdir()
    elsewhere.mkdir()
    (outputs / "txt2img-images").symlink_to(elsewhere)
    with pytest.raises(WebuiError, match="leads out"):
        store(outputs).save(image(), folder="txt2img-images")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("pattern", ["../../[seed]", "/etc/[number]", "..", "[prompt]"])
def test_patterns_stay_in_their_folder(tmp_path: Path, pattern: str) -> None:
    bad = GeneratedImage(image().image, REQUEST.with_(prompt="../../../x\\..\\y"), TEXT, 0, 0)
    path = store(tmp_path, filename_pattern=pattern, folder_pattern=pattern).save(bad, folder="txt2img-images")
    assert path.parent.parent == tmp_path / "txt2img-images"


def test_outputs_may_themselves_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "outputs").symlink_to(tmp_path / "big-disk")
    assert store(tmp_path / "outputs").save(image(), folder="txt2img-images").is_file()


def test_a_store_follows_the_settings(tmp_path: Path) -> None:
    settings = Settings(outputs_dir=tmp_path, image_format="webp", filename_pattern="[seed]", folder_pattern="x")
    path = ImageStore.from_settings(settings).save(image(), folder="txt2img-images")
    assert path == tmp_path / "txt2img-images" / "x" / "5.webp"


def test_a_folder_full_of_the_same_name_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_ATTEMPTS", 2)
    images = store(tmp_path, filename_pattern="x")
    for _ in range(2):
        images.save(image(), folder="txt2img-images")
    with pytest.raises(WebuiError, match="no free name"):
        images.save(image(), folder="txt2img-images")
    assert len(files(tmp_path)) == 2
