"""Where the words of a prompt stand among the tokens that the text encoder reads."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_WORDS = 80
_ENDS = 2  # the tokens around a chunk: its beginning and its end


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word, or a sign between words.

    Attributes:
        tokens: the places of its tokens in the context, the beginning of the first chunk being 0.
        is_sign: whether it has neither letters nor digits.
    """

    text: str
    weight: float
    tokens: tuple[int, ...]
    is_sign: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_sign", not any(letter.isalnum() for letter in self.text))


def placed_words(explained: Mapping[str, Any], size: int = 75) -> tuple[PlacedWord, ...]:
    """The words of the first text of a prompt's first part.

    Args:
        explained: of one prompt, as `TokenCounting.explain` tells it; empty where it has a fault.
        size: tokens of a chunk.
    """
    parts = explained.get("parts") or ()
    if not parts or not parts[0]["texts"]:
        return ()
    return tuple(_words(parts[0]["texts"][0]["chunks"] or (), size))[:MOST_WORDS]


def _words(chunks: Any, size: int) -> Iterator[PlacedWord]:
    for number, chunk in enumerate(chunks):
        place = number * (size + _ENDS) + 1
        text, tokens, weight = "", list[int](), 1.0
        for piece in chunk:
            text, weight = text + piece["text"], float(piece["weight"])
            tokens += range(place, place + piece["tokens"])
            place += piece["tokens"]
            if piece["ends_word"]:
                yield PlacedWord(text, weight, tuple(tokens))
                text, tokens = "", []
        if tokens:
            yield PlacedWord(text, weight, tuple(tokens))
