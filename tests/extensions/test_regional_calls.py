"""Regions in calls of the network: which text acts where, by attention, by runs of their own and by words."""

from typing import Any

import pytest
import torch

from extensions.regions.divisions import divided
from extensions.regions.options import KEEPS_AND, NOT_HIRES, RegionsOptions
from extensions.regions.region_runs import mixed_runs, run_plain
from extensions.regions.regional_attention import parts_in
from extensions.regions.regional_text import RegionalText, encoded
from extensions.regions.word_regions import WordMaps, target_word
from tests.narrowing import known
from webui.prompt.conditioning import Conditioning, Part, PromptTexts, Span
from webui.sampling.attending import Attention, AttentionLayer
from webui.sampling.steps import ModelCall, Place, Row, Step

# in the network


def fake_texts(*prompts: str) -> PromptTexts:
    """Texts whose encoding has two tokens a word, all of the sum of its letters."""

    def span(text: str) -> tuple[Span, ...]:
        return (Span(99, torch.full((2 * max(1, len(text.split())), 3), float(sum(map(ord, text))))),)

    def encode(positives: Any, negatives: Any) -> Conditioning:
        return Conditioning(tuple((Part(1.0, span(one)),) for one in positives), tuple(map(span, negatives)))

    return PromptTexts(prompts, ("bad",) * len(prompts), encode)


def regional(*prompts: str, **options: Any) -> RegionalText:
    texts = fake_texts(*prompts)
    plain = texts.encode(list(prompts), list(texts.negatives))
    return known(encoded(plain, texts, RegionsOptions(**options)))


def call_of(text: RegionalText, *prompts: str) -> ModelCall:
    """A call for the prompts and then their negative prompts, whose contexts have one length."""
    parts = [known(image)[0].spans[0].context for image in text.conditioning.positive]
    against = [spans[0].context for spans in text.conditioning.negative]
    longest = max(len(one) for one in [*parts, *against])
    context = torch.stack([torch.cat([one, one[-1:].expand(longest - len(one), -1)]) for one in [*parts, *against]])
    rows = tuple(Row(image, positive, 0) for positive in (True, False) for image in range(len(prompts)))
    layer = AttentionLayer(
        "x.attn2", "cross", "down", 0, 0, 0, 1, 3, 3, lambda context: (context[:, None], context[:, None])
    )
    count = len(rows)
    return ModelCall(
        Step(0, 4, torch.tensor(1.0), torch.tensor(0.5), Place()), torch.zeros(count, 3, 2, 4), torch.zeros(count),
        context, torch.tensor([row.positive for row in rows]), rows=rows, layers={"x.attn2": layer},
    )  # fmt: skip


def test_each_token_asks_the_text_of_its_region_and_the_negative_prompt_is_left() -> None:
    prompts = ("a BREAK b c", "only one")
    text = regional(*prompts)
    call = call_of(text, *prompts)
    layer = call.layers["x.attn2"]
    key, value = layer.project(call.context)
    due = Attention(layer, torch.zeros(4, 1, 8, 3), key, value, (0, 1, 2, 3), (2, 4), lambda q, k, v: v)
    out = parts_in(call, text)["x.attn2"](due, lambda one: one.value.mean(dim=2).expand(-1, 8, -1))
    first = out[0, :, 0].view(2, 4)
    assert (first[:, :2] == ord("a")).all()
    assert (first[:, 2:] == sum(map(ord, "b c"))).all()
    assert (out[1] == call.context[1].mean(dim=0)).all()
    assert (out[2:] == sum(map(ord, "bad"))).all()


def test_in_latent_mode_each_region_has_a_run_and_shares_are_of_its_output() -> None:
    text = regional("x ADDBASE a BREAK b", "a BREAK c", calculation="Latent", base_ratios="0.25")
    call = call_of(text, "", "")
    asked: list[int] = []

    def network(part: ModelCall) -> torch.Tensor:
        asked.append(len(part.sample))
        return part.context[:, :1, :1, None].expand(-1, 3, 2, 4).clone()

    out = mixed_runs(call, network, text)
    assert out[0, 0, 0].tolist() == pytest.approx([0.25 * ord("x") + 0.75 * ord(one) for one in "aabb"])
    assert out[1, 0, 0].tolist() == [ord(one) for one in "aacc"]
    assert (out[2:] == sum(map(ord, "bad"))).all()
    assert asked == [4, 2, 1]


def test_parts_of_and_have_regions_of_their_own_where_and_keeps_its_meaning() -> None:
    texts = fake_texts("a BREAK b AND c:0.5")
    plain = Conditioning(((Part(1.0, ()), Part(0.5, ())),), ((Span(99, torch.zeros(2, 3)),),))
    text = known(encoded(plain, texts, RegionsOptions(options=(KEEPS_AND,))))
    assert [part.weight for part in text.conditioning.positive[0]] == [1.0, 0.5]
    assert [row.division is not None for row in text.positive] == [True, False]
    assert text.of(Row(0, True, 1)) is text.positive[1]


# by words


def seen_call(number: int) -> ModelCall:
    step = Step(number, 4, torch.tensor(1.0), torch.tensor(0.5), Place(call=number))
    return ModelCall(
        step, torch.zeros(1, 3, 2, 4), torch.zeros(1), torch.zeros(1, 2, 3), torch.ones(1, dtype=torch.bool)
    )


@pytest.mark.parametrize(
    ("mode", "middle"), [("Prompt", [0.1, 0.45, 0.45]), ("Prompt-Ex", [0.1, 0.0, 0.9])], ids=["both", "the later"]
)
def test_a_region_lies_where_its_word_was_seen_until_now(mode: Any, middle: list[float]) -> None:
    maps = WordMaps(RegionsOptions(mode="Prompt", prompt_mode=mode, threshold="0.4,0.5"))
    maps.begin(seen_call(0))
    seen = torch.zeros(2, 1, 4)
    seen[0, 0, :3], seen[1, 0, 2:] = 2.0, 7.0
    seen[1, 0, 0] = 3.0  # below the threshold of the second
    maps.note(0, seen, (1, 4))
    assert maps.shares(0, (0.1, 0.1), (1, 4)) is None  # nothing was seen before this call
    maps.begin(seen_call(1))
    shares = known(maps.shares(0, (0.1, 0.1), (1, 4)))
    assert shares[:, 0, 0].tolist() == pytest.approx([0.1, 0.9, 0])
    assert shares[:, 0, 2].tolist() == pytest.approx(middle)
    assert shares[:, 0, 3].tolist() == pytest.approx([0.1, 0, 0.9])
    maps.begin(seen_call(0))
    assert maps.shares(0, (0.1, 0.1), (1, 4)) is None  # another run


def test_the_word_of_a_region_stands_behind_its_last_comma() -> None:
    assert [target_word(text) for text in ("long red hair, hair", "hair", "a, b , blue dress")] == [
        "hair",
        "hair",
        "blue dress",
    ]
    division = known(divided("a girl BREAK red hair, hair ADDP blue dress, dress", "", RegionsOptions(mode="Prompt")))
    assert division.texts == ("a girl", "red hair, hair", "blue dress, dress")
    assert divided("a girl ADDCOL b", "", RegionsOptions(mode="Prompt")) is None  # there is no base


# where regions do not act


def test_a_pass_without_regions_gets_the_prompts_as_they_stand() -> None:
    text = regional("a BREAK b", options=(NOT_HIRES,))
    call = call_of(text, "a BREAK b")
    out = run_plain(call, lambda part: part.context[:, :1, :1, None].expand(-1, 3, 2, 4).clone(), text.plain)
    assert out[:, 0, 0, 0].tolist() == [sum(map(ord, "a BREAK b")), sum(map(ord, "bad"))]
