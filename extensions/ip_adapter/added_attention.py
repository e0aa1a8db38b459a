"""What a unit adds to the cross attentions of a UNet (Ye et al. 2023, arXiv:2308.06721, equation 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import Attention, AttentionLayer, ModelCall

from .options import AdapterUnit
from .picture_tokens import PictureTokens
from .projections import Adapter
from .weight_types import LayerWeight, given_weights, layer_weights

_CROSS_SCALE = 1280  # channels at which the "C penalty" is none
Sides = tuple[Tensor, Tensor]  # for rows of the prompt, and for those of the negative prompt: (1, H, n, d)


@dataclass(frozen=True, slots=True)
class LayerTokens:
    """Keys and values of the picture in one layer, and its weight."""

    keys: Sides
    values: Sides
    weight: float


class AddedAttention:
    """One unit on one network."""

    def __init__(
        self,
        unit: AdapterUnit,
        adapter: Adapter,
        tokens: PictureTokens,
        layers: Mapping[str, AttentionLayer],
        region: Tensor | None,
        cell: int,
    ) -> None:
        """Args:
        layers: of the network.
        region: (1, 1, H, W) in 0..1, where it acts; None: everywhere.
        cell: pixels to a side of a cell of the latents.

        Raises:
            UnusableFileError: the adapter was made for another network.
        """
        self._unit = unit
        self._region, self._cell = region, cell
        self._regions: dict[tuple[int, int], Tensor] = {}
        self._layers: dict[str, LayerTokens] = {}
        weights = weights_of(unit, layers)
        for number, layer in enumerate(numbered(layers, adapter)):
            weight = weights[layer.transformer]
            if weight.weight:
                self._layers[layer.name] = _layer_tokens(adapter, number, layer, tokens, weight, unit.embeds_scaling)

    @property
    def names(self) -> Sequence[str]:
        """The layers in which it adds something."""
        return tuple(self._layers)

    def added(self, attention: Attention, call: ModelCall) -> Tensor:
        """What is added to the attention's output, (rows, S, H x d)."""
        mine = self._layers[attention.layer.name]
        sides = [int(not _positive(call, row)) for row in attention.rows]
        key, value = (torch.cat([one[side] for side in sides]).to(attention.query) for one in (mine.keys, mine.values))
        out = replace(attention, key=key, value=value).mixed() * mine.weight
        return out if self._region is None else out * self._shares(self._region, attention, call)

    def _shares(self, region: Tensor, attention: Attention, call: ModelCall) -> Tensor:
        """(1 or rows, S, 1): how much it acts at each token."""
        if call.windows:
            height, width = (side * self._cell for side in call.cells)
            whole = functional.interpolate(region, size=(height, width), mode="bilinear")
            part = call.cut(whole, self._cell)[list(attention.rows)]
            return _at(part, attention.size).to(attention.query)
        if attention.size not in self._regions:
            self._regions[attention.size] = _at(region, attention.size).to(attention.query)
        return self._regions[attention.size]


def _at(mask: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(mask, size=size, mode="bilinear").flatten(2).transpose(1, 2)


def _positive(call: ModelCall, row: int) -> bool:
    """Whether a row belongs to the prompt; an extension that asks the network by itself need not say whose rows are."""
    return call.rows[row].positive if row < len(call.rows) else bool(call.positive[row])


def weights_of(unit: AdapterUnit, layers: Mapping[str, AttentionLayer]) -> tuple[LayerWeight, ...]:
    """The weights of a unit by transformer. Raises UnusableFileError where it names one that there is not."""
    places = {layer.transformer: layer.block for layer in layers.values()}
    middle = next((number for number, block in places.items() if block == "middle"), len(places))
    if not unit.layer_weights:
        return layer_weights(unit.weight_type, unit.weight, unit.composition_weight, len(places), middle)
    try:
        return given_weights(unit.layer_weights, unit.weight, len(places))
    except ValueError as error:
        raise UnusableFileError(str(error)) from error


def numbered(layers: Mapping[str, AttentionLayer], adapter: Adapter) -> list[AttentionLayer]:
    """The cross attentions in the order of the file: encoder, decoder, middle.

    Raises:
        UnusableFileError: the adapter has others; it was made for another family of models.
    """
    crossing = [layer for layer in layers.values() if layer.kind == "cross"]
    ordered = sorted(crossing, key=lambda layer: layer.block == "middle")
    made = adapter.sizes
    there = [(layer.context_width, layer.width) for layer in ordered]
    if made != there:
        text, count = (there[0][0], len(there)) if there else (0, 0)
        raise UnusableFileError(
            f"the adapter has {len(made)} layers for a text of {adapter.shape.width} channels, the checkpoint {count} "
            f"for {text}; it was made for another family of models"
        )
    return ordered


def _layer_tokens(
    adapter: Adapter, number: int, layer: AttentionLayer, tokens: PictureTokens, weight: LayerWeight, scaling: str
) -> LayerTokens:
    """Keys and values, with the weight where it does not scale the values alone."""

    def heads(flat: Tensor) -> Tensor:
        rows, count, width = flat.shape
        return flat.view(rows, count, layer.heads, width // layer.heads).transpose(1, 2)

    keys, values = (
        tuple(heads(part[number](side)) for side in (tokens.cond, tokens.uncond))
        for part in (adapter.keys, adapter.values)
    )
    if weight.takes_away:
        keys, values = ((torch.zeros_like(one[0]), one[0]) for one in (keys, values))
    factor = weight.weight
    if scaling == "V only":
        return LayerTokens((keys[0], keys[1]), (values[0], values[1]), factor)
    if scaling != "K+V":
        factor *= layer.width / _CROSS_SCALE
    if scaling.startswith("K+mean"):
        means = [one.mean(dim=2, keepdim=True) for one in values]  # over the tokens
        values = tuple(one + mean * (factor - 1) for one, mean in zip(values, means, strict=True))
        return LayerTokens((keys[0] * factor, keys[1] * factor), (values[0], values[1]), 1.0)
    return LayerTokens((keys[0] * factor, keys[1] * factor), (values[0] * factor, values[1] * factor), 1.0)
