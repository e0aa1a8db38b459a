"""Cuts texts into chunks of weighted tokens. They are encoded in `encode.py`.

The size of a chunk is how many tokens the text encoders of a family read at once, without BOS and EOS.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic

from webui.domain.request import PromptRules
from webui.prompt.attention import Segment, parse_attention
from webui.prompt.embedding_table import E, EmbeddingTable
from webui.prompt.tokenize import COMMA, END, START, ClipTokenizer, Dialect

PLACEHOLDER = 0  # the token id in the places of an embedding's vectors


@dataclass(frozen=True, slots=True)
class Chunk(Generic[E]):
    """Tokens that are encoded together.

    Attributes:
        tokens: ids without BOS, EOS and padding.
        weights: one factor a token.
        embeddings: (offset into tokens, embedding). After a move at a comma the offset may lie beyond the tokens.
    """

    tokens: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    embeddings: tuple[tuple[int, E], ...] = ()

    def padded_tokens(self, size: int, *, with_zero: bool) -> list[int]:
        """The size + 2 ids: BOS, the tokens, EOS, then 0 (`with_zero`) or EOS to the end."""
        ids = [START, *self.tokens, *[END] * (size + 1 - len(self.tokens))]
        if with_zero:
            first = ids.index(END)
            ids[first + 1 :] = [0] * (size + 1 - first)
        return ids

    def padded_weights(self, size: int) -> list[float]:
        """The size + 2 factors: 1 for BOS, EOS and padding."""
        return [1.0, *self.weights, *[1.0] * (size + 1 - len(self.weights))]


@dataclass(frozen=True, slots=True)
class Chunks(Generic[E]):
    """A text in chunks, at least one.

    Attributes:
        count: tokens as users see them: `size` for each full chunk, plus the tokens of the last chunk.
        size: tokens that fit into a chunk.
    """

    chunks: tuple[Chunk[E], ...]
    count: int
    size: int

    @property
    def limit(self) -> int:
        """The count's next multiple of the size."""
        return math.ceil(max(self.count, 1) / self.size) * self.size


def chunks(
    text: str,
    tokenizer: ClipTokenizer,
    embeddings: EmbeddingTable[E],
    rules: PromptRules,
    *,
    size: int,
    dialect: Dialect = "clip",
    name: str = "prompt",
) -> Chunks[E]:
    """Read attention, tokenize each segment by itself, and build chunks of `size` tokens.

    Args:
        text: one text of a schedule.
        name: the field's name in errors.

    Raises:
        BadRequestError: a weight that is not a number.
    """
    segments = [Segment(text, 1.0)] if rules.emphasis == "None" else parse_attention(text, field=name)
    ids = iter(tokenizer.ids([segment.text for segment in segments if not segment.is_break], dialect))
    building = _Building(embeddings, rules.comma_padding_backtrack, size)
    for segment in segments:
        if segment.is_break:
            building.close()
        else:
            building.add(next(ids), 1.0 if rules.emphasis == "Ignore" else segment.weight)
    return building.finish()


def old_chunks(
    text: str, tokenizer: ClipTokenizer, embeddings: EmbeddingTable[E], rules: PromptRules, *, size: int
) -> Chunks[E]:
    """The emphasis of A1111's first versions: a token with brackets sets the factor of the tokens after it. The text is
    cut to one chunk.
    """
    (ids,) = tokenizer.ids([text])
    tokens: list[int] = []
    weights: list[float] = []
    found: list[tuple[int, E]] = []
    weight, position = 1.0, 0
    while position < len(ids):
        factor = None if rules.emphasis == "None" else tokenizer.bracket_weights.get(ids[position])
        match = embeddings.find(ids, position)
        if factor is not None:
            weight *= factor
            position += 1
        elif match is not None:
            found.append((len(tokens), match[0]))
            tokens += [PLACEHOLDER] * match[0].length
            weights += [weight] * match[0].length
            position += match[1]
        else:
            tokens.append(ids[position])
            weights.append(weight)
            position += 1
    chunk = Chunk(tuple(tokens[:size]), tuple(weights[:size]), tuple(found))
    return Chunks((chunk,), len(tokens), size)


@dataclass(slots=True)
class _Building(Generic[E]):
    """The chunks of a text while they are built."""

    embeddings: EmbeddingTable[E]
    backtrack: int
    size: int
    closed: list[Chunk[E]] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    found: list[tuple[int, E]] = field(default_factory=list)
    last_comma: int | None = None

    def close(self) -> None:
        self.closed.append(Chunk(tuple(self.tokens), tuple(self.weights), tuple(self.found)))
        self.tokens, self.weights, self.found, self.last_comma = [], [], [], None

    def add(self, ids: Sequence[int], weight: float) -> None:
        position = 0
        while position < len(ids):
            if ids[position] == COMMA:
                self.last_comma = len(self.tokens)
            elif len(self.tokens) == self.size:
                self._move_behind_comma()
            if len(self.tokens) == self.size:
                self.close()
            match = self.embeddings.find(ids, position)
            if match is None:
                self.tokens.append(ids[position])
                self.weights.append(weight)
                position += 1
                continue
            embedding, name_length = match
            if len(self.tokens) + embedding.length > self.size:
                self.close()
            self.found.append((len(self.tokens), embedding))
            self.tokens += [PLACEHOLDER] * embedding.length
            self.weights += [weight] * embedding.length
            position += name_length

    def _move_behind_comma(self) -> None:
        """Move the tokens after the last comma to the next chunk, if the comma is near enough to the end.

        Embeddings stay recorded in the old chunk even if their placeholders move. That is A1111's behaviour, and
        images depend on it.
        """
        if self.backtrack == 0 or self.last_comma is None or self.size - self.last_comma > self.backtrack:
            return
        cut = self.last_comma + 1
        tokens, weights = self.tokens[cut:], self.weights[cut:]
        self.tokens, self.weights = self.tokens[:cut], self.weights[:cut]
        self.close()
        self.tokens, self.weights = tokens, weights

    def finish(self) -> Chunks[E]:
        count = self.size * len(self.closed) + len(self.tokens)
        if self.tokens or not self.closed:
            self.close()
        return Chunks(tuple(self.closed), count, self.size)
