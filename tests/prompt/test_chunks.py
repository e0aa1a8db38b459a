"""Tokens, cleaning and chunks beyond the worked examples."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.domain.request import PromptRules
from webui.prompt import chunks as made_by
from webui.prompt.chunks import Chunk
from webui.prompt.cleaning import clean_clip, clean_open_clip
from webui.prompt.embedding_table import EmbeddingTable
from webui.prompt.embeddings import Embedding
from webui.prompt.tokenize import COMMA, END, START, ClipTokenizer

CHUNK, WINDOW = 75, 77
chunks, old_chunks = (partial(one, size=CHUNK) for one in (made_by.chunks, made_by.old_chunks))
TOKENIZER = ClipTokenizer()
NONE: EmbeddingTable[Embedding] = EmbeddingTable((), TOKENIZER)
CAT = 2368
words = st.lists(st.sampled_from(["cat", ",", "unbelievable", "BREAK", "é", "(x:1.2)"]), max_size=200).map(" ".join)


@settings(max_examples=30)
@given(words, st.integers(0, 74))
def test_chunks_keep_every_token_in_order(text: str, backtrack: int) -> None:
    found = chunks(text, TOKENIZER, NONE, PromptRules(comma_padding_backtrack=backtrack)).chunks
    whole = chunks(text, TOKENIZER, NONE, PromptRules(comma_padding_backtrack=0)).chunks
    assert [t for chunk in found for t in chunk.tokens] == [t for chunk in whole for t in chunk.tokens]
    assert all(len(chunk.tokens) == len(chunk.weights) <= CHUNK for chunk in found)


def test_padding() -> None:
    chunk: Chunk[Embedding] = Chunk((CAT, COMMA), (1.5, 0.5))
    assert chunk.padded_tokens(CHUNK, with_zero=False) == [START, CAT, COMMA] + [END] * 74
    assert chunk.padded_tokens(CHUNK, with_zero=True) == [START, CAT, COMMA, END] + [0] * 73
    assert chunk.padded_weights(CHUNK) == [1.0, 1.5, 0.5] + [1.0] * 74
    full: Chunk[Embedding] = Chunk((CAT,) * CHUNK, (1.0,) * CHUNK)
    assert full.padded_tokens(CHUNK, with_zero=True) == full.padded_tokens(CHUNK, with_zero=False)
    assert len(full.padded_tokens(CHUNK, with_zero=True)) == len(full.padded_weights(CHUNK)) == WINDOW


def test_emphasis_none_and_ignore() -> None:
    (none,) = chunks("(cat:1.5) BREAK cat", TOKENIZER, NONE, PromptRules(emphasis="None")).chunks
    assert len(none.tokens) > 4
    first, second = chunks("(cat:1.5) BREAK cat", TOKENIZER, NONE, PromptRules(emphasis="Ignore")).chunks
    assert (first.tokens, first.weights, second.tokens) == ((CAT,), (1.0,), (CAT,))


def test_placeholders_that_move_leave_their_embedding_behind() -> None:
    embedding = Embedding("easynegative", {"only": torch.zeros(3, 8)})
    text = "cat " * 69 + ", easynegative cat cat cat cat"
    first, second = chunks(text, TOKENIZER, EmbeddingTable([embedding], TOKENIZER), PromptRules()).chunks
    assert (len(first.tokens), first.embeddings) == (70, ((70, embedding),))
    assert (second.tokens[:3], second.embeddings) == ((0, 0, 0), ())


def test_the_longest_name_wins_whatever_its_case() -> None:
    short, long = (Embedding(name, {"only": torch.zeros(1, 8)}) for name in ("Cat", "cat DOG"))
    table = EmbeddingTable([short, long], TOKENIZER)
    (chunk,) = chunks("CAT dog, cat", TOKENIZER, table, PromptRules()).chunks
    assert chunk.embeddings == ((0, long), (2, short))


def test_old_emphasis_reads_brackets_inside_tokens() -> None:
    result = old_chunks("((cat)) [cat] cat", TOKENIZER, NONE, PromptRules(old_emphasis=True))
    (chunk,) = result.chunks
    assert chunk.tokens == (CAT,) * 3
    assert chunk.weights == pytest.approx((1.21, 1 / 1.1, 1.0))
    long = old_chunks("cat " * 100, TOKENIZER, NONE, PromptRules(old_emphasis=True))
    assert (len(long.chunks), len(long.chunks[0].tokens)) == (1, CHUNK)


def test_cleaning() -> None:
    assert clean_clip("  A\n\tcat ") == "a cat"
    assert clean_clip("\u201cit\u2019s\u201d \uff21\uff11 \ufb01n e\u0301") == '"it\'s" a1 fin é'
    assert clean_clip("a &amp; b") == "a & b"
    assert clean_clip("<i> &amp; b") == "<i> &amp; b"
    assert clean_open_clip("<i> &amp;amp; b") == "<i> & b"
    assert clean_clip("a\x07b\ufeff\x1b[31mc") == "abc"


def test_special_tokens_in_a_text_do_not_break_the_window() -> None:
    (chunk,) = chunks("cat <|endoftext|> cat", TOKENIZER, NONE, PromptRules()).chunks
    assert len(chunk.padded_tokens(CHUNK, with_zero=True)) == WINDOW
