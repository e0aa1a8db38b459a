"""The positions of faces, and the transformation that moves a face to where restorers expect it. No pixels here.

Coordinates are continuous: the centre of the first pixel is at (0.5, 0.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 2): x, y
Matrix = NDArray[np.float64]  # (2, 3): a point p goes to A p + t, with [A | t]

SIDE = 512  # pixels of the aligned crop
# Eyes, nose, corners of the mouth (left to right as seen) in the crop that GFPGAN, CodeFormer and RestoreFormer were
# trained on: FFHQ's alignment, https://github.com/NVlabs/ffhq-dataset, as measured by facexlib at 512 pixels
TEMPLATE: Points = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.19360),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
) + 0.5  # fmt: skip
TEMPLATE.setflags(write=False)
MIN_EYES = 5.0  # pixels between the eyes; smaller faces hold nothing to restore
_LARGEST = 4.0  # largest crop, as a multiple of the picture's longer side


@dataclass(frozen=True, slots=True)
class Face:
    """A face that was found.

    Attributes:
        points: (5, 2), in the order of TEMPLATE, in pixels of the picture; they may lie outside of it.
        score: the confidence of the detector, 0..1.
    """

    points: Points
    score: float = 1.0

    @property
    def size(self) -> float:
        """Pixels between the eyes."""
        return float(np.linalg.norm(self.points[0] - self.points[1]))


def similarity(source: Points, target: Points) -> Matrix | None:
    """The scaling, rotation and shift that brings `source` nearest to `target` in the sense of least squares.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991), equations
    40 to 43. None where all points coincide, or one is not finite.
    """
    if source.shape != target.shape or not (np.isfinite(source).all() and np.isfinite(target).all()):
        return None
    from_mean, to_mean = source.mean(0), target.mean(0)
    centred = source - from_mean
    variance = float((centred**2).sum() / len(source))
    if variance < 1e-9:
        return None
    left, singular, right = np.linalg.svd((target - to_mean).T @ centred / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])  # a rotation, never a reflection
    rotation = left @ np.diag(signs) @ right
    scale = float(singular @ signs) / variance
    if scale <= 0:
        return None
    return np.column_stack([scale * rotation, to_mean - scale * rotation @ from_mean])


def alignment(face: Face, size: tuple[int, int]) -> Matrix | None:
    """The transformation from the picture to the crop; None where the face is too small or the points do not form a
    face.

    Args:
        size: width and height of the picture.
    """
    if not np.isfinite(face.points).all() or face.size < MIN_EYES:
        return None
    matrix = similarity(face.points, TEMPLATE)
    if matrix is None or SIDE / scale_of(matrix) > _LARGEST * max(size):
        return None
    return matrix


def scale_of(matrix: Matrix) -> float:
    """How many pixels of the target one pixel of the source is long."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def inverse(matrix: Matrix) -> Matrix:
    """The inverse transformation."""
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])


def chained(*matrices: Matrix) -> Matrix:
    """The transformations applied one after another, the first argument first."""
    whole = np.eye(3)
    for matrix in matrices:
        whole = np.vstack([matrix, (0, 0, 1)]) @ whole
    return whole[:2]


def scaling(across: float, down: float) -> Matrix:
    return np.array([[across, 0.0, 0.0], [0.0, down, 0.0]])


def shift(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


def largest_first(faces: Sequence[Face]) -> list[Face]:
    """Faces in the order of restoring. Where crops overlap, the smaller face is pasted last and so is not covered."""
    return sorted(faces, key=lambda face: face.size, reverse=True)
