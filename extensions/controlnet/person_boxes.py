"""Finds people in a picture with YOLOX (Ge et al. 2021, arXiv:2107.08430), run by OpenCV from `yolox_l.onnx`."""

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from webui.extension_api import UnusableFileError

from .maps import Map

SIDE = 640  # pixels of the square that the published file sees
_STRIDES = (8, 16, 32)  # pixels between the cells that answer
_GREY = 114
_SCORE, _OVERLAP, _SURE = 0.1, 0.45, 0.3
_PERSON = 0
Floats = NDArray[np.float32]


class OnnxNetwork:
    """An ONNX file that OpenCV runs. Used from one thread."""

    def __init__(self, path: Path) -> None:
        """Raises UnusableFileError where OpenCV cannot read it."""
        self.name = path.name
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise UnusableFileError(f"{path.name}: OpenCV cannot read it as an ONNX network ({error.err})") from error

    def __call__(self, seen: Floats) -> list[Floats]:
        """All outputs for an input (1, 3, H, W). Raises UnusableFileError where OpenCV cannot run the network."""
        try:
            self._network.setInput(seen)
            answers = self._network.forward(self._network.getUnconnectedOutLayersNames())
        except cv2.error as error:
            raise UnusableFileError(f"{self.name}: OpenCV cannot run it ({error.err})") from error
        return [np.asarray(one, np.float32) for one in answers]


class PersonFinder:
    """The detector."""

    def __init__(self, path: Path) -> None:
        self._network = OnnxNetwork(path)
        self._side = SIDE

    def __call__(self, picture: Map) -> Floats:
        """(n, 4) left, top, right, bottom in pixels of the picture (H, W, 3 RGB), surest first.

        Raises:
            UnusableFileError: the file is no detector of this kind.
        """
        rows = self._rows(picture)
        if (side := _side_of(len(rows), self._network.name)) != self._side:  # a file that was made for another size
            self._side = side
            rows = self._rows(picture)
        boxes, scores = _decoded(rows, self._side)
        people = np.flatnonzero((rows[:, 5:].argmax(1) == _PERSON) & (scores > _SCORE))
        corners = [[float(x), float(y), float(w), float(h)] for x, y, w, h in boxes[people]]
        kept = cv2.dnn.NMSBoxes(corners, scores[people].tolist(), _SURE, _OVERLAP)
        chosen = boxes[people][np.asarray(kept, np.int64).reshape(-1)] / self._scale(picture)
        return np.concatenate([chosen[:, :2], chosen[:, :2] + chosen[:, 2:]], axis=1)

    def _scale(self, picture: Map) -> float:
        return self._side / float(max(picture.shape[:2]))

    def _rows(self, picture: Map) -> Floats:
        """(cells, 5 + classes), as the network gives them."""
        scale = self._scale(picture)
        height, width = (max(1, int(side * scale)) for side in picture.shape[:2])
        square = np.full((self._side, self._side, 3), _GREY, np.uint8)
        square[:height, :width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
        bgr = square[:, :, ::-1].transpose(2, 0, 1)[None]
        answer = self._network(np.ascontiguousarray(bgr, np.float32))[0]
        if answer.ndim != 3 or answer.shape[2] < 6:
            raise UnusableFileError(
                f"{self._network.name}: its output {answer.shape} is not that of YOLOX (1, cells, 5 + classes)"
            )
        rows: Floats = answer[0]
        return rows


def _side_of(cells: int, name: str) -> int:
    """The side in pixels of the square that so many cells of all strides cover."""
    each = sum(1 / stride**2 for stride in _STRIDES)
    side = round(math.sqrt(cells / each))
    if side % _STRIDES[-1] or sum((side // stride) ** 2 for stride in _STRIDES) != cells:
        raise UnusableFileError(
            f"{name}: {cells} cells are not those of YOLOX's strides 8, 16 and 32; take yolox_l.onnx"
        )
    return side


def _decoded(rows: Floats, side: int) -> tuple[Floats, Floats]:
    """Boxes (n, 4) as left, top, width, height in pixels of the square, and the scores of the person class (n,)."""
    places, strides = [], []
    for stride in _STRIDES:
        down, across = np.mgrid[0 : side // stride, 0 : side // stride].reshape(2, -1)
        places.append(np.stack([across, down], 1))
        strides.append(np.full((len(across), 1), stride))
    scale = np.concatenate(strides).astype(np.float32)
    centre = (rows[:, :2] + np.concatenate(places)) * scale
    size = np.exp(rows[:, 2:4]) * scale
    boxes = np.concatenate([centre - size / 2, size], axis=1).astype(np.float32)
    return boxes, (rows[:, 4] * rows[:, 5 + _PERSON]).astype(np.float32)
