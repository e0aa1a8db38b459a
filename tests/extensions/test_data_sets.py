"""Data sets of the trainer: captions, pictures by their names in the listing, faults, the trash, the example."""

import base64
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from extensions.trainer.data_set_actions import data_set_actions
from extensions.trainer.data_set_captions import replaced, tags_of, with_tags, without_tags
from extensions.trainer.data_set_example import drawn
from extensions.trainer.data_set_faults import Look, alike
from tests.narrowing import untyped
from webui.domain.errors import BadRequestError
from webui.domain.images import Picture
from webui.extension_api import ActionContext
from webui.plugins.options import read_options

TAGS = st.lists(st.text("abc ", min_size=1, max_size=6).map(str.strip).filter(bool), max_size=5)
ACTIONS = {one.name: one for one in data_set_actions()}


def ask(folder: Path, action: str, **options: Any) -> Any:
    """The data of an action over a data folder."""
    models = untyped(SimpleNamespace(names=lambda kind: ("sub/mini.safetensors", "other.safetensors")))
    context = ActionContext(
        models, lambda *_: None, lambda: False, torch.device("cpu"), torch.float32, data_dir=folder
    )  # fmt: skip
    one = ACTIONS[action]
    return one.run(read_options(one.options, options, "options"), context).data


def put(folder: Path, name: str, size: tuple[int, int], caption: str = "", colour: str = "red") -> Path:
    path = folder / "data_sets" / "cats" / "10_cat" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    if caption:
        path.with_suffix(".txt").write_text(caption)
    return path


def base64_of(picture: Image.Image) -> str:
    return Picture.of(picture).to_base64()


def contents(folder: Path) -> set[str]:
    """Digests of all files, wherever they lie."""
    return {hashlib.sha256(one.read_bytes()).hexdigest() for one in folder.rglob("*") if one.is_file()}


# ---- captions


@given(TAGS, TAGS, st.booleans())
def test_added_tags_are_there_once_and_can_be_taken_out(had: list[str], added: list[str], first: bool) -> None:
    before = ", ".join(dict.fromkeys(had))
    after = with_tags(before, added, first=first)
    assert set(tags_of(after)) == {*had, *added}
    assert with_tags(after, added, first=first) == after
    new = [tag for tag in added if tag not in had]
    assert tags_of(without_tags(after, new)) == tags_of(before)


def test_what_is_taken_out_or_replaced_needs_to_be_there() -> None:
    assert without_tags("a cat,  sitting", ["dog"]) == "a cat,  sitting"
    assert without_tags("a cat, Sitting", ["sitting"]) == "a cat"
    assert replaced("a cat and a category", "Cat", "dog", whole_words=True) == "a dog and a category"
    assert replaced("a.b acb", "a.b", r"\1") == r"\1 acb"
    assert replaced("a cat", "", "x") == "a cat"


# ---- listing


def test_a_data_set_is_listed_with_sizes_buckets_and_what_they_keep(tmp_path: Path) -> None:
    put(tmp_path, "wide.png", (300, 150), "a wide cat")
    put(tmp_path, "square.png", (128, 128))
    (tmp_path / "data_sets" / "cats" / "10_cat" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    assert ask(tmp_path, "data_set_list")["data_sets"] == [{"name": "cats", "pictures": 3}]
    listed = ask(tmp_path, "data_set", data_set="cats", resolution=128, min_bucket=64)
    rows = {row["id"]: row for row in listed["items"]}
    wide, square, torn = rows["10_cat/wide.png"], rows["10_cat/square.png"], rows["10_cat/torn.png"]
    assert (wide["width"], wide["height"], wide["caption"], wide["repeats"]) == (300, 150, "a wide cat", 10)
    assert (square["bucket"], square["crop"], square["caption"]) == ([128, 128], [0, 0, 1, 1], "")
    left, top, across, down = wide["crop"]
    assert left == pytest.approx((1 - across) / 2, abs=0.01)
    assert top == pytest.approx((1 - down) / 2, abs=0.01)
    assert 300 * across / (150 * down) == pytest.approx(wide["bucket"][0] / wide["bucket"][1], rel=0.02)
    assert torn["broken"]
    assert sum(count for _, _, count in listed["buckets"]) == 20


def test_thumbnails_are_small_and_only_of_what_is_listed(tmp_path: Path) -> None:
    put(tmp_path, "large.png", (900, 400))
    made = ask(tmp_path, "data_set_thumbs", data_set="cats", ids=["10_cat/large.png"])
    assert Image.open(io.BytesIO(base64.b64decode(made["10_cat/large.png"]))).size == (224, 100)


HOSTILE = ["../secret.png", "10_cat/../../../secret.png", "/etc/passwd", "10_cat\\large.png", ""]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_picture_that_is_not_listed_is_refused(tmp_path: Path, name: str) -> None:
    put(tmp_path, "large.png", (90, 40), "a cat")
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    before = contents(tmp_path)
    for action, options in (
        ("data_set_thumbs", {"ids": [name]}), ("data_set_picture", {"id": name}),
        ("data_set_write", {"captions": {name: "x"}}), ("data_set_trash", {"ids": [name]}),
        ("data_set_change", {"ids": [name], "add": "x"}),
    ):  # fmt: skip
        with pytest.raises(BadRequestError, match="has no picture"):
            ask(tmp_path, action, data_set="cats", **options)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["..", "../cats", "a/b", "a\\b", ".hidden", "", "con", "x" * 61, "a\0b", "nul.txt", "a."]
)
def test_a_data_set_gets_no_name_that_leads_elsewhere(tmp_path: Path, name: str) -> None:
    put(tmp_path, "one.png", (8, 8))
    with pytest.raises(BadRequestError):
        ask(tmp_path, "data_set_add", data_set=name, picture=base64_of(Image.new("RGB", (8, 8))))
    assert [one.name for one in tmp_path.iterdir()] == ["data_sets"]
    assert [one.name for one in (tmp_path / "data_sets").iterdir()] == ["cats"]
    with pytest.raises(BadRequestError):
        ask(tmp_path, "data_set", data_set=name)


# ---- changes


def test_captions_are_changed_for_those_that_are_chosen(tmp_path: Path) -> None:
    paths = [put(tmp_path, f"{at}.png", (8, 8), f"a cat, number {at}") for at in range(3)]
    changed = ask(
        tmp_path, "data_set_change", data_set="cats", ids=["10_cat/1.png"], find="cat", replace="dog", add="red"
    )
    assert changed == {
        "changed": {"10_cat/1.png": "a dog, number 1, red"}, "before": {"10_cat/1.png": "a cat, number 1"},
    }  # fmt: skip
    assert [one.with_suffix(".txt").read_text().strip() for one in paths] == [
        "a cat, number 0", "a dog, number 1, red", "a cat, number 2",
    ]  # fmt: skip
    ask(tmp_path, "data_set_write", data_set="cats", captions={"10_cat/0.png": "你好", "10_cat/2.png": ""})
    rows = ask(tmp_path, "data_set", data_set="cats")["items"]
    assert [row["caption"] for row in rows] == ["你好", "a dog, number 1, red", ""]
    assert len(ask(tmp_path, "data_set_change", data_set="cats", add="new")["changed"]) == 3


def test_what_was_before_a_change_brings_the_files_back(tmp_path: Path) -> None:
    put(tmp_path, "told.png", (8, 8), "a cat\n")
    put(tmp_path, "empty.png", (8, 8)).with_suffix(".txt").write_text("")
    put(tmp_path, "silent.png", (8, 8))
    before = contents(tmp_path)
    told = ask(tmp_path, "data_set_change", data_set="cats", add="new")
    assert told["before"] == {"10_cat/told.png": "a cat", "10_cat/empty.png": "", "10_cat/silent.png": None}
    assert told["changed"]["10_cat/silent.png"] == "cat, new"
    assert contents(tmp_path) != before
    ask(tmp_path, "data_set_write", data_set="cats", captions=told["before"])
    assert contents(tmp_path) == before


def test_added_pictures_are_pictures_with_names_and_captions_of_their_own(tmp_path: Path) -> None:
    square = base64_of(Image.new("RGB", (30, 20), "blue"))
    for caption in ("first", "second"):
        ask(tmp_path, "data_set_add", data_set="birds", picture=square, name="../a bird?.jpg", caption=caption)
    rows = ask(tmp_path, "data_set", data_set="birds")["items"]
    assert [(row["id"], row["caption"], row["width"]) for row in rows] == [
        ("10_birds/a-bird-2.png", "second", 30), ("10_birds/a-bird.png", "first", 30),
    ]  # fmt: skip
    with pytest.raises(BadRequestError):
        ask(tmp_path, "data_set_add", data_set="birds", picture=base64.b64encode(b"no picture").decode())
    assert len(ask(tmp_path, "data_set", data_set="birds")["items"]) == 2


def test_the_trash_keeps_everything(tmp_path: Path) -> None:
    for at in range(3):
        put(tmp_path, f"{at}.png", (8, 8 + at), f"caption {at}")
    before = contents(tmp_path)
    for _ in range(2):  # the same name may come to the trash twice
        said = ask(tmp_path, "data_set_trash", data_set="cats", ids=["10_cat/1.png"])
        assert (said["moved"], said["folder"]) == (1, "data_sets/cats/.trash")
        put(tmp_path, "1.png", (8, 9), "caption 1")
    assert contents(tmp_path) >= before
    trash = tmp_path / "data_sets" / "cats" / ".trash"
    assert sorted(one.name for one in trash.iterdir()) == ["1-2.png", "1-2.txt", "1.png", "1.txt"]
    assert len(ask(tmp_path, "data_set", data_set="cats")["items"]) == 3


# ---- faults


def pictures_of_the_example() -> Sequence[Image.Image]:
    return [image for image, _ in drawn()]


def test_the_example_is_24_different_pictures_that_are_the_same_each_time() -> None:
    made = [*drawn()]
    assert len(made) == len({caption for _, caption in made}) == 24
    assert all("heart" in caption for _, caption in made)
    assert [image.tobytes() for image, _ in made] == [image.tobytes() for image, _ in drawn()]
    assert alike({str(at): Look.of(image) for at, (image, _) in enumerate(made)}) == []


def test_a_picture_that_was_scaled_and_saved_again_is_found_and_a_mirrored_one_is_not(tmp_path: Path) -> None:
    image = Image.effect_mandelbrot((200, 160), (-2.2, -1.2, 1, 1.3), 40).convert("RGB")
    again = io.BytesIO()
    image.resize((120, 96)).save(again, "JPEG", quality=70)
    looks = {"a": image, "b": Image.open(again).convert("RGB"), "c": image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)}
    assert alike({name: Look.of(one) for name, one in looks.items()}) == [["a", "b"]]


def test_faults_are_named(tmp_path: Path) -> None:
    made = ask(tmp_path, "data_set_example")
    assert (made["data_set"], made["suggested"]["base"]) == ("example hearts", "sub/mini.safetensors")
    folder = tmp_path / "data_sets" / "example hearts" / "10_example hearts"
    whole = (folder / "05.png").read_bytes()
    (folder / "05-again.png").write_bytes(whole)
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    found = ask(tmp_path, "data_set_faults", data_set="example hearts")
    assert [one["id"].rpartition("/")[2] for one in found["broken"]] == ["half.png"]
    assert [[name.rpartition("/")[2] for name in group] for group in found["alike"]] == [["05-again.png", "05.png"]]
    assert {name.rpartition("/")[2] for name in found["silent"]} == {"05-again.png", "half.png"}
