"""Poses drawn as OpenPose draws them, from its JSON: body of 18 points, hands of 21, a face of 70. Pillow alone.

Points are (x, y, confidence) in pixels, or in shares of the canvas where none is above 1; those with no confidence are
left out. Limbs are thin ellipses in the colours of the wheel of hues, joints are discs.
"""

import colorsys
import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
BODY_COLOURS = tuple(
    (round(255 * red), round(255 * green), round(255 * blue))
    for red, green, blue in (colorsys.hsv_to_rgb(number / 18, 1, 1) for number in range(18))
)
FINGERS = tuple(
    pair for first in (1, 5, 9, 13, 17) for pair in ((0, first), *((first + n, first + n + 1) for n in range(3)))
)
BODY_POINTS, HAND_POINTS, FACE_POINTS = 18, 21, 70
JOINT, LIMB, DIMMED = 4, 4, 0.6  # radius in pixels, half width of a limb, brightness of limbs


def points_of(numbers: Sequence[float], width: int, height: int) -> list[Point | None]:
    """Points in pixels from a flat list of x, y, confidence; None for one that was not found."""
    triples = [tuple(numbers[at : at + 3]) for at in range(0, len(numbers) - 2, 3)]
    largest = max((max(abs(x), abs(y)) for x, y, sure in triples if sure > 0), default=0.0)
    across, down = (width, height) if largest <= 1 else (1, 1)
    return [(x * across, y * down) if sure > 0 else None for x, y, sure in triples]


class PoseCanvas:
    """A black picture on which poses are drawn."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height))
        self._draw = ImageDraw.Draw(self.image)

    def body(self, points: Sequence[Point | None]) -> None:
        """Limbs first, joints over them."""
        for number, (start, end) in enumerate(LIMBS):
            first, second = _at(points, start), _at(points, end)
            if first and second:
                red, green, blue = BODY_COLOURS[number]
                self._limb(first, second, (round(red * DIMMED), round(green * DIMMED), round(blue * DIMMED)))
        for point, colour in zip(points, BODY_COLOURS, strict=False):
            if point:
                self._disc(point, JOINT, colour)

    def hand(self, points: Sequence[Point | None]) -> None:
        for number, (start, end) in enumerate(FINGERS):
            first, second = _at(points, start), _at(points, end)
            if first and second:
                red, green, blue = colorsys.hsv_to_rgb(number / len(FINGERS), 1, 1)
                self._draw.line([first, second], (round(255 * red), round(255 * green), round(255 * blue)), 2)
        for point in points:
            if point:
                self._disc(point, JOINT, (0, 0, 255))

    def face(self, points: Sequence[Point | None]) -> None:
        for point in points:
            if point:
                self._disc(point, 3, (255, 255, 255))

    def _limb(self, first: Point, second: Point, colour: Colour) -> None:
        """An ellipse whose long axis joins both points."""
        middle = ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2)
        half = math.dist(first, second) / 2
        angle = math.atan2(second[1] - first[1], second[0] - first[0])
        outline: list[Point] = []
        for degree in range(0, 360, 5):
            along, beside = half * math.cos(math.radians(degree)), LIMB * math.sin(math.radians(degree))
            outline.append(
                (
                    middle[0] + along * math.cos(angle) - beside * math.sin(angle),
                    middle[1] + along * math.sin(angle) + beside * math.cos(angle),
                )
            )
        self._draw.polygon(outline, colour)

    def _disc(self, point: Point, radius: int, colour: Colour) -> None:
        x, y = point
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)


def pose_picture(people: Sequence[Mapping[str, Sequence[float] | None]], width: int, height: int) -> Image.Image:
    """People of OpenPose's JSON on black.

    Args:
        people: each with flat lists of x, y and confidence: `pose_keypoints_2d`, `hand_left_keypoints_2d`,
            `hand_right_keypoints_2d`, `face_keypoints_2d`; what is missing or None is not drawn.
    """
    canvas = PoseCanvas(width, height)
    for person in people:
        canvas.body(points_of(person.get("pose_keypoints_2d") or (), width, height))
        canvas.hand(points_of(person.get("hand_left_keypoints_2d") or (), width, height))
        canvas.hand(points_of(person.get("hand_right_keypoints_2d") or (), width, height))
        canvas.face(points_of(person.get("face_keypoints_2d") or (), width, height))
    return canvas.image


def _at(points: Sequence[Point | None], index: int) -> Point | None:
    return points[index] if index < len(points) else None
