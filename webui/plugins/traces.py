"""Finding what a patch left behind in a model: layers, hooks, weights. Replaced functions are in `codetrace.py`."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from webui.weights.model import LoadedModel


@dataclass(frozen=True, slots=True)
class ModelTrace:
    """What a model looks like: layers with their hooks and overridden methods, where its weights lie, one value each.

    Made only for jobs in which an extension patches the model; takes some 30 ms.
    """

    layers: tuple[tuple[int, int, int, bool], ...]
    places: tuple[tuple[int, int], ...]
    vae_form: int  # `VaeWrapper.form`: the program itself brings a VAE that overflows into a wider format
    vae_places: tuple[tuple[int, int], ...]
    values: Tensor  # (weights,) float32

    @classmethod
    def of(cls, model: LoadedModel) -> "ModelTrace":
        modules = [layer for network in _networks(model) for layer in network.modules()]
        weights = [weight for network in _networks(model) for weight in network.parameters()]
        layers = tuple(
            (id(layer), len(layer._forward_hooks), len(layer._forward_pre_hooks), "forward" in layer.__dict__)
            for layer in modules
        )
        its = {id(weight) for weight in model.vae.module.parameters()}
        places = tuple((id(weight), weight.data_ptr()) for weight in weights if id(weight) not in its)
        vae_places = tuple((id(weight), weight.data_ptr()) for weight in model.vae.module.parameters())
        with torch.inference_mode():
            values = [_middle(weight) for weight in weights if weight.numel()]
            return cls(
                layers, places, model.vae.form, vae_places, torch.stack([value.float() for value in values]).cpu()
            )

    def difference(self, now: "ModelTrace") -> str:
        """What has changed since, in words; "" for nothing."""
        if self.layers != now.layers:
            return "its layers, their hooks or their methods are not as they were"
        if self.places != now.places or (self.vae_form == now.vae_form and self.vae_places != now.vae_places):
            return "its weights are other tensors than before"
        if not torch.equal(self.values.nan_to_num(), now.values.nan_to_num()):
            return "its weights have other values than before"
        return ""


def _middle(weight: Tensor) -> Tensor:
    """The value in the middle of its memory, whatever the layout (channels last on fast CPUs)."""
    return weight.as_strided((), (), weight.storage_offset() + weight.numel() // 2)


def _networks(model: LoadedModel) -> Iterator[nn.Module]:
    """The modules that patches may act on."""
    yield model.network.module
    yield model.vae.module
    for encoder in model.text.encoders:
        module = getattr(encoder, "module", None)
        if isinstance(module, nn.Module):
            yield module
