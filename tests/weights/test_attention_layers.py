"""Attention that extensions take part in: equal to the bit where they change nothing, and what each may do."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.library.small import small_checkpoint
from tests.weights.test_build import call, door
from webui.sampling.attending import Attend, Attention, TakePart
from webui.sampling.steps import ModelCall
from webui.weights.attention_layers import token_grid
from webui.weights.unet import UnetWrapper


@pytest.fixture(scope="module")
def unet() -> UnetWrapper:
    return door(small_checkpoint(5))


def answered(unet: UnetWrapper, part: TakePart, kinds: tuple[str, ...] = ("self", "cross")) -> Tensor:
    parts = {name: part for name, layer in unet.layers.items() if layer.kind in kinds}
    return unet(replace(call(), taking_part=parts), None)


def usual(attention: Attention, attend: Attend) -> Tensor:
    return attend(attention)


def processors(unet: UnetWrapper) -> Mapping[str, int]:
    return {name: id(unet.module.get_submodule(name).processor) for name in unet.layers}


def test_who_changes_nothing_changes_no_bit_and_leaves_no_trace(unet: UnetWrapper) -> None:
    before, expected = processors(unet), unet(call(), None)
    assert torch.equal(answered(unet, usual), expected)
    assert processors(unet) == before


def test_row_by_row_and_through_its_own_projections_an_attention_is_the_same(unet: UnetWrapper) -> None:
    asked: ModelCall = call()

    def apart(attention: Attention, attend: Attend) -> Tensor:
        assert attention.size[0] * attention.size[1] == attention.query.shape[2]
        told = attention.about(asked.context)
        return torch.cat([attend(told.of([row])) for row in attention.rows])

    torch.testing.assert_close(answered(unet, apart, ("cross",)), unet(asked, None))


def test_values_alone_are_another_picture(unet: UnetWrapper) -> None:
    """The perturbed attention of PAG: every token keeps its own value."""

    def perturbed(attention: Attention, attend: Attend) -> Tensor:
        return attention.value.transpose(1, 2).flatten(2)

    assert not torch.allclose(answered(unet, perturbed, ("self",)), unet(call(), None))


def test_layers_are_listed_in_the_order_of_execution(unet: UnetWrapper) -> None:
    seen: list[str] = []

    def noted(attention: Attention, attend: Attend) -> Tensor:
        seen.append(attention.layer.name)
        return attend(attention)

    answered(unet, noted)
    assert seen == list(unet.layers)
    crossing = [layer for layer in unet.layers.values() if layer.kind == "cross"]
    assert [layer.position for layer in crossing] == list(range(len(crossing)))
    assert {layer.context_width for layer in crossing} == {call().context.shape[-1]}


def test_an_unknown_layer_is_refused(unet: UnetWrapper) -> None:
    with pytest.raises(ValueError, match="no attention layer lost"):
        unet(replace(call(), taking_part={"lost": usual}), None)


@pytest.mark.parametrize(
    ("latents", "level", "tokens", "size"),
    [((9, 7), 1, 20, (5, 4)), ((64, 64), 3, 64, (8, 8)), ((64, 32), 0, 512, (32, 16))],
)
def test_the_size_of_a_layer(latents: tuple[int, int], level: int, tokens: int, size: tuple[int, int]) -> None:
    """The last one is of a network that was made to work at half the size."""
    assert token_grid(latents, level, tokens) == size
