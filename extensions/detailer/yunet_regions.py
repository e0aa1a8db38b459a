"""Faces by OpenCV's YuNet (W. Wu et al., "YuNet: A tiny millisecond-level face detector", 2023), as boxes."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from webui.extension_api import UnusableFileError

from .regions import Region, without_doubles

OVERLAP = 0.3  # intersection over union above which two boxes are one face
LONGER_SIDES = (1280, 320)  # pixels; it sees faces of 10 to 300 pixels: the small copy shows the large ones
_LOWEST, _MOST = 0.05, 1000


class YuNetFaces:
    """The detector. Used from one thread."""

    labels = ("face",)

    def __init__(self, path: Path) -> None:
        """Raises UnusableFileError where the file is not such a model."""
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), _LOWEST, OVERLAP, _MOST)
        except cv2.error as error:
            raise UnusableFileError(
                f"{path.name}: OpenCV cannot read it as a YuNet face detector ({error.err})"
            ) from error

    def __call__(self, picture: Image.Image, confidence: float) -> list[Region]:
        pixels = np.ascontiguousarray(np.asarray(picture.convert("RGB"))[..., ::-1])
        longer = max(picture.size)
        found: list[Region] = []
        for side in LONGER_SIDES if longer > LONGER_SIDES[1] * 1.25 else LONGER_SIDES[:1]:
            scale = min(1.0, side / longer)
            width, height = (max(1, round(one * scale)) for one in picture.size)
            small = pixels if scale == 1 else cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
            self._network.setInputSize((width, height))
            self._network.setScoreThreshold(max(_LOWEST, confidence))
            _, rows = self._network.detect(small)
            across, down = picture.width / width, picture.height / height
            for left, top, wide, high, *_, score in () if rows is None else rows.tolist():
                box = (left * across, top * down, (left + wide) * across, (top + high) * down)
                found.append(Region(_inside(box, picture.size), float(score), "face"))
        return without_doubles(found, OVERLAP)


def _inside(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return max(0.0, left), max(0.0, top), min(float(size[0]), right), min(float(size[1]), bottom)
