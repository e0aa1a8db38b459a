"""How encoded chunks become conditioning, seen through a stand-in encoder whose rows tell which token made them."""

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor

from webui.domain.errors import BadRequestError
from webui.domain.request import SDXL, PromptRules
from webui.prompt.conditioning import Conditioning
from webui.prompt.embeddings import Embedding
from webui.prompt.encode import PromptEncoder, embed_numbers, emphasize
from webui.prompt.ports import Encoded, Splice, TextEncoder, TextStack
from webui.prompt.tokenize import END, ClipTokenizer
from webui.weights.families.registry import FAMILIES

TOKENIZER = ClipTokenizer()
CAT, DOG = 2368, 1929


class Echo(TextEncoder):
    """Answers with each token id / 1000 in every channel; pooled is the second token."""

    def __init__(self, width: int, slot: Literal["clip_l", "clip_g"], *, pooled: bool = False) -> None:
        self.width = width
        self.slot = slot
        self.pads_with_zero = slot == "clip_g"
        self.pooled = pooled
        self.rows: list[list[int]] = []
        self.skips: list[int] = []
        self.splices: list[Splice] = []

    def encode(self, tokens: Tensor, splices: Sequence[Sequence[Splice]], *, clip_skip: int) -> Encoded:
        self.rows += tokens.tolist()
        self.skips.append(clip_skip)
        self.splices += [splice for row in splices for splice in row]
        hidden = (tokens / 1000)[..., None].expand(-1, -1, self.width).clone()
        return Encoded(hidden, hidden[:, 1] if self.pooled else None)


def stack_of(family: str) -> TextStack:
    first, second = Echo(4, "clip_l"), Echo(6, "clip_g", pooled=family != "sd2")
    encoders = {"sd1": (first,), "sd2": (second,), "sdxl": (first, second), "sdxl_refiner": (second,)}
    (side,) = (one.text for one in FAMILIES if one.name == family)
    return TextStack(side, encoders[family])


def encode(
    prompt: str,
    negative: str = "",
    *,
    stack: TextStack | None = None,
    rules: PromptRules | None = None,
    clip_skip: int = 1,
    sdxl: SDXL | None = None,
    base_calls: int | None = None,
    embeddings: Sequence[Embedding] = (),
) -> Conditioning:
    return PromptEncoder(stack or stack_of("sd1"), TOKENIZER, embeddings).encode(
        [prompt],
        [negative],
        calls=10,
        rules=rules or PromptRules(),
        clip_skip=clip_skip,
        size=(832, 1216),
        sdxl=sdxl or SDXL(),
        base_calls=base_calls,
    )


def test_chunks_follow_each_other_along_tokens() -> None:
    ((part,),) = encode("cat BREAK dog").positive
    (span,) = part.spans
    assert span.context.shape == (154, 4)
    assert span.context[[1, 78], 0].tolist() == pytest.approx([CAT / 1000, DOG / 1000])


def test_and_parts_have_weights_and_schedules() -> None:
    ((first, second),) = encode("[cat:dog:4] AND dog:0.5").positive
    assert [span.until for span in first.spans] == [4, 10]
    assert (second.weight, [span.until for span in second.spans]) == (0.5, [10])
    assert [span.until for part in encode("[a:b:14]", base_calls=10).positive[0] for span in part.spans] == [4, 10]


def test_the_negative_prompt_knows_no_and() -> None:
    spans = encode("cat", "cat AND dog").negative[0]
    assert [span.until for span in spans] == [10]
    assert spans[0].context[2, 0].item() == pytest.approx(TOKENIZER.ids(["and"])[0][0] / 1000)


def test_equal_texts_are_encoded_once() -> None:
    stack = stack_of("sd1")
    PromptEncoder(stack, TOKENIZER).encode(
        ["[cat|dog]", "[cat|dog]"],
        ["cat", "cat"],
        calls=20,
        rules=PromptRules(),
        clip_skip=1,
        size=(512, 512),
        sdxl=SDXL(),
    )
    (encoder,) = stack.encoders
    assert isinstance(encoder, Echo)
    assert len(encoder.rows) == 3


def test_the_empty_prompt_is_encoded_where_lengths_differ() -> None:
    assert encode("cat", "dog").empty is None
    empty = encode("cat BREAK cat", "dog").empty
    assert empty is not None
    assert empty.shape == (77, 4)
    assert empty[1:, 0].tolist() == pytest.approx([END / 1000] * 76)


def test_original_emphasis_keeps_the_mean_of_a_whole_schedule() -> None:
    spans = encode("[(cat:1.5)|dog]").positive[0][0].spans
    plain = encode("[cat|dog]").positive[0][0].spans
    mean = torch.stack([span.context for span in spans]).mean()
    assert mean.item() == pytest.approx(torch.stack([span.context for span in plain]).mean().item(), rel=1e-5)
    assert not torch.equal(spans[1].context, plain[1].context)  # the unweighted text is scaled too


def test_no_norm_multiplies_and_ignore_does_not() -> None:
    def row(emphasis: Literal["No norm", "Ignore"]) -> float:
        ((part,),) = encode("(cat:1.5)", rules=PromptRules(emphasis=emphasis)).positive
        return part.spans[0].context[1, 0].item()

    assert row("No norm") == pytest.approx(1.5 * CAT / 1000)
    assert row("Ignore") == pytest.approx(CAT / 1000)


def test_repeated_texts_count_in_the_mean_as_often_as_they_stand() -> None:
    hidden = torch.randn(2, 77, 4) + 3
    weights = torch.ones(2, 77)
    weights[0, 1:9] = 1.7
    whole = emphasize(hidden[[0, 0, 1]], weights[[0, 0, 1]], torch.ones(3), keep_mean=True)
    short = emphasize(hidden, weights, torch.tensor([2.0, 1.0]), keep_mean=True)
    torch.testing.assert_close(whole[1:], short)


@pytest.mark.parametrize(
    ("family", "sdxl", "expected"),
    [("sd1", SDXL(), 3), ("sd2", SDXL(), 0), ("sdxl", SDXL(), 0), ("sdxl", SDXL(clip_l_skip=True), 3)],
)
def test_clip_skip_reaches_the_families_that_honour_it(family: str, sdxl: SDXL, expected: int) -> None:
    stack = stack_of(family)
    encode("cat", stack=stack, clip_skip=3, sdxl=sdxl)
    (skips,) = {tuple(set(encoder.skips)) for encoder in stack.encoders if isinstance(encoder, Echo)}
    assert skips == (expected,)


def test_sdxl_joins_both_encoders_and_describes_sizes() -> None:
    conditioning = encode("cat", "dog", stack=stack_of("sdxl"), sdxl=SDXL(crop_top=16, crop_left=48))
    (span,) = conditioning.positive[0][0].spans
    assert span.context.shape == (77, 10)
    assert span.vector is not None
    assert span.vector[:6].tolist() == pytest.approx([CAT / 1000] * 6)
    sizes = embed_numbers(torch.tensor([1216.0, 832.0, 16.0, 48.0, 1216.0, 832.0]))
    torch.testing.assert_close(span.vector[6:], sizes.flatten())


def test_the_refiner_is_told_different_scores_for_the_two_prompts() -> None:
    conditioning = encode("cat", "dog", stack=stack_of("sdxl_refiner"))
    for span, score in ((conditioning.positive[0][0].spans[0], 6.0), (conditioning.negative[0][0], 2.5)):
        assert span.vector is not None
        sizes = embed_numbers(torch.tensor([1216.0, 832.0, 0.0, 0.0, score]))
        torch.testing.assert_close(span.vector[6:], sizes.flatten())


@pytest.mark.parametrize(("negative", "zero"), [("", True), (" ", False), ("[:cat:11]", True), ("[:cat:3]", False)])
def test_sdxl_zeroes_a_negative_prompt_that_is_always_empty(negative: str, zero: bool) -> None:
    conditioning = encode("", negative, stack=stack_of("sdxl"))
    (span, *_) = conditioning.negative[0]
    assert span.vector is not None
    assert (not span.context.any()) == zero
    assert (not span.vector[:6].any()) == zero
    assert span.vector[6:].any()
    assert conditioning.positive[0][0].spans[0].context.any()


def test_each_encoder_gets_its_part_of_an_embedding() -> None:
    stack = stack_of("sdxl")
    both = Embedding("both", {"clip_l": torch.full((2, 4), 1.0), "clip_g": torch.full((2, 6), 2.0)})
    wrong = Embedding("wrong", {"only": torch.zeros(1, 4)})
    encode("a both wrong", stack=stack, embeddings=[both, wrong])
    assert PromptEncoder(stack, TOKENIZER, [both, wrong]).embeddings == (both,)
    first, second = stack.encoders
    assert isinstance(first, Echo)
    assert isinstance(second, Echo)
    assert [(splice.offset, splice.vectors.tolist()) for splice in first.splices] == [
        (1, both.parts["clip_l"].tolist())
    ]
    assert [(splice.offset, splice.vectors.tolist()) for splice in second.splices] == [
        (1, both.parts["clip_g"].tolist())
    ]


def test_texts_of_one_schedule_have_equal_lengths() -> None:
    spans = encode("[cat BREAK cat:dog:3]").positive[0][0].spans
    assert {len(span.context) for span in spans} == {154}


def test_encoders_that_cut_a_text_differently_still_fit_together() -> None:
    entities = "<&amp;> " * 30  # more tokens for CLIP-L, which leaves entities beside a '<' alone
    (span,) = encode(entities, stack=stack_of("sdxl")).positive[0][0].spans
    assert span.context.shape[0] > 77


def test_errors_name_the_prompt() -> None:
    with pytest.raises(BadRequestError, match=r"^prompt: "):
        encode("(a:1.2.3)")
    with pytest.raises(BadRequestError, match=r"^negative_prompt: "):
        encode("a", "(a:1.2.3)")


def test_old_emphasis_is_for_sd1_only() -> None:
    rules = PromptRules(old_emphasis=True, emphasis="No norm")
    ((part,),) = encode("((cat))", rules=rules).positive
    assert part.spans[0].context[1, 0].item() == pytest.approx(1.21 * CAT / 1000)
    assert encode("cat " * 80, rules=rules).positive[0][0].spans[0].context.shape == (77, 4)
    assert encode("cat " * 80, rules=rules, stack=stack_of("sdxl")).positive[0][0].spans[0].context.shape == (154, 10)
