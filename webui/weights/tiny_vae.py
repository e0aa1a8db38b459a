"""Tiny autoencoders (TAESD, madebyollin): small networks that decode and encode nearly what a checkpoint's VAE does, at
a fraction of its cost. Their files are the user's.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor, nn

from webui.domain.errors import UnusableFileError
from webui.library.cache import version
from webui.library.library import ModelLibrary
from webui.library.tiny_vaes import TinyPart, find_tiny, tensors_of
from webui.weights.build import check_finite
from webui.weights.convert import ensure_safetensors
from webui.weights.model import LoadedModel
from webui.weights.tensors import TensorFile, TensorSource
from webui.weights.unfilled import unfilled

KEPT = 4  # halves in memory; each is 5 MB
Half = Callable[[Tensor], Tensor]  # decoder: latents -> pixels in 0..1; encoder: pixels in 0..1 -> latents


def build_half(source: TensorSource, part: TinyPart, channels: int, device: torch.device) -> Half:
    """One half from a file's tensors, in float32.

    Args:
        channels: of the latents that it is for.

    Returns:
        For a decoder (B, C, h, w) latents as they are sampled -> (B, 3, H, W); for an encoder the other way.

    Raises:
        UnusableFileError: it is no such network, or one for other latents. NotFiniteError: a weight is NaN or infinite.
    """
    keys = tensors_of(source.names(), part)
    if not keys:
        raise UnusableFileError(f"there is no {part} of a tiny autoencoder in it")
    width = source.shape(keys["0.weight"])[0] if "0.weight" in keys else 64
    with unfilled():
        whole = AutoencoderTiny(
            latent_channels=channels,
            encoder_block_out_channels=(width,) * 4,
            decoder_block_out_channels=(width,) * 4,
        )
    half: nn.Module = whole.decoder if part == "decoder" else whole.encoder
    for name, parameter in list(half.named_parameters()):
        place = name.removeprefix("layers.")
        if place not in keys:
            raise UnusableFileError(f"tensor {place} of the {part} is missing; the file is incomplete, or another kind")
        tensor = source.read_as(keys[place], torch.float32)
        if tensor.shape != parameter.shape:
            raise UnusableFileError(
                f"tensor {keys[place]} has the shape {tuple(tensor.shape)}, expected {tuple(parameter.shape)}: "
                "it is made for other latents, or of another kind"
            )
        check_finite(keys[place], tensor)
        owner, _, leaf = name.rpartition(".")
        setattr(half.get_submodule(owner), leaf, nn.Parameter(tensor.to(device), requires_grad=False))
    half.eval()
    return _decoding(half, device) if part == "decoder" else _encoding(half, device)


def _decoding(decoder: nn.Module, device: torch.device) -> Half:
    def decode(latents: Tensor) -> Tensor:
        pixels: Tensor = decoder(latents.to(device, torch.float32))  # diffusers gives -1..1
        return ((pixels + 1) / 2).clamp(0, 1)

    return decode


def _encoding(encoder: nn.Module, device: torch.device) -> Half:
    def encode(pixels: Tensor) -> Tensor:
        latents: Tensor = encoder(pixels.to(device, torch.float32) * 2 - 1)
        return latents

    return encode


class TinyVaes:
    """Reads tiny autoencoders from the models folder, and keeps the last ones."""

    def __init__(self, library: ModelLibrary) -> None:
        self._library = library
        self._kept: dict[tuple[Path, str, TinyPart, str], Half] = {}

    def half(self, model: LoadedModel, part: TinyPart) -> Half:
        """One half for a checkpoint, on its device.

        Raises:
            UnknownModelError: there is no file of its name. UnusableFileError: it cannot be used.
        """
        spec, device = model.spec, model.device
        file = find_tiny(self._library.files("taesd"), spec.family.tiny_vae, part, spec.family.label)
        key = (file.path, version(file.path), part, str(device))
        if key not in self._kept:
            path = ensure_safetensors(self._library, file)
            try:
                with TensorFile(path) as source:
                    half = build_half(source, part, spec.latents.channels, device)
            except UnusableFileError as error:
                raise UnusableFileError(f"{file.name}: {error}") from error
            if len(self._kept) == KEPT:
                self._kept.clear()
            self._kept[key] = half
        return self._kept[key]

    def in_place_of_vae(self, model: LoadedModel, *, decodes: bool, encodes: bool) -> LoadedModel:
        """The model, its VAE replaced in one direction or both; its weights are shared. Raises as `half`."""
        if not (decodes or encodes):
            return model
        decoder = self.half(model, "decoder") if decodes else None
        encoder = self.half(model, "encoder") if encodes else None
        return replace(model, vae=model.vae.with_tiny(decoder, encoder))

    def clear(self) -> None:
        """Release their memory."""
        self._kept.clear()
