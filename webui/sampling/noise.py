"""The random numbers of images: streams of normal draws, and the noise of a batch of images.

Every image owns its generator, so an image is the same alone or in a batch, and torch's global generator is neither
read nor seeded. Noise that depends on the two sigmas of a step is in `brownian.py`.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from webui.sampling.philox import Philox
from webui.sampling.transfer import uploaded

Source = Literal["CPU", "GPU", "NV"]
Shape = tuple[int, ...]
Stream = Callable[[Shape], Tensor]  # each call gives the next draw: unit normal, float32, on the device asked for

_SEEDS = 2**64
_PARALLEL = 0.9995  # mean cosine above which two noises count as parallel and are mixed linearly
_DEGENERATE = 1e-6  # distance of a cosine from +-1 at which the angle between two columns means nothing in float32


def open_stream(seed: int, source: Source, device: torch.device) -> Stream:
    """A fresh stream of normal draws.

    Args:
        seed: any integer, taken modulo 2^64: seed + ENSD can be below 0 and above the last seed.
        source: `CPU` draws with torch's Mersenne Twister and moves the result; `GPU` draws on `device` (on the CPU
            where that is a CPU or Apple's mps, as A1111 does); `NV` imitates CUDA's Philox on the CPU.
        device: where the draws end up.
    """
    if source == "NV":
        philox = Philox(seed)
        return lambda shape: uploaded(torch.from_numpy(philox.normal(shape)), device)
    on = drawing_device(source, device)
    generator = torch.Generator(on).manual_seed(seed % _SEEDS)
    return lambda shape: uploaded(torch.randn(shape, generator=generator, device=on, dtype=torch.float32), device)


def drawing_device(source: Source, device: torch.device) -> torch.device:
    """Where a source draws for latents on `device`."""
    return device if source == "GPU" and device.type not in ("cpu", "mps") else torch.device("cpu")


def slerp(share: float, low: Tensor, high: Tensor) -> Tensor:
    """Spherical interpolation from `low` (share 0) to `high` (share 1), column by column.

    Angles are taken along the height: one for each channel and column, which is how variation seeds have always been
    mixed. Two noises that are parallel on the mean are mixed linearly with the shares **exchanged**; old images depend
    on it. Columns whose angle is degenerate (a latent one cell high) are mixed linearly too: the formula divides by 0.

    Args:
        share: 0..1.
        low, high: (C, h, w), of one shape.
    """
    cosine = (low / low.norm(dim=1, keepdim=True) * (high / high.norm(dim=1, keepdim=True))).sum(dim=1, keepdim=True)
    if cosine.mean() > _PARALLEL:
        return low * share + high * (1 - share)
    omega = torch.acos(cosine.clamp(-1, 1))
    sine = torch.sin(omega)
    curved = torch.sin((1 - share) * omega) / sine * low + torch.sin(share * omega) / sine * high
    return torch.where(1 - cosine.abs() < _DEGENERATE, low * (1 - share) + high * share, curved)


def paste_centred(noise: Tensor, base: Tensor) -> Tensor:
    """A copy of `base` (C, H, W) with `noise` (C, h, w) in its middle; what extends beyond it is cut off on both
    sides.
    """
    rows_to, rows_from, rows = _overlap(noise.shape[1], base.shape[1])
    columns_to, columns_from, columns = _overlap(noise.shape[2], base.shape[2])
    pasted = base.clone()
    pasted[:, rows_to : rows_to + rows, columns_to : columns_to + columns] = noise[
        :, rows_from : rows_from + rows, columns_from : columns_from + columns
    ]
    return pasted


def _overlap(size: int, room: int) -> tuple[int, int, int]:
    """Along one axis: where the overlap starts in the base, where in the noise, and how long it is.

    The margin is rounded down, so a noise that is one cell too long loses one at both ends.
    """
    margin = (room - size) // 2
    return (margin, 0, size) if margin >= 0 else (0, -margin, size + 2 * margin)


class ImageNoise:
    """Noise of one pass over a batch of images: the start noise, then one draw for every step (`StepNoise`).

    Args:
        seeds: one per image.
        subseeds: variation seeds, one per image; a missing one is 0. Read only where the strength is not 0.
        subseed_strength: 0..1, share of the variation in the start noise.
        resize_from: (h, w) in latent cells of an earlier image whose start noise is put in the middle of this one; off
            unless both are above 0.
        ensd: eta noise seed delta. Where it is not 0, steps draw from fresh streams of seed + ensd.
        source: see `open_stream`.
        shape: (C, h, w) of one latent.
        device: where the noise ends up, float32.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        subseeds: Sequence[int],
        subseed_strength: float,
        resize_from: tuple[int, int],
        ensd: int,
        source: Source,
        shape: tuple[int, int, int],
        device: torch.device,
    ) -> None:
        self._seeds = tuple(seeds)
        self._subseeds = tuple(subseeds)
        self._strength = subseed_strength
        self._ensd = ensd
        self._source: Source = source
        self._shape = shape
        self._device = device
        self._first_shape = (shape[0], *resize_from) if min(resize_from) > 0 else shape
        self._streams = tuple(self._open(seed) for seed in self._seeds)
        self._started = False

    def first(self) -> Tensor:
        """Start noise (B, C, h, w), unit variance. To be called once, before any step draws.

        Raises:
            RuntimeError: called a second time, when the streams have moved on.
        """
        if self._started:
            raise RuntimeError("the start noise was drawn already; make a new ImageNoise for another pass")
        self._started = True
        noise = uploaded(torch.stack([self._first_of(index) for index in range(len(self._seeds))]), self._device)
        if self._ensd:
            self._streams = tuple(self._open(seed + self._ensd) for seed in self._seeds)
        return noise

    def __call__(self, sigma: Tensor, sigma_next: Tensor) -> Tensor:
        """The next draw of every image (B, C, h, w), unit variance; it does not depend on the two levels."""
        return uploaded(torch.stack([stream(self._shape) for stream in self._streams]), self._device)

    def _first_of(self, index: int) -> Tensor:
        resized = self._first_shape != self._shape
        own = self._streams[index]
        noise = (self._open(self._seeds[index]) if resized else own)(self._first_shape)
        if self._strength:
            subseed = self._subseeds[index] if index < len(self._subseeds) else 0
            noise = slerp(self._strength, noise, self._open(subseed)(self._first_shape))
        return paste_centred(noise, own(self._shape)) if resized else noise

    def _open(self, seed: int) -> Stream:
        return open_stream(seed, self._source, drawing_device(self._source, self._device))
