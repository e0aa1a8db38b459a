"""Describes scenes in English, in varied wording. Everything that a caption says is true of the picture."""

from types import MappingProxyType

import numpy as np

from tools.train_mini.scenes import Background, Scene, Thing

_SIZES = MappingProxyType({"small": ("small", "tiny", "little"), "large": ("large", "big", "huge")})
_PLACES = MappingProxyType(
    {
        "centre": ("in the centre", "in the middle", "in the center"),
        "left": ("on the left", "on the left side"),
        "right": ("on the right", "on the right side"),
        "top": ("at the top", "on the top"),
        "bottom": ("at the bottom", "on the bottom"),
        "top left": ("in the top left corner", "at the top left", "in the upper left corner"),
        "top right": ("in the top right corner", "at the top right", "in the upper right corner"),
        "bottom left": ("in the bottom left corner", "at the bottom left", "in the lower left corner"),
        "bottom right": ("in the bottom right corner", "at the bottom right", "in the lower right corner"),
    }
)
_RELATIONS = MappingProxyType(
    {
        "left": ("to the left of", "left of"),
        "right": ("to the right of", "right of"),
        "above": ("above", "on top of", "over"),
        "below": ("below", "under", "beneath"),
        "beside": ("next to", "beside"),
    }
)
_COUNTS = MappingProxyType({2: ("two", "2"), 3: ("three", "3")})
_PLURALS = MappingProxyType({"cross": "crosses"})


def caption(scene: Scene, generator: np.random.Generator) -> str:
    """A description of `scene`. Place and size of one object are named where they are not the usual ones."""
    terse = generator.random() < 0.3
    words = _things(scene, generator, terse)
    background = _background(scene.background, generator, terse)
    return f"{words}, {background}" if terse else f"{words} {background}"


def _things(scene: Scene, generator: np.random.Generator, terse: bool) -> str:
    first = scene.things[0]
    if scene.relation is not None:
        second = scene.things[1]
        if scene.relation == "left" and generator.random() < 0.15:
            return f"{_thing(first, '', terse)} and {_thing(second, '', terse)}"  # read from left to right
        link = _pick(generator, _RELATIONS[scene.relation])
        return f"{_thing(first, '', terse)} {link} {_thing(second, '', terse)}"
    if len(scene.things) > 1:
        count = _pick(generator, _COUNTS[len(scene.things)])
        return f"{count} {first.colour} {_PLURALS.get(first.shape, first.shape + 's')}"
    size = _pick(generator, _SIZES[scene.size]) if scene.size in _SIZES else ""
    words = _thing(first, size, terse)
    if scene.place == "centre" and generator.random() < 0.75:
        return words
    place = _pick(generator, _PLACES[scene.place])
    return f"{words}, {place}" if terse else f"{words} {place}"


def _thing(thing: Thing, size: str, terse: bool) -> str:
    style = "" if thing.style == "plain" else thing.style
    words = " ".join(word for word in (size, style, thing.colour, thing.shape) if word)
    if terse:
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _background(background: Background, generator: np.random.Generator, terse: bool) -> str:
    if background.to is not None:
        blend = f"{background.colour} to {background.to} gradient"
        return f"{blend} background" if terse else f"on a {blend} background"
    if terse:
        return f"{background.colour} background"
    article = "an" if background.colour[0] in "aeiou" else "a"
    ends = (f"on {article} {background.colour} background", f"on a plain {background.colour} background")
    if generator.random() < 0.15:
        return f"with {article} {background.colour} background"
    return _pick(generator, ends) if generator.random() < 0.3 else ends[0]


def _pick(generator: np.random.Generator, of: tuple[str, ...]) -> str:
    return of[int(generator.integers(len(of)))]
