"""Field types that every part of a request is made of: bounded, finite, storable text."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_PROMPT = 32_000  # characters


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


class Frozen(BaseModel):
    """Base of all request parts: frozen, and a name that does not exist is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
