"""What the parts of a request are built from: the frozen base, bounded texts, finite numbers. No part stands here."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_PROMPT = 32_000  # characters
MAX_SEED = 2**32 - 1
MAX_SIDE = 8192  # pixels
SIZE_STEP = 8  # pixels; sides of pictures are multiples of it, and a checkpoint's family may ask for multiples of more
LEAST_FIXED_STRENGTH = 0.01  # below, a fixed count of steps would ask for schedules of many thousand steps


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


Text = Annotated[str, Field(max_length=MAX_PROMPT), AfterValidator(_plain_text)]
Name = Annotated[str, Field(max_length=400), AfterValidator(_plain_text)]
Number = Annotated[float, AfterValidator(finite)]
Emphasis = Literal["None", "Ignore", "Original", "No norm"]


def rounded_side(side: int) -> int:
    """The largest side in pixels that a request may have and that is not above `side`; never 0."""
    return max(SIZE_STEP, side // SIZE_STEP * SIZE_STEP)


class Frozen(BaseModel):
    """Base of all request parts: frozen, and a name that does not exist is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
