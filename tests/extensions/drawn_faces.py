"""Pictures with drawn faces, and networks that stand in for face restorers."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from extensions.face_restore.alignment import SIDE, TEMPLATE, Face

Pixels = NDArray[np.float32]
GREEN: Pixels = np.broadcast_to(np.array([0, 1, 0], np.float32), (SIDE, SIDE, 3))


def face_at(x: float, y: float, eyes: float = 60.0, degrees: float = 0.0) -> Face:
    """A face whose nose is at (x, y), with so many pixels between the eyes."""
    scale = eyes / np.linalg.norm(TEMPLATE[0] - TEMPLATE[1])
    turn = math.radians(degrees)
    rotation = np.array([(math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))])
    return Face((TEMPLATE - TEMPLATE[2]) @ rotation.T * scale + (x, y))


def picture(width: int = 400, height: int = 300, faces: Sequence[Face] = ()) -> Image.Image:
    """Soft colours with drawn faces: smooth, as pictures are."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 23 + turn) + np.cos(y / 31 - turn) for turn in (0, 1, 2)]
    image = Image.fromarray((127 + 60 * np.stack(waves, 2)).clip(0, 255).astype(np.uint8))
    large = image.resize((width * 2, height * 2), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    for face in faces:
        for (px, py), colour in zip(face.points * 2, ("navy", "navy", "peru", "brown", "brown"), strict=True):
            radius = face.size / 6 * 2
            draw.ellipse((px - radius, py - radius, px + radius, py + radius), fill=colour)
    return large.resize((width, height), Image.Resampling.LANCZOS)


def same(pixels: Pixels) -> Pixels:
    return pixels


def green(pixels: Pixels) -> Pixels:
    return GREEN.copy()


def psnr(one: Image.Image, other: Image.Image) -> float:
    error = float(np.mean((np.asarray(one, np.float64) - np.asarray(other, np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def changed(one: Image.Image, other: Image.Image) -> NDArray[np.bool_]:
    """Where two pictures differ, (h, w)."""
    where: NDArray[np.bool_] = (np.asarray(one.convert("RGB")) != np.asarray(other.convert("RGB"))).any(2)
    return where
