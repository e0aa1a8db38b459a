"""Taggers in the form of WD14 (SmilingWolf): an ONNX file, and the names of what it tells in a csv file beside it."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from webui.extension_api import UnusableFileError

SIDE = 448  # pixels that all of them read
WORDS = "selected_tags.csv"
RATING = 9  # the category of the four ratings


@dataclass(frozen=True, slots=True)
class TaggerScores:
    """How sure a tagger is of each rating and of each tag, 0..1."""

    ratings: Mapping[str, float]
    tags: Mapping[str, float]


class WdTagger:
    """A tagger with its network loaded; used from one thread."""

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            UnusableFileError: OpenCV cannot read the network, or its words are not there.
        """
        self._path = path
        self._names = _names(path.with_name(WORDS))
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
        except cv2.error as error:
            raise UnusableFileError(f"{path.name}: OpenCV cannot read it as an ONNX network ({error.err})") from error

    def __call__(self, image: Image.Image) -> TaggerScores:
        """The scores of a picture.

        Raises:
            UnusableFileError: the network does not answer as such taggers do.
        """
        try:
            self._network.setInput(prepared(image))
            found = np.asarray(self._network.forward(), np.float32).reshape(-1)
        except cv2.error as error:
            raise UnusableFileError(f"{self._path.name}: OpenCV cannot run it ({error.err})") from error
        if len(found) != len(self._names):
            raise UnusableFileError(
                f"{self._path.name} tells {len(found)} numbers, but {WORDS} beside it has {len(self._names)} names"
            )
        told = [(name, category, float(score)) for (name, category), score in zip(self._names, found, strict=True)]
        return TaggerScores(
            {name: score for name, category, score in told if category == RATING},
            {name: score for name, category, score in told if category != RATING},
        )


def prepared(image: Image.Image, side: int = SIDE) -> NDArray[np.float32]:
    """A picture as these networks read it: (1, side, side, 3), BGR, 0..255, on white, padded to a square."""
    clear = image.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    white.alpha_composite(clear)
    pixels = np.asarray(white.convert("RGB"))[..., ::-1]
    longer = max(pixels.shape[:2])
    top, left = (longer - pixels.shape[0]) // 2, (longer - pixels.shape[1]) // 2
    square = np.full((longer, longer, 3), 255, np.uint8)
    square[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    if longer != side:
        square = cv2.resize(
            square, (side, side), interpolation=cv2.INTER_AREA if longer > side else cv2.INTER_CUBIC
        ).astype(np.uint8)
    return square.astype(np.float32)[None]


def _names(path: Path) -> tuple[tuple[str, int], ...]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(row["name"], int(row["category"])) for row in csv.DictReader(file)]
    except OSError as error:
        raise UnusableFileError(
            f"a tagger needs {WORDS} beside it, in {path.parent.name} ({error.strerror or error})"
        ) from None
    except (KeyError, TypeError, ValueError, csv.Error, UnicodeError) as error:
        raise UnusableFileError(f"{WORDS}: should have columns name and category ({error})") from None
    return tuple(rows)
