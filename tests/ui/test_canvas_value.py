"""What the canvas gave, read: pixels arrive as they are, files of others are refused, errors say what to do."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from webui.domain.errors import BadRequestError
from webui.domain.images import Picture
from webui.domain.masks import Mask
from webui.ui.create.canvas import CanvasValue, read

NOISE = np.random.default_rng(3).integers(0, 256, (40, 56, 4), dtype=np.uint8)
STRIPES = Image.fromarray(NOISE[..., :3])


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


def put(folder: Path, name: str, image: Image.Image) -> dict[str, str]:
    image.save(folder / name)
    return {"path": str(folder / name)}


def nothing(_: str) -> Path:
    raise BadRequestError("picture", "there is none of that id")


def test_a_source_and_a_mask_arrive_to_the_pixel(uploads: Path) -> None:
    mask = Image.fromarray(np.where(NOISE[..., 0] > 128, 255, 0).astype(np.uint8))
    value = read({"picture": put(uploads, "a.png", STRIPES), "mask": put(uploads, "m.png", mask)}, nothing)
    start, masked = value.masked()
    assert start.tobytes() == STRIPES.tobytes()
    assert masked.open().mode == "L"
    assert masked.open().tobytes() == mask.tobytes()
    assert value.painted().tobytes() == STRIPES.tobytes()


def test_grey_parts_of_a_mask_stay_grey(uploads: Path) -> None:
    grey = Image.fromarray(NOISE[..., 1])
    value = read({"picture": put(uploads, "a.png", STRIPES), "mask": put(uploads, "m.png", grey)}, nothing)
    assert value.masked()[1].open().tobytes() == grey.tobytes()


def test_paint_is_the_start_of_img2img_and_a_mask_of_inpainting(uploads: Path) -> None:
    pixels = np.zeros_like(NOISE)
    pixels[10:20, 10:30] = (250, 10, 20, 255)
    sent = {"picture": put(uploads, "a.png", STRIPES), "paint": put(uploads, "p.png", Image.fromarray(pixels))}
    value = read(sent, nothing)
    painted = np.asarray(value.painted())
    expected = np.asarray(STRIPES).copy()
    expected[10:20, 10:30] = (250, 10, 20)
    assert np.array_equal(painted, expected)
    start, mask = value.masked()
    assert np.array_equal(np.asarray(start), expected)
    assert np.array_equal(np.asarray(mask.open()) == 255, pixels[..., 3] == 255)


def test_mask_and_paint_together_mask_what_either_does(uploads: Path) -> None:
    mask, pixels = np.zeros(NOISE.shape[:2], np.uint8), np.zeros_like(NOISE)
    mask[:10, :10], pixels[20:30, 20:30] = 255, (0, 0, 0, 255)
    value = CanvasValue(STRIPES, read_mask(uploads, mask), Image.fromarray(pixels))
    both = np.asarray(value.masked()[1].open())
    assert both[:10, :10].min() == 255
    assert both[20:30, 20:30].min() == 255
    assert both[15, 15] == 0


def read_mask(uploads: Path, mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Mask | None:
    sent = {"picture": put(uploads, "a.png", STRIPES), "mask": put(uploads, "m.png", Image.fromarray(mask))}
    return read(sent, nothing).mask


def test_a_turned_photo_is_upright_before_anything_is_laid_on_it(uploads: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to see it
    STRIPES.save(uploads / "turned.png", exif=exif)
    sent = {"picture": {"path": str(uploads / "turned.png")}, "size": [40, 56]}
    assert read(sent, nothing).picture.tobytes() == STRIPES.transpose(Image.Transpose.ROTATE_270).tobytes()


def test_a_layer_of_another_size_is_refused(uploads: Path) -> None:
    sent = {"picture": put(uploads, "a.png", STRIPES), "mask": put(uploads, "m.png", Image.new("L", (40, 40), 255))}
    with pytest.raises(BadRequestError, match="mask: has 40 x 40 pixels"):
        read(sent, nothing)
    with pytest.raises(BadRequestError, match="picture: has 56 x 40 pixels"):
        read({"picture": put(uploads, "a.png", STRIPES), "size": [40, 56]}, nothing)


def test_a_picture_of_this_program_is_found_by_its_id(uploads: Path) -> None:
    made = uploads.parent / "made.png"
    STRIPES.save(made)
    value = read({"picture": {"id": "job/0"}}, {"job/0": made}.__getitem__)
    assert value.picture.tobytes() == STRIPES.tobytes()


@pytest.mark.parametrize("sent", [None, {}, [], "x", {"picture": None}, {"mask": {"path": "m.png"}}])
def test_without_a_picture_it_says_so(sent: object, uploads: Path) -> None:
    with pytest.raises(BadRequestError, match=r"Drop a picture first\."):
        read(sent, nothing)


def test_without_a_mask_inpainting_says_so(uploads: Path) -> None:
    black = put(uploads, "m.png", Image.new("L", STRIPES.size))
    for more in ({}, {"mask": black}):
        value = read({"picture": put(uploads, "a.png", STRIPES), **more}, nothing)
        with pytest.raises(BadRequestError, match="Nothing is masked yet: paint over what shall change"):
            value.masked()


@pytest.mark.parametrize("name", ["picture", "mask", "paint"])
def test_files_that_were_not_uploaded_are_refused(name: str, uploads: Path) -> None:
    secret = put(uploads.parent, "secret.png", STRIPES)
    link = uploads / "link.png"
    link.symlink_to(uploads.parent / "secret.png")
    for sent in (
        secret,
        secret["path"],
        {"path": str(link)},
        {"path": str(uploads / ".." / "secret.png")},
        {"id": 3},
        7,
    ):
        with pytest.raises(BadRequestError, match=f"{name}: (was not uploaded here|should be an uploaded file)"):
            read({"picture": put(uploads, "a.png", STRIPES), name: sent}, nothing)


def test_only_a_source_may_be_named_by_its_id(uploads: Path) -> None:
    with pytest.raises(BadRequestError, match="mask: was not uploaded here"):
        read({"picture": put(uploads, "a.png", STRIPES), "mask": {"id": "job/0"}}, nothing)


def test_a_file_that_is_gone_is_asked_for_again(uploads: Path) -> None:
    with pytest.raises(BadRequestError, match="picture: is no longer on the server"):
        read({"picture": {"path": str(uploads / "gone.png")}}, nothing)


def test_a_frame_names_the_sides_that_grow(uploads: Path) -> None:
    sent = {"picture": put(uploads, "a.png", STRIPES), "frame": {"left": 0, "top": 8, "right": 128, "bottom": 0}}
    assert dict(read(sent, nothing).frame) == {"top": 8, "right": 128}
    for wrong in ("wide", {"left": "8"}, {"left": True}, {"left": 1.5}):
        with pytest.raises(BadRequestError, match="frame: should tell whole pixels"):
            read({**sent, "frame": wrong}, nothing)


def test_transparent_parts_are_white_below_paint(uploads: Path) -> None:
    clear = Image.fromarray(NOISE)
    pixels = np.zeros_like(NOISE)
    pixels[0, 0] = (1, 2, 3, 255)
    sent = {"picture": put(uploads, "a.png", clear), "paint": put(uploads, "p.png", Image.fromarray(pixels))}
    painted = np.asarray(read(sent, nothing).painted())
    expected = np.asarray(Picture.of(clear).open()).copy()
    expected[0, 0] = (1, 2, 3)
    assert np.array_equal(painted, expected)
