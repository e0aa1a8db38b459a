"""Finds the names of embeddings among tokens. It needs neither their vectors nor torch."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

from webui.prompt.tokenize import ClipTokenizer


class Named(Protocol):
    """Something that a prompt can name."""

    @property
    def name(self) -> str: ...
    @property
    def length(self) -> int:
        """How many tokens it takes, at least 1."""


E = TypeVar("E", bound=Named)


class EmbeddingTable(Generic[E]):
    """Embeddings by the token ids of their names, so that upper and lower case are the same."""

    def __init__(self, embeddings: Sequence[E], tokenizer: ClipTokenizer) -> None:
        table: dict[int, list[tuple[list[int], E]]] = {}
        for ids, embedding in zip(tokenizer.ids([e.name for e in embeddings]), embeddings, strict=True):
            if ids:
                table.setdefault(ids[0], []).append((ids, embedding))
        for entries in table.values():
            entries.sort(key=lambda entry: len(entry[0]), reverse=True)
        self._table = MappingProxyType(table)

    def find(self, tokens: Sequence[int], position: int) -> tuple[E, int] | None:
        """The embedding with the longest name at `position`, and the number of tokens of that name."""
        for ids, embedding in self._table.get(tokens[position], ()):
            if list(tokens[position : position + len(ids)]) == ids:
                return embedding, len(ids)
        return None
