"""The embedding of a face by ArcFace (Deng et al. 2019, arXiv:1801.07698), with OpenCV and networks of the user.

The networks of insightface are for research that is not commercial; none is shipped or fetched.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from webui.extension_api import Models, UnusableFileError

KIND = "insightface"
FOLDER = "models/insightface"
DETECTOR_FOLDER = "models/detectors"
PLUS_SIDE = 224  # pixels of the crop that FaceID plus looks at
_SIDE = 112
_TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
_NETWORKS = ("glintr100", "w600k_r50")
_SCORE, _OVERLAP, _MOST = 0.6, 0.3, 100
_LONGER_SIDE = 1280  # pixels


@dataclass(frozen=True)
class SeenFace:
    """The largest face of a picture: (512,) as the network gives it, and the aligned crop."""

    embedding: NDArray[np.float32]
    crop: Image.Image


class FaceReader:
    """Finds the largest face and reads it. Used from one thread."""

    def __init__(self, detector: Path, recogniser: Path) -> None:
        """Raises UnusableFileError where OpenCV cannot read a file."""
        try:
            self._detector = cv2.FaceDetectorYN.create(str(detector), "", (320, 320), _SCORE, _OVERLAP, _MOST)
            self._recogniser = cv2.dnn.readNetFromONNX(str(recogniser))
        except cv2.error as error:
            raise UnusableFileError(
                f"{detector.name}, {recogniser.name}: OpenCV cannot read one of them ({error.err})"
            ) from error

    def __call__(self, picture: Image.Image) -> SeenFace | None:
        """The largest face; None where there is none."""
        pixels = np.ascontiguousarray(np.asarray(picture.convert("RGB")))
        points = self._points(pixels)
        if points is None:
            return None
        face = _aligned(pixels, points, _SIDE)
        blob = cv2.dnn.blobFromImage(face, 1 / 127.5, (_SIDE, _SIDE), (127.5, 127.5, 127.5), swapRB=False)
        self._recogniser.setInput(blob)
        embedding = np.asarray(self._recogniser.forward(), np.float32).reshape(-1)
        return SeenFace(embedding, Image.fromarray(_aligned(pixels, points, PLUS_SIDE)))

    def _points(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """(5, 2) eyes, nose and corners of the mouth of the largest face."""
        height, width = pixels.shape[:2]
        scale = min(1.0, _LONGER_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        bgr = cv2.resize(np.ascontiguousarray(pixels[..., ::-1]), size, interpolation=cv2.INTER_AREA)
        self._detector.setInputSize(size)
        _, found = self._detector.detect(bgr)
        if found is None:
            return None
        largest = max(found, key=lambda row: row[2] * row[3])
        scales = np.array([width / size[0], height / size[1]])
        points: NDArray[np.float64] = np.array(largest[4:14], np.float64).reshape(5, 2) * scales
        return points


def reader_of(models: Models) -> FaceReader:
    """The reader with the user's networks. Raises UnusableFileError: one is missing; says which, and its folder."""
    detectors = [name for name in models.names("detector") if "yunet" in name.lower() and name.endswith(".onnx")]
    known = [name for name in models.names(KIND) if name.lower().endswith(".onnx")]
    recognisers = [name for word in _NETWORKS for name in known if word in name.lower()]
    missing = []
    if not recognisers:
        missing.append(f"w600k_r50.onnx (of buffalo_l) or glintr100.onnx (of antelopev2) in {FOLDER}")
    if not detectors:
        missing.append(f"face_detection_yunet_2023mar.onnx in {DETECTOR_FOLDER}")
    if missing:
        raise UnusableFileError(
            f"a face must be read: put {' and '.join(missing)}; or send the option face_embedding with 512 numbers"
        )
    return FaceReader(models.find("detector", detectors[0]), models.find(KIND, recognisers[0]))


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3): scaling, rotation and shift that brings points nearest to others (Umeyama 1991, equations 40 to 43)."""
    from_mean, to_mean = source.mean(0), target.mean(0)
    centred = source - from_mean
    left, singular, right = np.linalg.svd((target - to_mean).T @ centred / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    turned = (
        left @ np.diag(signs) @ right * float(singular @ signs) / max(float((centred**2).sum() / len(source)), 1e-9)
    )
    return np.column_stack([turned, to_mean - turned @ from_mean])


def _aligned(pixels: NDArray[np.uint8], points: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    """(side, side, 3): the face where ArcFace expects it."""
    target = np.array(_TEMPLATE) * side / _SIDE
    return np.asarray(cv2.warpAffine(pixels, similarity(points, target), (side, side), borderValue=0.0), np.uint8)
