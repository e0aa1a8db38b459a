"""The poses of people with DWPose (Yang et al. 2023, arXiv:2307.15880), run by OpenCV: body, hands and face.

The answer has the form of OpenPose's JSON: for each person flat lists of x, y and confidence in pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from webui.extension_api import UnusableFileError

from .maps import Map
from .person_boxes import OnnxNetwork, PersonFinder

Floats = NDArray[np.float32]
Person = dict[str, list[float] | None]
SIZE = (288, 384)  # width and height in pixels that the published file sees
_POINTS = 133  # of COCO-WholeBody
_MEAN, _SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of RGB in 0..255
_MARGIN = 1.25  # by which a person's box grows
_SURE = 0.3
# OpenPose's body by COCO's points, where 17 is the neck between both shoulders
_BODY = (0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_NECK, _SHOULDERS, _EYES = 17, (5, 6), (14, 15)
_FACE, _LEFT, _RIGHT = (24, 92), (92, 113), (113, 134)  # first point, and the one behind the last


@dataclass(frozen=True, slots=True)
class Parts:
    """What of people is drawn."""

    body: bool = True
    hands: bool = True
    face: bool = True


class PoseReader:
    """Finds people and reads their poses. Used from one thread."""

    def __init__(self, detector: Path, network: Path) -> None:
        """Raises UnusableFileError where OpenCV cannot read a file."""
        self._people = PersonFinder(detector)
        self._network = OnnxNetwork(network)
        self._size = SIZE

    def __call__(self, picture: Map, parts: Parts) -> list[Person]:
        """Each person in a picture (H, W, 3) RGB. Raises UnusableFileError where a file is another network."""
        return [_person(*self._points(picture, box), parts) for box in self._people(picture)]

    def _points(self, picture: Map, box: Floats) -> tuple[Floats, Floats]:
        """(133, 2) in pixels of the picture, and (133,) how sure the network is of each."""
        answers = self._answers(picture, box)
        if (size := (answers[0].shape[1] // 2, answers[1].shape[1] // 2)) != self._size:
            self._size = size  # a file that was made for another size
            answers = self._answers(picture, box)
        across, down = answers
        places = np.stack([across.argmax(1), down.argmax(1)], axis=1).astype(np.float32) / 2
        centre, scale = _around(box, self._size)
        points = (places / np.array(self._size) - 0.5) * scale + centre
        return points.astype(np.float32), np.minimum(across.max(1), down.max(1))

    def _answers(self, picture: Map, box: Floats) -> tuple[Floats, Floats]:
        """How likely each point lies in each half pixel of the crop: (133, 2 W) and (133, 2 H)."""
        width, height = self._size
        centre, scale = _around(box, self._size)
        factor = width / scale[0]
        moved = np.array(
            [[factor, 0, width / 2 - factor * centre[0]], [0, factor, height / 2 - factor * centre[1]]], np.float32
        )
        crop = cv2.warpAffine(picture, moved, (width, height), flags=cv2.INTER_LINEAR).astype(np.float32)
        seen = ((crop - np.array(_MEAN)) / np.array(_SPREAD)).transpose(2, 0, 1)[None]
        answers = self._network(np.ascontiguousarray(seen, np.float32))
        if len(answers) != 2 or any(one.ndim != 3 or one.shape[1] != _POINTS for one in answers):
            shapes = [one.shape for one in answers]
            raise UnusableFileError(
                f"{self._network.name}: its outputs {shapes} are not those of DWPose (two of 1, 133, n); take "
                "dw-ll_ucoco_384.onnx"
            )
        return answers[0][0], answers[1][0]


def _around(box: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Centre and size of a person's box, a little larger and of the network's ratio."""
    centre = (box[:2] + box[2:]) / 2
    width, height = (box[2:] - box[:2]) * _MARGIN
    ratio = size[0] / size[1]
    scale = (width, width / ratio) if width > height * ratio else (height * ratio, height)
    return centre.astype(np.float32), np.maximum(np.array(scale, np.float32), 1)


def _person(points: Floats, sure: Floats, parts: Parts) -> Person:
    neck = points[list(_SHOULDERS)].mean(0)
    neck_sure = float(min(sure[list(_SHOULDERS)]) > _SURE)
    places = np.insert(points, _NECK, neck, axis=0)
    known = np.insert(sure, _NECK, neck_sure) > _SURE
    body = _flat(places[list(_BODY)], known[list(_BODY)])
    eyes = [value for number in _EYES for value in body[3 * number : 3 * number + 3]]
    face, left, right = (_flat(places[start:end], known[start:end]) for start, end in (_FACE, _LEFT, _RIGHT))
    return {
        "pose_keypoints_2d": body if parts.body else [0.0] * len(body),
        "face_keypoints_2d": _any(face + eyes) if parts.face else None,
        "hand_left_keypoints_2d": _any(left) if parts.hands else None,
        "hand_right_keypoints_2d": _any(right) if parts.hands else None,
    }


def _flat(points: Floats, known: NDArray[np.bool_]) -> list[float]:
    """x, y and 1 of each point; three zeros for one that was not found."""
    rows = [(float(x), float(y), 1.0) if sure else (0.0, 0.0, 0.0) for (x, y), sure in zip(points, known, strict=True)]
    return [value for row in rows for value in row]


def _any(numbers: list[float]) -> list[float] | None:
    return numbers if any(numbers) else None
