"""Says what a prompt comes to before anything is encoded: its parts, the texts over the steps, chunks, tokens, weights.

It goes the way that encoding goes, with the same functions, so what it tells is what the text encoder is given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webui.domain.request import PromptRules
from webui.prompt.chunks import Chunk, Chunks, chunks, old_chunks
from webui.prompt.composition import NetworkTag, extra_networks, split_and, strip_comments
from webui.prompt.counting import VectorCount
from webui.prompt.embedding_table import EmbeddingTable
from webui.prompt.schedule import schedules
from webui.prompt.tokenize import ClipTokenizer

MOST_PARTS = 20
MOST_TEXTS = 24  # of a part, whose chunks are told; an alternation inside others can have one for each step


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens that belong together.

    Attributes:
        text: what they stand for, cleaned and in lower case as the tokenizer has it; the name of an embedding.
        weight: the factor of what is encoded for them.
        tokens: how many there are: 1, the vectors of an embedding, or as many as a sign takes that is no word.
        ends_word: whether the next piece is another word.
    """

    text: str
    weight: float
    tokens: int
    ends_word: bool
    is_embedding: bool = False


@dataclass(frozen=True, slots=True)
class ExplainedText:
    """One text of a prompt schedule.

    Attributes:
        text: with the signs that give weights.
        calls: when it counts: (first, last) of the denoiser's calls, from 1, both included.
        chunks: the pieces of each chunk; None where there are too many texts to tell all.
        cut: how many tokens at its end nobody reads.
    """

    text: str
    calls: tuple[tuple[int, int], ...]
    chunks: tuple[tuple[Piece, ...], ...] | None
    cut: int


@dataclass(frozen=True, slots=True)
class ExplainedPart:
    """A part between ANDs, and its weight."""

    weight: float
    texts: tuple[ExplainedText, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a prompt comes to.

    Attributes:
        size: how many tokens a chunk has.
        calls: of the denoiser in the pass.
        parts: at least one; `left_out` is how many more there are.
        tags: of networks; they are no text.
        has_comments: whether something was taken out as a comment.
    """

    size: int
    calls: int
    parts: tuple[ExplainedPart, ...]
    tags: tuple[NetworkTag, ...]
    has_comments: bool
    left_out: int


class PromptExplainer:
    """Explains with the tokenizer and the embeddings that encoding uses."""

    def __init__(self, tokenizer: ClipTokenizer, embeddings: Sequence[VectorCount] = ()) -> None:
        self._tokenizer = tokenizer
        self._table = EmbeddingTable(embeddings, tokenizer)

    def explain(
        self, text: str, *, size: int, calls: int, rules: PromptRules, negative: bool = False, old: bool = False
    ) -> Explanation:
        """Explain a prompt.

        Args:
            text: with styles merged in.
            size: tokens of a chunk; see `TextSide.chunk`.
            calls: planned calls of the denoiser, at least 1.
            negative: it has no parts and no tags.
            old: it is encoded with the emphasis of A1111's first versions.

        Raises:
            BadRequestError: a weight that is not a number.
        """
        plain = strip_comments(text) if rules.comments else text
        kept, tags = (plain, ()) if negative else extra_networks(plain)
        parts = [(kept, 1.0)] if negative else split_and(kept)
        field = "negative_prompt" if negative else "prompt"
        explained = []
        for part, weight in parts[:MOST_PARTS]:
            entries = schedules(part, calls, old=rules.old_scheduling)
            texts = _with_calls(entries)
            explained.append(
                ExplainedPart(
                    weight,
                    tuple(
                        self._text(one, spans, place < MOST_TEXTS, size, rules, field, old)
                        for place, (one, spans) in enumerate(texts.items())
                    ),
                )
            )
        return Explanation(size, calls, tuple(explained), tags, plain != text, len(parts) - len(explained))

    def _text(
        self, text: str, spans: list[tuple[int, int]], told: bool, size: int, rules: PromptRules, field: str, old: bool
    ) -> ExplainedText:
        if not told:
            return ExplainedText(text, tuple(spans), None, 0)
        found: Chunks[VectorCount]
        if old:
            found = old_chunks(text, self._tokenizer, self._table, rules, size=size)
        else:
            found = chunks(text, self._tokenizer, self._table, rules, size=size, name=field)
        pieces = tuple(tuple(_pieces(chunk, self._tokenizer)) for chunk in found.chunks)
        return ExplainedText(text, tuple(spans), pieces, max(0, found.count - size) if old else 0)


def _with_calls(entries: Sequence[tuple[int, str]]) -> dict[str, list[tuple[int, int]]]:
    """The texts of a schedule in the order in which they come, each with all calls at which it counts."""
    texts: dict[str, list[tuple[int, int]]] = {}
    first = 1
    for until, text in entries:
        spans = texts.setdefault(text, [])
        if spans and spans[-1][1] == first - 1:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((first, until))
        first = until + 1
    return texts


def _pieces(chunk: Chunk[VectorCount], tokenizer: ClipTokenizer) -> Iterator[Piece]:
    named = dict(chunk.embeddings)
    place = 0
    while place < len(chunk.tokens):
        weight = chunk.weights[place]
        if place in named:
            yield Piece(named[place].name, weight, named[place].length, ends_word=True, is_embedding=True)
            place += named[place].length
            continue
        end = place + 1
        text, ends_word = tokenizer.piece(chunk.tokens[place:end])
        # a sign of several tokens has no text before the last of them
        while text is None and end < len(chunk.tokens) and end not in named:
            end += 1
            text, ends_word = tokenizer.piece(chunk.tokens[place:end])
        yield Piece(text or "\N{REPLACEMENT CHARACTER}", weight, end - place, ends_word)
        place = end
