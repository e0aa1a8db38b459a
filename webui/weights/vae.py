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
from torch import Tensor

from webui.domain.errors import NotFiniteError
from webui.library.family import LatentFormat
from webui.weights import vae_tiles
from webui.weights.colour_fit import ColourFit, fit_colours
from webui.weights.estimates import decoder_activations, encoder_activations
from webui.weights.recovery import Rung
from webui.weights.resident import Resident
from webui.weights.vae_tiles import DECODER_PAD, ENCODER_PAD, VaeTiling, is_large

Work = Callable[[Tensor], Tensor]
ONE_BY_ONE = VaeTiling(encoder_tile=512, decoder_tile=64)
TILE, SMALL_TILE = 64, 32  # latent cells
_LOWER = "lower width and height, or start with --tiled-vae"


class VaeWrapper:
    """A wrapper around diffusers' AutoencoderKL (arXiv:2112.10752, section 3.1).

    Attributes:
        module: the network.
        scale, shift: latents are (output of the encoder - shift) x scale.
        downscale: pixels per latent cell and side.
        told: what the user should know of its file, a sentence; "" for nothing.
        resident: the network as what may leave the device.
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
        self._name = name
        self._tiling: VaeTiling | None = None
        self.resident = Resident("VAE", module)
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
        return self.resident.device or self.module.encoder.conv_in.weight.device

    @cached_property
    def colours(self) -> ColourFit | None:
        """What its latents look like, found once by encoding a few colours; None where no linear fit tells."""
        with self.resident.use():
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

        Where memory runs out, or is expected to, an image is encoded again in tiles.

        Args:
            draws: a CPU generator, used image by image.

        Raises:
            NotFiniteError: also in float32.
            MemoryShortError: not even small tiles have room.
        """
        height, width = images.shape[-2:]
        channels = self.module.encoder.conv_in.out_channels
        cells = (height // self.downscale, width // self.downscale)
        needed = encoder_activations(height, width, channels, self.dtype)
        work = f"encoding {width} x {height} pixels"

        def encoded(image: Tensor) -> Tensor:
            state = None if draws is None else draws.get_state()

            def attempt() -> Tensor:
                if draws is not None and state is not None:
                    draws.set_state(state)
                return self._finite(partial(self._encode, draws=draws), image)

            return self._run(attempt, work, cells, ENCODER_PAD // self.downscale, needed)

        return torch.cat([encoded(image[None]) for image in images]).to(images.device)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Scaled (B, C, h, w) -> (B, 3, H, W) float32 in 0..1.

        Where memory runs out, or is expected to, an image is decoded again in tiles.

        Raises:
            NotFiniteError: also in float32.
            MemoryShortError: not even small tiles have room.
        """
        cells = (latents.shape[-2], latents.shape[-1])
        height, width = (side * self.downscale for side in cells)
        needed = decoder_activations(height, width, self.module.decoder.conv_out.in_channels, self.dtype)
        work = f"decoding {width} x {height} pixels"

        def decoded(latent: Tensor) -> Tensor:
            return self._run(lambda: self._finite(self._decode, latent), work, cells, DECODER_PAD, needed)

        return torch.cat([decoded(latent[None]) for latent in latents]).to(latents.device)

    def decode_tiled(self, latents: Tensor) -> Tensor:
        """As `decode`, in tiles: as `in_tiles` says, else one after another, with memory for one tile only."""
        with self.in_tiles(self._tiling or ONE_BY_ONE):
            return self.decode(latents)

    def _run(self, attempt: Callable[[], Tensor], work: str, cells: tuple[int, int], pad: int, needed: int) -> Tensor:
        """The result of an attempt, in tiles where it needs them.

        Args:
            cells: height and width of the latents; `pad` what a tile has around it.
            needed: bytes, without tiles.
        """

        def tile(side: int) -> bool:
            before = self._in_force
            if not is_large(cells, side, pad) or (before is not None and before.decoder_tile <= side):
                return False
            self.resident.tile = side
            return True

        def expected() -> int:
            tiling = self._in_force
            side = None if tiling is None else tiling.decoder_tile
            if side is None or not is_large(cells, side, pad):
                return needed
            return int(needed * min(1.0, ((side + 2 * pad) ** 2) / (cells[0] * cells[1])))

        for side in (TILE, SMALL_TILE):
            if not self.resident.fits(expected()):
                tile(side)
        return self.resident.run(
            attempt,
            work=work,
            lower=_LOWER,
            activations=expected(),
            rungs=tuple(
                Rung(f"it was done in tiles of {side} latent cells", partial(tile, side)) for side in (TILE, SMALL_TILE)
            ),
        )

    @property
    def _in_force(self) -> VaeTiling | None:
        """How it is tiled: as it was asked for, or smaller where there is no room for that."""
        side = self.resident.tile
        if not side:
            return self._tiling
        asked = self._tiling or ONE_BY_ONE
        return replace(
            asked,
            encoder_tile=min(asked.encoder_tile, side * self.downscale),
            decoder_tile=min(asked.decoder_tile, side),
        )

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
        tiling, module = self._in_force, self.module
        if tiling is None or not is_large(pixels.shape, tiling.encoder_tile, ENCODER_PAD):
            return module.encode(pixels, return_dict=False)[0]  # type: ignore[no-any-return]
        moments = vae_tiles.encode_in_tiles(module.encoder, pixels, tiling, self.downscale)
        return DiagonalGaussianDistribution(moments if module.quant_conv is None else module.quant_conv(moments))

    def _decoded(self, latents: Tensor) -> Tensor:
        """The decoder's output (1, 3, H, W), about -1..1."""
        tiling, module = self._in_force, self.module
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
            self.resident.convert(torch.float32)
            result = work(tensor)
        if not torch.isfinite(result).all():
            raise NotFiniteError(f"{self._name}: the result holds NaN or infinity even in float32; use another VAE")
        return result
