"""Styles and what they make of a prompt. Knows no hooks."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

HOLE = "{prompt}"


@dataclass(frozen=True, slots=True)
class Style:
    """The words around a prompt, and those that a negative prompt gets."""

    prompt: str
    negative: str = ""


STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "ink": Style("ink drawing of {prompt}, bold lines, paper texture", "colour, photograph"),
        "clay": Style("clay figure of {prompt}, soft light, fingerprints", "drawing"),
        "night": Style("{prompt} at night, lanterns, deep blue"),
    }
)


def styled(style: str, prompt: str, negative: str) -> tuple[str, str]:
    """Both prompts with the words of a style."""
    words = STYLES[style]
    return words.prompt.replace(HOLE, prompt), ", ".join(filter(None, [words.negative, negative]))


def drawn(seed: int) -> str:
    """A style that follows from a seed."""
    return random.Random(seed).choice(tuple(STYLES))
