"""The LoRA that lies inside files of FaceID: a low-rank change of every attention projection of the UNet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import AttentionLayer, LoadedModel

Pairs = Mapping[tuple[int, str], tuple[Tensor, Tensor]]
_PROJECTIONS = ("q", "k", "v", "out")


@contextmanager
def applied(model: LoadedModel, loras: Sequence[tuple[Pairs, float, str]]) -> Iterator[None]:
    """While entered, the changes act.

    Args:
        loras: each with its strength and the name of its file.

    Raises:
        UnusableFileError: one was made for another network.
    """
    handles = []
    try:
        for pairs, strength, name in loras:
            for (number, letter), (down, up) in pairs.items() if strength else ():
                layer = _projection(model, number, letter, name)
                if (down.shape[1], up.shape[0]) != (layer.in_features, layer.out_features):
                    raise UnusableFileError(f"{name}: the LoRA inside it was made for another family of models")
                handles.append(layer.register_forward_hook(partial(_changed, down, up, strength)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def ordered(layers: Mapping[str, AttentionLayer]) -> list[AttentionLayer]:
    """All attention layers in the order of the files: encoder, decoder, middle; self-attention before its neighbour."""
    return sorted(layers.values(), key=lambda layer: layer.block == "middle")


def _projection(model: LoadedModel, number: int, letter: str, name: str) -> nn.Linear:
    layers = ordered(model.unet.layers)
    if number >= len(layers) or letter not in _PROJECTIONS:
        raise UnusableFileError(f"{name}: the checkpoint {model.file.name} has no attention layer {number}")
    attention: Any = model.unet.module.get_submodule(layers[number].name)
    layer = attention.to_out[0] if letter == "out" else getattr(attention, f"to_{letter}")
    if not isinstance(layer, nn.Linear):
        raise UnusableFileError(f"{name}: layer {number} of {model.file.name} is no matrix; its LoRA cannot act there")
    return layer


def _changed(
    down: Tensor, up: Tensor, strength: float, layer: nn.Module, inputs: tuple[Any, ...], output: Any
) -> Tensor:
    hidden: Tensor = inputs[0]
    change = torch.nn.functional.linear(torch.nn.functional.linear(hidden, down.to(hidden)), up.to(hidden))
    return output + change * strength  # type: ignore[no-any-return]
