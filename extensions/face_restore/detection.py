"""Finds faces with OpenCV's YuNet (W. Wu et al., "YuNet: A tiny millisecond-level face detector", 2023)."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from webui.extension_api import UnusableFileError

from .alignment import Face

SCORE = 0.7
OVERLAP = 0.3  # two boxes whose intersection over union is above this are one face
LONGER_SIDES = (1280, 320)  # pixels; YuNet sees faces of 10 to 300 pixels: the small copy shows the large ones
_MOST = 1000  # most faces, before overlapping ones are dropped
Rows = NDArray[np.float32]  # (n, 15): x, y, width, height, five points, score


class YuNet:
    """A detector with its model loaded. Used from one thread. Implements `restoring.Detector`."""

    def __init__(self, path: Path) -> None:
        """Load the model.

        Raises:
            UnusableFileError: the file is not such a model.
        """
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), SCORE, OVERLAP, _MOST)
        except cv2.error as error:
            raise UnusableFileError(
                f"{path.name}: OpenCV cannot read it as a YuNet face detector ({error.err})"
            ) from error

    def __call__(self, pixels: NDArray[np.uint8]) -> Sequence[Face]:
        """Faces in a picture (h, w, 3), RGB, surest first.

        Raises:
            UnusableFileError: the model is another one than YuNet.
        """
        longer = max(pixels.shape[:2])
        bgr = np.ascontiguousarray(pixels[..., ::-1])
        found = [self._rows(bgr, min(1.0, side / longer)) for side in sides(longer)]
        return [Face(_points(row), float(row[14])) for row in without_doubles(np.concatenate(found))]

    def _rows(self, bgr: NDArray[np.uint8], scale: float) -> Rows:
        """The faces found in a copy of the picture, in pixels of the picture."""
        height, width = (max(1, round(side * scale)) for side in bgr.shape[:2])
        small = bgr if scale == 1 else cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)
        try:
            self._network.setInputSize((width, height))
            _, found = self._network.detect(small)
        except cv2.error as error:
            raise UnusableFileError(f"the face detector does not work as YuNet does ({error.err})") from error
        if found is None:
            return np.zeros((0, 15), np.float32)
        rows = np.array(found, np.float32)
        rows[:, 4:14] += 0.5  # from centres of pixels to continuous coordinates
        rows[:, 0:14:2] *= bgr.shape[1] / width
        rows[:, 1:14:2] *= bgr.shape[0] / height
        return rows


def sides(longer: int) -> tuple[int, ...]:
    """The longer sides of the copies in which faces are looked for."""
    first, second = LONGER_SIDES
    return (first, second) if longer > second * 1.25 else (first,)


def without_doubles(rows: Rows) -> Rows:
    """Of boxes that overlap, the one with the highest score (greedy non-maximum suppression)."""
    kept: list[NDArray[np.float32]] = []
    for row in rows[np.argsort(-rows[:, 14], kind="stable")]:
        if all(_overlap(row, other) <= OVERLAP for other in kept):
            kept.append(row)
    return np.array(kept, np.float32).reshape(-1, 15)


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Intersection over union of two boxes."""
    start = np.maximum(one[:2], other[:2])
    end = np.minimum(one[:2] + one[2:4], other[:2] + other[2:4])
    shared = float(np.prod(np.maximum(end - start, 0)))
    union = float(np.prod(one[2:4]) + np.prod(other[2:4])) - shared
    return shared / union if union > 0 else 0.0


def _points(row: NDArray[np.float32]) -> NDArray[np.float64]:
    """(5, 2): eyes, nose, corners of the mouth; YuNet's right eye is the left one as seen."""
    return row[4:14].reshape(5, 2).astype(np.float64)
