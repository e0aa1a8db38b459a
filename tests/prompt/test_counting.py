"""Counting tokens for the page: the longest text that a prompt comes to, in chunks of 75; and without torch."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webui.domain.errors import BadRequestError
from webui.domain.request import PromptRules
from webui.prompt.counting import PromptCounter, TokenCount, VectorCount, unmatched
from webui.prompt.tokenize import SPECIAL, START, ClipTokenizer

COUNTER = PromptCounter(ClipTokenizer(), [VectorCount("easynegative", 8)])
ROOT = Path(__file__).parents[2]


def used(text: str, *, steps: int = 20, negative: bool = False, rules: PromptRules | None = None) -> int:
    return COUNTER.count(text, size=75, steps=steps, rules=rules or PromptRules(), negative=negative).used


def test_counts_are_those_of_the_encoder() -> None:
    assert COUNTER.count("", size=75, steps=20, rules=PromptRules()) == TokenCount(0, 75)
    assert COUNTER.count("cat", size=75, steps=20, rules=PromptRules()) == TokenCount(1, 75)
    assert COUNTER.count("cat BREAK cat", size=75, steps=20, rules=PromptRules()) == TokenCount(76, 150)
    assert COUNTER.count("cat BREAK BREAK dog", size=75, steps=20, rules=PromptRules()) == TokenCount(151, 225)
    assert COUNTER.count("cat " * 75, size=75, steps=20, rules=PromptRules()) == TokenCount(75, 75)
    assert COUNTER.count("cat " * 76, size=75, steps=20, rules=PromptRules()) == TokenCount(76, 150)


def test_only_what_is_encoded_counts() -> None:
    assert used("cat <lora:ink:0.8>") == 1
    assert used("<lora:ink>", negative=True) > 1  # a negative prompt has no tags
    assert used("cat # a remark") == 1
    assert used("cat # a remark", rules=PromptRules(comments=False)) > 1
    assert used("((cat:1.5))") == 1
    assert used("(cat)", rules=PromptRules(emphasis="None")) == 3


def test_the_longest_part_and_the_longest_step_count() -> None:
    assert used("cat AND a very big dog") == 4
    assert used("cat AND dog", negative=True) == 3  # AND is a word there
    assert used("[cat:two dogs:10]") == 2
    assert used("[cat|a dog|one big dog]") == 3
    assert used("[cat|a dog|one big dog]", steps=1) == 1


def test_an_embedding_takes_as_many_tokens_as_it_has_vectors() -> None:
    assert used("a cat, EasyNegative") == 3 + 8


def test_a_weight_that_is_no_number_is_named() -> None:
    with pytest.raises(BadRequestError, match=r"^negative_prompt: "):
        used("(a:1.2.3)", negative=True)


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["cat", ",", "BREAK", "(x:1.2)", "[a|b]", "AND", "é", "<lora:x>"]), max_size=120))
def test_the_limit_is_the_next_multiple_of_75(words: list[str]) -> None:
    count = COUNTER.count(" ".join(words), size=75, steps=3, rules=PromptRules())
    assert count.limit % 75 == 0
    assert max(count.limit - 75, 0) <= count.used <= count.limit


@pytest.mark.parametrize(
    ("text", "pairs"),
    [("(a) [b] {c}", ""), ("(a", "()"), (r"\(a", ""), (r"\\(a", "()"), ("[a}", "[]{}"), (":)", "()"), ("\\", "")],
)
def test_brackets_that_lack_their_other_side(text: str, pairs: str) -> None:
    assert unmatched(text) == pairs


def test_words_and_marks_are_cut_as_clip_cuts_them() -> None:
    (ids,) = ClipTokenizer().ids([f"It's 42 {SPECIAL[0]}"])
    assert ids == [585, 568, 275, 273, START]


def test_counting_needs_no_torch() -> None:
    code = "import sys, webui.prompt.counting; sys.exit(sorted({'torch', 'transformers'} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
