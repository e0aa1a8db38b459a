"""Poses by DWPose's networks, run by OpenCV from small files of the same form (`tests/data/poses`)."""

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from extensions.controlnet.actions import ACTIONS
from extensions.controlnet.maps import Map
from extensions.controlnet.person_boxes import PersonFinder
from extensions.controlnet.pose_maps import POSES, PoseMap, drawn_pose
from extensions.controlnet.preprocessors import Settings
from extensions.controlnet.whole_body import Parts, PoseReader
from tests.extensions.map_models import models_of
from webui.domain.errors import UnusableFileError
from webui.domain.images import Picture
from webui.extension_api.action import ActionContext

POSE_FILES = Path(__file__).parents[1] / "data" / "poses"
DETECTOR, NETWORK = POSE_FILES / "yolox_l.onnx", POSE_FILES / "dw-ll_ucoco_384.onnx"
PICTURE: Map = np.random.RandomState(1).randint(0, 256, (128, 96, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("models")
    place = root / "ControlNetPreprocessor" / "openpose"
    place.mkdir(parents=True)
    for file in (DETECTOR, NETWORK):
        shutil.copy(file, place)
    return models_of(root)


def test_the_box_is_where_the_cell_says() -> None:
    """The small file answers for one cell of stride 16: column 1, row 1, half a cell on, e pixels to 16 wide."""
    [box] = PersonFinder(DETECTOR)(PICTURE)
    centre, side, scale = (1.5 * 16, 1.5 * 16), np.e * 16, 64 / 128
    expected = [(centre[0] - side / 2) / scale, (centre[1] - side / 2) / scale,
                (centre[0] + side / 2) / scale, (centre[1] + side / 2) / scale]  # fmt: skip
    np.testing.assert_allclose(box, expected, rtol=1e-4)


def test_points_are_where_the_largest_entries_are_in_the_crop() -> None:
    [box] = PersonFinder(DETECTOR)(PICTURE)
    [person] = PoseReader(DETECTOR, NETWORK)(PICTURE, Parts())
    network = cv2.dnn.readNetFromONNX(str(NETWORK))
    network.setInput(np.zeros((1, 3, 64, 48), np.float32))
    across, down = (np.asarray(one)[0] for one in network.forward(("simcc_x", "simcc_y")))
    side = max((box[2] - box[0]) * 1.25 / 0.75, (box[3] - box[1]) * 1.25)  # height of the crop; width is three quarters
    top_left = (box[:2] + box[2:]) / 2 - np.array([side * 0.75, side]) / 2

    def place(point: int) -> list[float]:
        inner = np.array([across[point].argmax() / 2 / 48 * side * 0.75, down[point].argmax() / 2 / 64 * side])
        return [float(value) for value in top_left + inner]

    body = np.array(person["pose_keypoints_2d"]).reshape(18, 3)
    assert (body[:, 2] == 1).all()
    for own, coco in ((0, 0), (2, 6), (5, 5), (4, 10), (7, 9), (8, 12), (11, 11), (14, 2), (17, 3)):
        np.testing.assert_allclose(body[own, :2], place(coco), atol=1e-2)
    np.testing.assert_allclose(body[1, :2], np.mean([place(5), place(6)], 0), atol=1e-2)  # the neck
    face = np.array(person["face_keypoints_2d"]).reshape(70, 3)
    np.testing.assert_allclose(face[0, :2], place(23), atol=1e-2)
    np.testing.assert_allclose(face[68:], body[14:16], atol=1e-2)
    for hand, first in (("hand_left_keypoints_2d", 91), ("hand_right_keypoints_2d", 112)):
        np.testing.assert_allclose(np.array(person[hand]).reshape(21, 3)[0, :2], place(first), atol=1e-2)


def run(route: str, models: Any, **given: Any) -> Any:
    action = next(one for one in ACTIONS if route in one.routes)
    context = ActionContext(models, lambda *told: None, lambda: False, torch.device("cpu"), torch.float32)
    return action.run(action.options.model_validate(given), context).data


def test_detect_answers_with_the_json_of_which_the_map_is_drawn(models: Any) -> None:
    picture = Picture.of(Image.fromarray(PICTURE)).to_base64()
    answer = run("POST /controlnet/detect", models, controlnet_module="dw_openpose_full",
                 controlnet_input_images=[picture], controlnet_processor_res=128)  # fmt: skip
    [pose] = answer["poses"]
    assert (pose["canvas_width"], pose["canvas_height"]) == (128, 171)
    assert len(pose["people"]) == 1
    shown = np.asarray(Picture.from_base64(answer["images"][0]).open())
    assert (shown == drawn_pose(pose)).all()
    assert shown.any()
    assert "poses" not in run("POST /controlnet/detect", models, module="invert", image=picture)


@pytest.mark.parametrize("module", POSES)
def test_each_module_draws_its_parts(module: str, models: Any) -> None:
    [person] = PoseMap(module, models).pose(PICTURE, Settings(96))["people"]
    parts = POSES[module]
    assert any(person["pose_keypoints_2d"]) == parts.body
    assert bool(person["face_keypoints_2d"]) == parts.face
    assert bool(person["hand_left_keypoints_2d"]) == bool(person["hand_right_keypoints_2d"]) == parts.hands


def test_what_openpose_needs_is_said(models: Any, tmp_path: Path) -> None:
    details = run("GET /controlnet/module_list", models)["module_detail"]
    assert all(details[name]["available"] for name in POSES)
    told = run("GET /controlnet/module_list", models_of(tmp_path))["module_detail"]["openpose_full"]
    assert not told["available"]
    assert told["needs"] == (
        "models/ControlNetPreprocessor/openpose/yolox_l.onnx and "
        "models/ControlNetPreprocessor/openpose/dw-ll_ucoco_384.onnx"
    )


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match=r"dw-ll_ucoco_384\.onnx: 133 cells"):
        PersonFinder(NETWORK)(PICTURE)
    with pytest.raises(UnusableFileError, match=r"yolox_l\.onnx: its outputs"):
        PoseReader(DETECTOR, DETECTOR)(PICTURE, Parts())
    broken = tmp_path / "x.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(UnusableFileError, match=r"x\.onnx: OpenCV cannot read it"):
        PersonFinder(broken)
