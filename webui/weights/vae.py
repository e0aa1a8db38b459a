"""The wrapper around diffusers' VAE: pixels in 0..1 to scaled latents and back, one image at a time. Values that are
not finite are an error, never a black picture.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn

from webui.domain.errors import NotFiniteError
from webui.library.family import LatentFormat
from webui.weights import vae_tiles
from webui.weights.colour_fit import ColourFit, fit_colours
from webui.weights.vae_tiles import DECODER_PAD, ENCODER_PAD, VaeTiling, is_large

Work = Callable[[Tensor], Tensor]
ONE_BY_ONE = VaeTiling(encoder_tile=512, decoder_tile=64)


class VaeWrapper:
    """A wrapper around diffusers' AutoencoderKL (arXiv:2112.10752, section 3.1).

    Attributes:
        module: the network.
        scale, shift: latents are (output of the encoder - shift) x scale.
        downscale: pixels per latent cell and side.
        told: what the user should know of its file, a sentence; "" for nothing.
        form: counts up where the wrapper itself brings its weights into another format, and so to other places.
    """

    def __init__(
        self,
        module: AutoencoderKL,
        *,
        scale: float,
        downscale: int,
        shift: float = 0.0,
        name: str = "VAE",
        told: str = "",
    ) -> None:
        self.module = module
        self.scale = scale
        self.shift = shift
        self.downscale = downscale
        self.told = told
        self.form = 0
        self._name = name
        self._tiling: VaeTiling | None = None
        self._tiny_decoder: Work | None = None
        self._tiny_encoder: Work | None = None

    def with_tiny(self, decoder: Work | None, encoder: Work | None) -> "VaeWrapper":
        """A wrapper of the same network that has tiny ones work in its place, in one direction or both.

        Args:
            decoder: scaled latents (1, C, h, w) -> pixels (1, 3, H, W) in 0..1.
            encoder: the other way.
        """
        _ = self.colours  # found once, for both
        other = copy.copy(self)
        other._tiny_decoder, other._tiny_encoder = decoder, encoder
        return other

    @contextmanager
    def in_tiles(self, tiling: VaeTiling) -> Iterator[None]:
        """While entered, large pictures are encoded and decoded tile by tile."""
        before, self._tiling = self._tiling, tiling
        try:
            yield
        finally:
            self._tiling = before

    @property
    def dtype(self) -> torch.dtype:
        return self.module.encoder.conv_in.weight.dtype

    @property
    def device(self) -> torch.device:
        return self.module.encoder.conv_in.weight.device

    @cached_property
    def colours(self) -> ColourFit | None:
        """What its latents look like, found once by encoding a few colours; None where no linear fit tells."""
        return fit_colours(partial(self._encode, draws=None), self.downscale)

    def seen(self, form: LatentFormat) -> LatentFormat:
        """The format with this VAE's own colours, or with those that it has where they cannot be found."""
        fit = self.colours
        if fit is None or len(fit.colours) != form.channels:
            return form
        return replace(form, colours=fit.colours, base=fit.base)

    @torch.no_grad()
    def encode(self, images: Tensor, draws: torch.Generator | None = None) -> Tensor:
        """(B, 3, H, W) in 0..1 -> (B, C, h, w) float32, scaled: the posterior's mean, or a draw from it.

        Where memory runs out, means are encoded again in tiles.

        Args:
            draws: a CPU generator, used image by image.

        Raises:
            NotFiniteError: also in float32.
        """
        work = partial(self._encode, draws=draws)
        try:
            return torch.cat([self._finite(work, image[None]) for image in images]).to(images.device)
        except torch.OutOfMemoryError:
            if self._tiling is not None or draws is not None:  # what was drawn cannot be drawn again
                raise
        with self.in_tiles(ONE_BY_ONE):
            return torch.cat([self._finite(work, image[None]) for image in images]).to(images.device)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Scaled (B, C, h, w) -> (B, 3, H, W) float32 in 0..1.

        Raises:
            NotFiniteError: also in float32.
        """
        return torch.cat([self._finite(self._decode, latent[None]) for latent in latents]).to(latents.device)

    def decode_tiled(self, latents: Tensor, side: int | None = None) -> Tensor:
        """As `decode`, in tiles: as `in_tiles` says, else one after another, with memory for one tile only.

        Args:
            side: of a tile, in latent cells; None: as `in_tiles` says, else 64.
        """
        tiling = self._tiling or ONE_BY_ONE
        with self.in_tiles(tiling if side is None else replace(tiling, decoder_tile=side)):
            return self.decode(latents)

    def _encode(self, image: Tensor, draws: torch.Generator | None) -> Tensor:
        if self._tiny_encoder is not None:
            return self._tiny_encoder(image)
        pixels = image.to(self.device, self.dtype) * 2 - 1
        posterior = self._posterior(pixels)
        latents: Tensor = posterior.mode().float()
        if draws is not None:
            latents = latents + posterior.std.float() * torch.randn(latents.shape, generator=draws).to(latents)
        return (latents - self.shift) * self.scale

    def _decode(self, latent: Tensor) -> Tensor:
        if self._tiny_decoder is not None:
            return self._tiny_decoder(latent)
        scaled = (latent.to(self.device, torch.float32) / self.scale + self.shift).to(self.dtype)
        pixels = self._decoded(scaled)
        return ((pixels.float() + 1) / 2).clamp(0, 1)  # clamp keeps NaN

    def _posterior(self, pixels: Tensor) -> DiagonalGaussianDistribution:
        tiling, module = self._tiling, self.module
        if tiling is None or not is_large(pixels.shape, tiling.encoder_tile, ENCODER_PAD):
            return module.encode(pixels, return_dict=False)[0]  # type: ignore[no-any-return]
        moments = vae_tiles.encode_in_tiles(module.encoder, pixels, tiling, self.downscale)
        return DiagonalGaussianDistribution(moments if module.quant_conv is None else module.quant_conv(moments))

    def _decoded(self, latents: Tensor) -> Tensor:
        """The decoder's output (1, 3, H, W), about -1..1."""
        tiling, module = self._tiling, self.module
        if tiling is None or not is_large(latents.shape, tiling.decoder_tile, DECODER_PAD):
            return module.decode(latents, return_dict=False)[0]  # type: ignore[no-any-return]
        inner = latents if module.post_quant_conv is None else module.post_quant_conv(latents)
        return vae_tiles.decode_in_tiles(module.decoder, inner, tiling, self.downscale)

    def _finite(self, work: Work, tensor: Tensor) -> Tensor:
        """Run `work`, and if its result is not finite, again in float32, in which the module then stays: some VAEs
        (SDXL's) overflow in half precision.
        """
        if not torch.isfinite(tensor).all():
            raise NotFiniteError(f"{self._name}: what it was given holds NaN or infinity")
        result = work(tensor)
        if not torch.isfinite(result).all() and self.dtype != torch.float32:
            nn.Module.to(self.module, torch.float32)
            self.form += 1
            result = work(tensor)
        if not torch.isfinite(result).all():
            raise NotFiniteError(f"{self._name}: the result holds NaN or infinity even in float32; use another VAE")
        return result
