"""What the parts of a request are built from: the frozen base, bounded texts, finite numbers. No part stands here."""

import itertools
import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_PROMPT = 32_000  # characters
MAX_SEED = 2**64 - 1  # what generators of random numbers take
MAX_ENSD = 2**32 - 1
MAX_SIDE = 8192  # pixels
SIZE_STEP = 8  # pixels; sides of pictures are multiples of it, and a checkpoint's family may ask for multiples of more
MAX_PARTS = 64  # times AND: each makes a further call of the network in every step
MAX_BREAKS = 128  # times BREAK: each begins a further chunk of 75 tokens
MAX_LEVELS = 151  # noise levels of a list of one's own: those of the most steps
MAX_LEVEL = 10_000.0  # sigma
LEAST_FIXED_STRENGTH = 0.01  # below, a fixed count of steps would ask for schedules of many thousand steps

_AND, _BREAK = re.compile(r"\bAND\b"), re.compile(r"\bBREAK\b")
_LONG_WEIGHT = re.compile(r":\s*([-+]?[\d.]{31,})")


def _plain_text(text: str) -> str:
    """Refuse what cannot be written to a PNG or a database: NUL and lone surrogates."""
    if "\0" in text:
        raise ValueError("has a NUL character; remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"has half a surrogate pair at character {error.start}; remove it") from None
    return text


def finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


def _bounded_prompt(text: str) -> str:
    """Refuse prompts whose parts would occupy the worker for minutes, and weights that are no number to reckon with."""
    for word, pattern, limit in (("AND", _AND, MAX_PARTS), ("BREAK", _BREAK, MAX_BREAKS)):
        if (count := sum(1 for _ in pattern.finditer(text))) > limit:
            raise ValueError(f"has {count} times {word}; at most {limit} are taken in one prompt")
    if (found := _LONG_WEIGHT.search(text)) is not None:
        raise ValueError(f"has a weight of {len(found[1])} characters; write it like :1.2")
    return text


def _falling(levels: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse noise levels that do not fall. What is kept has nine digits, which tell all float32 numbers apart."""
    kept = tuple(float(f"{level:.9g}") for level in levels)
    if len(kept) == 1:
        raise ValueError("has one level; a run goes from one to another, so give two or more, or none")
    for place, (before, level) in enumerate(itertools.pairwise(kept), 2):
        if level >= before:
            raise ValueError(f"must fall, but level {place} is {level:g} and the one before it {before:g}")
    if kept and not 0 <= kept[-1] <= kept[0] <= MAX_LEVEL:
        raise ValueError(f"must lie between 0 and {MAX_LEVEL:g}")
    return kept


def and_parts(text: str) -> int:
    """How many parts the word AND makes of a prompt."""
    return 1 + sum(1 for _ in _AND.finditer(text))


Text = Annotated[str, Field(max_length=MAX_PROMPT), AfterValidator(_plain_text)]
Prompt = Annotated[Text, AfterValidator(_bounded_prompt)]
Name = Annotated[str, Field(max_length=400), AfterValidator(_plain_text)]
Number = Annotated[float, AfterValidator(finite)]
Levels = Annotated[tuple[Number, ...], AfterValidator(_falling)]  # noise levels sigma of a run, falling
Emphasis = Literal["None", "Ignore", "Original", "No norm"]


def rounded_side(side: int) -> int:
    """The largest side in pixels that a request may have and that is not above `side`; never 0."""
    return max(SIZE_STEP, side // SIZE_STEP * SIZE_STEP)


class Frozen(BaseModel):
    """Base of all request parts: frozen, and a name that does not exist is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
