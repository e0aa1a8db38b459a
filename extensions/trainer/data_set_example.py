"""A small data set to try training with: 24 drawn pictures of a shape that the miniature does not know."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from PIL import Image, ImageDraw
from pydantic import JsonValue

NAME = "example hearts"
COUNT, SIDE, SHARP = 24, 128, 4  # pictures; pixels a side; how much larger they are drawn, for smooth edges
SEED = 7
RGB = tuple[int, int, int]
COLOURS: Mapping[str, RGB] = MappingProxyType(
    {
        "red": (220, 30, 35), "orange": (250, 140, 20), "yellow": (250, 225, 40), "green": (30, 160, 50),
        "cyan": (40, 215, 225), "blue": (40, 70, 220), "purple": (125, 45, 165), "pink": (250, 135, 195),
        "white": (245, 245, 245), "black": (15, 15, 15),
    }
)  # fmt: skip
SIZES: Mapping[str, float] = MappingProxyType({"small": 16.0, "": 25.0, "large": 36.0})  # half the width, in pixels
PLACES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "": (0, 0), " on the left": (-1, 0), " on the right": (1, 0), " at the top": (0, -1), " at the bottom": (0, 1),
    }
)  # fmt: skip
BASE = "mini.safetensors"
SETTINGS: Mapping[str, JsonValue] = MappingProxyType(
    {
        "output": "my-heart", "resolution": SIDE, "bucket_step": 64, "min_bucket": 64, "rank": 8, "alpha": 8,
        "learning_rate": 2e-3, "batch_size": 8, "steps": 150, "sample_every": 50,
        "sample_prompts": "a red heart on a white background\na green heart on a black background",
    }
)  # fmt: skip
DIFFERENT = 150.0  # distance of two colours that are told apart well


def drawn() -> Iterator[tuple[Image.Image, str]]:
    """The pictures with their captions, each once; the same each time."""
    dice = random.Random(SEED)
    told: set[str] = set()
    while len(told) < COUNT:
        colour, ground = _two_colours(dice)
        size = dice.choice([*SIZES])
        place = dice.choice([*PLACES]) if size != "large" else ""
        words = " ".join(word for word in (size, colour, "heart") if word)
        caption = f"{_article(words)} {words}{place} on {_article(ground)} {ground} background"
        if caption not in told:
            told.add(caption)
            yield _heart(COLOURS[colour], COLOURS[ground], SIZES[size], PLACES[place]), caption


def suggested(checkpoints: Sequence[str]) -> dict[str, JsonValue]:
    """Settings with which the example is trained in minutes, by the names of the form; the base where it is there."""
    base = next((name for name in checkpoints if name.rpartition("/")[2] == BASE), None)
    return {**SETTINGS, **({"base": base} if base else {})}


def _article(words: str) -> str:
    return "an" if words[0] in "aeiou" else "a"


def _two_colours(dice: random.Random) -> tuple[str, str]:
    while True:
        one, two = dice.sample([*COLOURS], 2)
        if math.dist(COLOURS[one], COLOURS[two]) > DIFFERENT:
            return one, two


def _heart(colour: RGB, ground: RGB, radius: float, place: tuple[int, int]) -> Image.Image:
    """The curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, filled."""
    room = SIDE / 2 - radius - 7
    left, top = (SIDE / 2 + room * way for way in place)
    large = Image.new("RGB", (SIDE * SHARP, SIDE * SHARP), ground)
    points = []
    for number in range(180):
        t = number * math.pi / 90
        across = 16 * math.sin(t) ** 3
        up = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) + 2.5
        points.append(((left + across * radius / 16) * SHARP, (top - up * radius / 16) * SHARP))
    ImageDraw.Draw(large).polygon(points, fill=colour)
    return large.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
