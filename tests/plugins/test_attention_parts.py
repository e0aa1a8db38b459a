"""Extensions within attention: their order, and what becomes of faults."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.plugins.test_jobhooks import CALL, joined
from webui.extension_api.markers import hookimpl
from webui.sampling.attending import Attend, Attention, AttentionLayer, TakePart
from webui.sampling.steps import ModelCall

LAYER = AttentionLayer("one", "cross", "down", 0, 0, 0, 1, 2, 3, lambda context: (context, context))
ONES = torch.ones(1, 1, 4, 2)
DUE = Attention(LAYER, ONES, ONES, ONES, (0,), (2, 2), lambda query, key, value: value.transpose(1, 2).flatten(2))
HERE = replace(CALL, layers={"one": LAYER})


class Takes:
    def __init__(self, answer: Any, layer: str = "one") -> None:
        self._answer = answer
        self._layer = layer

    @hookimpl
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart]:
        return {self._layer: self._answer}


def plus_one(attention: Attention, attend: Attend) -> Tensor:
    return attend(attention) + 1


def doubled(attention: Attention, attend: Attend) -> Tensor:
    return 2 * attend(attention)


def broken(attention: Attention, attend: Attend) -> Tensor:
    attend(attention)
    raise RuntimeError("no")


def flat(attention: Attention, attend: Attend) -> Tensor:
    return torch.zeros(3)


def test_the_first_extension_stands_around_the_second() -> None:
    parts = joined(a=Takes(plus_one), b=Takes(doubled)).unet_attention(HERE)
    assert torch.equal(parts["one"](DUE, Attention.mixed), torch.full((1, 4, 2), 3.0))
    assert not joined().unet_attention(HERE)


@pytest.mark.parametrize("bad", [broken, flat], ids=["raises", "shape"])
def test_where_one_fails_the_others_stay(bad: TakePart) -> None:
    hooks = joined(bad=Takes(bad), good=Takes(doubled))
    part = hooks.unet_attention(HERE)["one"]
    for _ in range(2):
        assert torch.equal(part(DUE, Attention.mixed), torch.full((1, 4, 2), 2.0))
    assert [notice.source for notice in hooks.notices] == ["bad"]
    assert hooks.members == ("good",)


def test_a_layer_that_is_not_there_is_told() -> None:
    hooks = joined(a=Takes(usual_layer, "two"))
    assert not hooks.unet_attention(HERE)
    assert "a layer 'two', which this checkpoint's network does not have" in hooks.notices[0].text


def usual_layer(attention: Attention, attend: Attend) -> Tensor:
    return attend(attention)


def test_who_made_the_output_not_finite_is_left_out() -> None:
    hooks = joined(a=Takes(plus_one))
    hooks.unet_attention(HERE)
    hooks.refuse_attention()
    assert hooks.members == ()
    assert "NaN or infinite" in hooks.notices[0].text


def test_what_the_network_raises_is_no_fault_of_an_extension() -> None:
    hooks = joined(a=Takes(plus_one))

    def failing(attention: Attention) -> Tensor:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        hooks.unet_attention(HERE)["one"](DUE, failing)
    assert not hooks.notices
