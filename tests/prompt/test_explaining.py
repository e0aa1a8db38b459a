"""What a prompt comes to is what encoding is given: the same tokens and weights, the same texts at the same calls."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.domain.errors import BadRequestError
from webui.domain.request import PromptRules
from webui.prompt.chunks import chunks
from webui.prompt.composition import extra_networks, split_and, strip_comments
from webui.prompt.counting import VectorCount
from webui.prompt.embedding_table import EmbeddingTable
from webui.prompt.explaining import MOST_PARTS, MOST_TEXTS, Explanation, Piece, PromptExplainer
from webui.prompt.schedule import schedules
from webui.prompt.tokenize import ClipTokenizer

TOKENIZER = ClipTokenizer()
NAMED = [VectorCount("easynegative", 8)]
EXPLAINER = PromptExplainer(TOKENIZER, NAMED)
RULES = PromptRules()
WORDS = [
    "cat",
    ",",
    "BREAK",
    "(x:1.2)",
    "[a|b]",
    "[a:b:0.5]",
    "AND",
    "é",
    "🌊",
    "猫",
    "easynegative",
    "<lora:x:1>",
    "\n# no\n",
]


def explained(text: str, calls: int = 20, *, negative: bool = False, rules: PromptRules = RULES) -> Explanation:
    return EXPLAINER.explain(text, size=75, calls=calls, rules=rules, negative=negative)


def words(found: Explanation, part: int = 0, text: int = 0) -> list[list[tuple[str, float]]]:
    told = found.parts[part].texts[text].chunks
    assert told is not None
    return [[(piece.text, piece.weight) for piece in chunk] for chunk in told]


def test_words_weights_and_chunks() -> None:
    assert words(explained("a (big:1.5) cat BREAK [dog]")) == [
        [("a", 1), ("big", 1.5), ("cat", 1)], [("dog", pytest.approx(1 / 1.1))]
    ]  # fmt: skip
    (chunk,) = explained("kitchensink EasyNegative 🌊").parts[0].texts[0].chunks or ()
    assert [piece.text for piece in chunk if not piece.is_embedding] == ["kitchen", "sink", "🌊"]
    assert [piece.ends_word for piece in chunk[:2]] == [False, True]
    assert chunk[2] == Piece("easynegative", 1.0, 8, ends_word=True, is_embedding=True)


def test_parts_tags_and_comments_are_told_apart() -> None:
    found = explained("a cat <lora:ink:0.8> # a remark\nAND a dog :1.5")
    assert [part.weight for part in found.parts] == [1, 1.5]
    assert [(tag.kind, tag.positional) for tag in found.tags] == [("lora", ("ink", "0.8"))]
    assert found.has_comments
    plain = explained("a cat <lora:ink> AND a dog", negative=True)
    assert (len(plain.parts), plain.tags, plain.has_comments) == (1, (), False)


def test_a_text_is_told_once_with_all_its_calls() -> None:
    (part,) = explained("[cat|dog]", 5).parts
    assert [(one.text, one.calls) for one in part.texts] == [
        ("cat", ((1, 1), (3, 3), (5, 5))), ("dog", ((2, 2), (4, 4)))
    ]  # fmt: skip
    (part,) = explained("a [cat:dog:0.25]", 20).parts
    assert [(one.text, one.calls) for one in part.texts] == [("a cat", ((1, 5),)), ("a dog", ((6, 20),))]


def test_the_old_emphasis_cuts_what_does_not_fit_into_one_chunk() -> None:
    found = EXPLAINER.explain("cat " * 80, size=75, calls=20, rules=RULES, old=True)
    (text,) = found.parts[0].texts
    assert (text.cut, [len(chunk) for chunk in text.chunks or ()]) == (5, [75])
    assert explained("cat " * 80).parts[0].texts[0].cut == 0


def test_a_prompt_without_end_is_told_in_part() -> None:
    found = explained(" AND ".join(["cat"] * (MOST_PARTS + 5)))
    assert (len(found.parts), found.left_out) == (MOST_PARTS, 5)
    many = "|".join(f"cat{number}" for number in range(MOST_TEXTS + 6))
    texts = explained(f"[{many}]", 150).parts[0].texts
    assert [one.chunks is None for one in texts] == [False] * MOST_TEXTS + [True] * 6
    assert all(one.calls for one in texts)


def test_a_weight_that_is_no_number_is_named() -> None:
    with pytest.raises(BadRequestError, match=r"^negative_prompt: "):
        explained("(a:1.2.3)", negative=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=100), st.integers(1, 12), st.booleans())
def test_it_tells_what_encoding_is_given(pieces: list[str], calls: int, comma: bool) -> None:
    text = (", " if comma else " ").join(pieces)
    rules = replace_backtrack(RULES, 20 if comma else 0)
    found = explained(text, calls, rules=rules)
    parts = split_and(extra_networks(strip_comments(text))[0])
    table = EmbeddingTable(NAMED, TOKENIZER)
    assert [part.weight for part in found.parts] == [weight for _, weight in parts[:MOST_PARTS]]
    for part, (source, _) in zip(found.parts, parts, strict=False):
        at = {call: one for one in part.texts for first, last in one.calls for call in range(first, last + 1)}
        first = 1
        for until, one in schedules(source, calls):
            assert {at[call].text for call in range(first, until + 1)} == {one}
            first = until + 1
            wanted = chunks(one, TOKENIZER, table, rules, size=75).chunks
            told = at[until].chunks
            assert told is not None
            weights = [[piece.weight for piece in chunk for _ in range(piece.tokens)] for chunk in told]
            assert weights == [list(chunk.weights)[: len(chunk.tokens)] for chunk in wanted]


def replace_backtrack(rules: PromptRules, tokens: int) -> PromptRules:
    return rules.model_copy(update={"comma_padding_backtrack": tokens})
