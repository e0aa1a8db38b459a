"""Counts the tokens of a prompt for the counter beside its box. Nothing is encoded, and torch is not needed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from webui.domain.request import PromptRules
from webui.prompt.chunks import chunks
from webui.prompt.composition import extra_networks, split_and, strip_comments
from webui.prompt.embedding_table import EmbeddingTable
from webui.prompt.schedule import schedules
from webui.prompt.tokenize import ClipTokenizer

PAIRS = ("()", "[]", "{}")
_ESCAPED = re.compile(r"\\.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class VectorCount:
    """The facts about an embedding that counting needs: its name, and how many tokens it takes."""

    name: str
    length: int


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Attributes:
    used: the chunk size for each full chunk, plus the tokens of the last chunk.
    limit: the next multiple of that size.
    """

    used: int
    limit: int


class PromptCounter:
    """Counts with the same tokenizer that is used for encoding."""

    def __init__(self, tokenizer: ClipTokenizer, embeddings: Sequence[VectorCount] = ()) -> None:
        self._tokenizer = tokenizer
        self._table = EmbeddingTable(embeddings, tokenizer)

    def count(self, text: str, *, size: int, steps: int, rules: PromptRules, negative: bool = False) -> TokenCount:
        """The count of the longest text of the prompt: over its AND parts and all steps of its prompt schedule.

        Args:
            text: with styles merged in.
            size: tokens of a chunk; see `TextSide.chunk`.
            steps: planned calls, at least 1. Prompt editing counts them.

        Raises:
            BadRequestError: a weight that is not a number.
        """
        if rules.comments:
            text = strip_comments(text)
        parts = [text] if negative else [part for part, _ in split_and(extra_networks(text)[0])]
        # a set, since an alternation over 150 steps has few different texts
        texts = {entry for part in parts for _, entry in schedules(part, steps, old=rules.old_scheduling)}
        field = "negative_prompt" if negative else "prompt"
        found = [chunks(one, self._tokenizer, self._table, rules, size=size, name=field) for one in texts]
        longest = max(found, key=lambda one: one.count)
        return TokenCount(longest.count, longest.limit)


def unmatched(text: str) -> str:
    """The kinds of brackets (`()`, `[]`) that are not balanced, escaped ones ignored; "" where all are."""
    plain = _ESCAPED.sub("", text)
    return "".join(pair for pair in PAIRS if plain.count(pair[0]) != plain.count(pair[1]))
