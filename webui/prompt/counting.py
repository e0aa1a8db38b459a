"""How many tokens a prompt takes, as shown beside its box. Texts only: nothing is encoded, torch is not needed."""

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
    """An embedding as counting sees it: its name, and how many tokens it takes."""

    name: str
    length: int


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Attributes:
    used: the size of a chunk for each full one, and the tokens of the last one.
    limit: the next multiple of that size.
    """

    used: int
    limit: int


class PromptCounter:
    """Counts with the tokenizer that encodes."""

    def __init__(self, tokenizer: ClipTokenizer, embeddings: Sequence[VectorCount] = ()) -> None:
        self._tokenizer = tokenizer
        self._table = EmbeddingTable(embeddings, tokenizer)

    def count(self, text: str, *, size: int, steps: int, rules: PromptRules, negative: bool = False) -> TokenCount:
        """The longest text that the prompt comes to: of its AND parts, at any of its steps.

        Args:
            text: with styles merged in.
            size: tokens of a chunk; see `TextSide.chunk`.
            steps: planned calls, at least 1; prompt editing counts by them.

        Raises:
            BadRequestError: a weight that is not a number.
        """
        if rules.comments:
            text = strip_comments(text)
        parts = [text] if negative else [part for part, _ in split_and(extra_networks(text)[0])]
        # a set: an alternation over 150 steps repeats few texts
        texts = {entry for part in parts for _, entry in schedules(part, steps, old=rules.old_scheduling)}
        field = "negative_prompt" if negative else "prompt"
        found = [chunks(one, self._tokenizer, self._table, rules, size=size, name=field) for one in texts]
        longest = max(found, key=lambda one: one.count)
        return TokenCount(longest.count, longest.limit)


def unmatched(text: str) -> str:
    """The pairs of brackets of which one side is missing, escaped ones left out: `()[]`; "" where all match."""
    plain = _ESCAPED.sub("", text)
    return "".join(pair for pair in PAIRS if plain.count(pair[0]) != plain.count(pair[1]))
