"""Detectors from files: networks by the names of their tensors, pickles that run nothing, ONNX files; and what is told
of files that are not there.
"""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor, nn

from extensions.detailer.detectors import find_detector
from extensions.detailer.options import DetailPass
from extensions.detailer.pass_files import check_pass
from extensions.detailer.yolo_rows import letterbox, regions_of
from webui.domain.errors import BadRequestError, UnusableFileError
from webui.library.library import ModelLibrary
from webui.plugins.models import LibraryModels
from webui.weights.convert import converted
from webui.weights.families.registry import FAMILIES

pytestmark = pytest.mark.usefixtures("pickles_here")
CPU = torch.device("cpu")


def yolo(maps: int = 0) -> dict[str, Tensor]:
    """A YOLOv8 of few channels whose head always finds class 1 around the cell whose features are largest."""
    torch.manual_seed(3)
    made: dict[str, Tensor] = {}
    widths = (4, 8, 12, 16, 16)

    def conv(at: str, out: int, into: int, side: int) -> None:
        made[f"{at}.conv.weight"] = torch.randn(out, into, side, side) / (into * side)
        made.update({f"{at}.bn.{name}": torch.ones(out) for name in ("weight", "running_var")})
        made.update({f"{at}.bn.{name}": torch.zeros(out) for name in ("bias", "running_mean")})

    def split(at: str, out: int, into: int, blocks: int) -> None:
        half = out // 2
        conv(f"{at}.cv1", 2 * half, into, 1)
        conv(f"{at}.cv2", out, (2 + blocks) * half, 1)
        for number in range(blocks):
            conv(f"{at}.m.{number}.cv1", half, half, 3)
            conv(f"{at}.m.{number}.cv2", half, half, 3)

    conv("model.0", widths[0], 3, 3)
    for number, layer in enumerate((1, 3, 5, 7)):
        conv(f"model.{layer}", widths[number + 1], widths[number], 3)
        split(f"model.{layer + 1}", widths[number + 1], widths[number + 1], 1)
    conv("model.9.cv1", widths[4] // 2, widths[4], 1)
    conv("model.9.cv2", widths[4], widths[4] * 2, 1)
    split("model.12", widths[3], widths[4] + widths[3], 1)
    split("model.15", widths[2], widths[3] + widths[2], 1)
    conv("model.16", widths[2], widths[2], 3)
    split("model.18", widths[3], widths[2] + widths[3], 1)
    conv("model.19", widths[3], widths[3], 3)
    split("model.21", widths[4], widths[3] + widths[4], 1)
    for level, into in enumerate(widths[2:]):
        for part, out in (("cv2", 64), ("cv3", 2), *([("cv4", maps)] if maps else [])):
            at = f"model.22.{part}.{level}"
            conv(f"{at}.0", 8, into, 3)
            conv(f"{at}.1", 8, 8, 3)
            made[f"{at}.2.weight"] = torch.zeros(out, 8, 1, 1)
            made[f"{at}.2.bias"] = torch.full((out,), -9.0)
    distances = torch.full((4, 16), -9.0)
    distances[:, 2] = 9.0  # two cells to each side
    made["model.22.cv2.1.2.bias"] = distances.reshape(-1)
    made["model.22.cv3.1.2.bias"] = torch.tensor([-9.0, 3.0])
    if maps:
        made["model.22.cv4.1.2.bias"] = torch.ones(maps)
        for part, out, into, side in (("cv1", 8, widths[2], 3), ("cv2", 8, 8, 3), ("cv3", maps, 8, 1)):
            conv(f"model.22.proto.{part}", out, into, side)
        made["model.22.proto.cv3.bn.bias"] = torch.full((maps,), 5.0)
        made["model.22.proto.upsample.weight"] = torch.randn(8, 8, 2, 2) / 8
        made["model.22.proto.upsample.bias"] = torch.zeros(8)
    return made


def models_with(folder: Path) -> LibraryModels:
    return LibraryModels(ModelLibrary(folder / "models", folder / "cache", FAMILIES))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "models" / "adetailer"
    place.mkdir(parents=True)
    return place


@pytest.mark.parametrize("maps", [0, 3])
def test_a_yolo_network_from_its_tensors(place: Path, tmp_path: Path, maps: int) -> None:
    save_file(yolo(maps), place / "two_yolov8.safetensors", {"names": json.dumps({"0": "face", "1": "hand"})})
    detector = find_detector("two_yolov8.safetensors", models_with(tmp_path), CPU)
    found = detector(Image.new("RGB", (320, 160), "grey"), 0.5)
    # 640 x 320 cells of stride 16, boxes of 4 x 4 of them: 32 pixels of the picture; doubles are left out
    assert {one.label for one in found} == {"hand"}
    assert all(one.score == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-5) for one in found)
    inner = [one for one in found if 40 < one.box[0] < 200 and 40 < one.box[1] < 100]
    assert inner
    assert all(one.box[2] - one.box[0] == pytest.approx(32, abs=0.1) for one in inner)
    shapes = [one.shape for one in inner]
    assert [shape is not None for shape in shapes] == [bool(maps)] * len(inner)
    if maps:
        left, top, right, bottom = (round(side) for side in inner[0].box)
        assert shapes[0] is not None
        assert shapes[0].getbbox() == (left, top, right, bottom)  # the maps say yes everywhere
    assert detector(Image.new("RGB", (320, 160)), 0.97) == []


class Foreign(nn.Module):
    """Stands for a class of another package, which is not installed where the file is read."""


def pickled(path: Path, tensors: dict[str, Tensor], kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole network in a pickle, as detectors are handed around, whose classes belong to a foreign package."""
    foreign = types.ModuleType("foreign_tasks")
    monkeypatch.setitem(sys.modules, "foreign_tasks", foreign)
    one = type(kind, (Foreign,), {"__module__": "foreign_tasks"})
    setattr(foreign, kind, one)
    network = one()
    network.names = {0: "face", 1: "hand"}
    network.task = "detect"
    for name, tensor in tensors.items():
        *parents, last = name.split(".")
        inner = network
        for parent in parents:
            if parent not in inner._modules:
                inner.add_module(parent, one())
            inner = inner._modules[parent]
        inner.register_buffer(last, tensor.half())
    torch.save({"model": network, "ema": None, "date": "today", "license": "x"}, path)
    monkeypatch.delitem(sys.modules, "foreign_tasks")


def test_a_pickled_network_is_read_without_running_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled(place / "two_yolov8.pt", yolo(), "DetectionModel", monkeypatch)
    detector = find_detector("two_yolov8.pt", models_with(tmp_path), CPU)
    assert {one.label for one in detector(Image.new("RGB", (320, 160)), 0.5)} == {"hand"}
    pickled(place / "other.pt", {"model.2.conv.weight": torch.ones(1, 1, 1, 1)}, "C3k2", monkeypatch)
    with pytest.raises(UnusableFileError, match=r"other\.pt: a YOLO11 network; only YOLOv8"):
        find_detector("other", models_with(tmp_path), CPU)
    pickled(place / "world.pt", {"model.2.conv.weight": torch.ones(1, 1, 1, 1)}, "WorldModel", monkeypatch)
    with pytest.raises(UnusableFileError, match="needs a text encoder"):
        find_detector("world", models_with(tmp_path), CPU)


class Mark:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self._path)!r}, 'w').close()",))


def test_code_in_a_pickled_network_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = types.ModuleType("foreign_tasks")
    monkeypatch.setitem(sys.modules, "foreign_tasks", foreign)
    foreign.Net = type("Net", (Foreign,), {"__module__": "foreign_tasks"})  # type: ignore[attr-defined]
    network = foreign.Net()
    network.register_buffer("weight", torch.ones(2))
    network.names = Mark(tmp_path / "ran")
    torch.save({"model": network}, tmp_path / "evil.pt")
    monkeypatch.delitem(sys.modules, "foreign_tasks")
    converted(tmp_path / "evil.pt", tmp_path / "cache")
    torch.save({"model": {"weight": torch.ones(2)}, "x": Mark(tmp_path / "ran")}, tmp_path / "worse.pt")
    with pytest.raises(UnusableFileError, match="cannot be converted"):
        converted(tmp_path / "worse.pt", tmp_path / "cache")
    assert not (tmp_path / "ran").exists()


def test_what_is_not_there_is_told_with_file_and_folder(place: Path, tmp_path: Path) -> None:
    models = models_with(tmp_path)
    for name, text in {
        "hand_yolov8s.pt": "hand_yolov8n.pt into models/adetailer",
        "mediapipe_face_full": "needs the file face_detection_yunet_2023mar.onnx in models/detectors",
        "mediapipe_face_mesh": "face mesh",
        "../x": "there is no detector",
    }.items():
        with pytest.raises(BadRequestError, match=text):
            find_detector(name, models, CPU)
    (place / "bad.onnx").write_bytes(b"\x0a\xff\xff\xff\xff")
    (place / "face_detection_yunet_2023mar.onnx").write_bytes(b"\x0a\x01\x01")
    for name in ("bad.onnx", "yunet_face"):
        with pytest.raises(UnusableFileError, match=r"\.onnx"):
            find_detector(name, models_with(tmp_path), CPU)


@pytest.mark.parametrize(
    ("values", "key", "text"),
    [
        ({"ad_use_checkpoint": True, "ad_checkpoint": "nobody"}, "checkpoint", "no 'nobody'"),
        ({"ad_use_vae": True, "ad_vae": "nobody"}, "vae", "no 'nobody'"),
        ({"ad_controlnet_model": "nobody [01234567]"}, "controlnet_model", "no 'nobody'"),
        ({"ad_use_sampler": True, "ad_sampler": "nobody"}, "sampler", "there is no sampler"),
    ],
)
def test_what_a_pass_names_is_looked_up_before_the_work(
    tmp_path: Path, values: dict[str, object], key: str, text: str
) -> None:
    models = models_with(tmp_path)
    with pytest.raises(BadRequestError, match=text) as caught:
        check_pass(DetailPass.model_validate(values), 1, models)
    assert caught.value.field == f"extensions.detailer.units.1.{key}"
    check_pass(DetailPass(checkpoint="nobody", vae="nobody", sampler="nobody"), 0, models)


def field(number: int, *content: bytes) -> bytes:
    """A field of a protobuf that holds bytes."""
    whole = b"".join(content)
    return varint(number << 3 | 2) + varint(len(whole)) + whole


def number(of: int, value: int) -> bytes:
    return varint(of << 3) + varint(value)


def varint(value: int) -> bytes:
    rest = value >> 7
    return bytes([value & 127 | 128]) + varint(rest) if rest else bytes([value])


def onnx_file(path: Path, boxes: np.ndarray, names: str) -> None:
    """A network that answers with these rows (1, 4 + classes, n), whatever it is shown: raw + 0 x its mean."""

    def tensor(name: str, values: np.ndarray) -> bytes:
        sizes = b"".join(number(1, size) for size in values.shape)
        return field(5, sizes, number(2, 1), field(8, name.encode()), field(9, values.astype(np.float32).tobytes()))

    def node(kind: str, into: tuple[str, ...], out: str, more: bytes = b"") -> bytes:
        taken = b"".join(field(1, name.encode()) for name in into)
        return field(1, taken, field(2, out.encode()), field(4, kind.encode()), more)

    def value(place: int, name: str, shape: tuple[int, ...]) -> bytes:
        sizes = b"".join(field(1, number(1, size)) for size in shape)
        return field(place, field(1, name.encode()), field(2, field(1, number(1, 1), field(2, sizes))))

    flat = field(5, field(1, b"keepdims"), number(3, 0), number(20, 2))
    graph = [
        node("ReduceMean", ("images",), "mean", flat), node("Mul", ("mean", "zero"), "nothing"),
        node("Add", ("raw", "nothing"), "output0"), field(2, b"tiny"), tensor("raw", boxes),
        tensor("zero", np.zeros(())), value(11, "images", (1, 3, 64, 96)), value(12, "output0", boxes.shape),
    ]  # fmt: skip
    metadata = field(14, field(1, b"names"), field(2, names.encode()))
    path.write_bytes(number(1, 8) + field(7, *graph) + field(8, number(2, 13)) + metadata)


def test_an_onnx_detector_is_run_by_opencv(place: Path, tmp_path: Path) -> None:
    rows = np.zeros((1, 6, 3), np.float32)
    rows[0, :4, 0] = (24, 32, 16, 32)  # centre and size in the 96 x 64 pixels that it is shown
    rows[0, 4:, 0] = (0.2, 0.9)
    rows[0, :, 1] = (25, 32, 16, 32, 0.1, 0.8)  # the same again
    rows[0, :, 2] = (80, 10, 8, 8, 0.4, 0.3)
    onnx_file(place / "hands.onnx", rows, "{0: 'face', 1: 'hand'}")
    detector = find_detector("hands.onnx", models_with(tmp_path), CPU)
    found = detector(Image.new("RGB", (192, 128)), 0.3)
    assert [(one.label, one.box) for one in found] == [("hand", (32, 32, 64, 96)), ("face", (152, 12, 168, 28))]
    assert found[0].score == pytest.approx(0.9)
    onnx_file(place / "odd.onnx", rows, "{0: 'face'}")
    with pytest.raises(UnusableFileError, match=r"odd\.onnx: it names 1 classes and has scores for 2"):
        find_detector("odd.onnx", models_with(tmp_path), CPU)(Image.new("RGB", (192, 128)), 0.3)


def test_boxes_come_back_to_the_picture_through_the_letterbox() -> None:
    picture = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(picture).rectangle((100, 50, 199, 149), "black")
    for wanted in (None, (128, 128)):
        seen = letterbox(picture, wanted)
        assert seen.pixels.shape[0] == 3
        dark = np.argwhere(seen.pixels.max(0) < 0.1)
        (top, left), (bottom, right) = dark.min(0), dark.max(0) + 1
        row = np.array([[(left + right) / 2, (top + bottom) / 2, right - left, bottom - top, 0.9]], np.float32)
        [found] = regions_of(row, None, seen, picture.size, ("box",), 0.5)
        assert found.box == pytest.approx((100, 50, 200, 150), abs=4)
