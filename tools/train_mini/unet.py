"""Stage 3: trains the UNet to predict noise, and the text encoder together with it.

Loss: mean squared error of the predicted noise at random timesteps of SD's scaled-linear schedule (Ho et al. 2020,
eq. 14; Rombach et al. 2022, eq. 3), weighted by 1 / abar(t) up to a bound. That is the error of the velocity (Salimans
and Ho 2022, section 4): unweighted, the noisiest timesteps, where colours and places are decided, hardly count, since
nearly all of what is seen there is the noise that is asked for. One caption in ten is left empty, which is what
classifier-free guidance compares with (Ho and Salimans 2022). The VAE stays as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.clip.modeling_clip import CLIPTextModel

from tools.train_mini.captions import caption
from tools.train_mini.course import Course, Rates
from tools.train_mini.networks import LATENT_SCALE, alphas_cumprod
from tools.train_mini.pool import Pool
from tools.train_mini.quick import channels_last, prepare, quick
from tools.train_mini.scenes import SIZE
from tools.train_mini.text import encode, tokenize
from tools.train_mini.vae import to_picture
from webui.prompt.tokenize import ClipTokenizer

BATCH = 32
EMPTY = 0.1  # share of captions left out
SEED = 4
TIMESTEPS = 1000
MOST = 100.0  # bound of a timestep's weight
LATE = 0.35  # share of timesteps from the noisier half on top: there it is decided what will be seen

SHOWN = (
    "a red circle on a blue background",
    "a small green triangle in the top left corner on a white background",
    "a yellow star to the left of a purple square on a grey background",
    "three pink rings on a black background",
    "a striped orange square on a cyan background",
    "large white cross, black background",
    "a blue diamond on a yellow background",
    "a purple ring below a green star on a pink background",
)


class Painter(nn.Module):
    """Text encoder and UNet, trained together."""

    alphas: Tensor
    weights: Tensor

    def __init__(self, text: CLIPTextModel, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.text = text
        self.unet = unet
        self.register_buffer("alphas", alphas_cumprod(), persistent=False)
        weights = (1.0 / self.alphas).clamp(max=MOST)
        self.register_buffer("weights", weights / weights.mean(), persistent=False)
        self.tokenizer = ClipTokenizer()

    @property
    def device(self) -> torch.device:
        return self.alphas.device

    def context(self, captions: list[str]) -> Tensor:
        """(B, 77, D)."""
        return encode(self.text, self.tokens(captions))

    def tokens(self, captions: list[str]) -> Tensor:
        """(B, 77) int64."""
        return tokenize(self.tokenizer, captions).to(self.device)

    def guess(self, noised: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """The noise in latents (B, 4, 16, 16)."""
        noise: Tensor = self.unet(noised, timesteps, encode(self.text, tokens)).sample
        return noise

    def noised(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """sqrt(abar) x + sqrt(1 - abar) noise, (B, 4, h, w)."""
        share = self.alphas[timesteps][:, None, None, None]
        return share.sqrt() * latents + (1.0 - share).sqrt() * noise

    def weighted(self, errors: Tensor, timesteps: Tensor) -> Tensor:
        """The mean of squared errors (B, 4, h, w), each picture's by the weight of its timestep."""
        return (errors.mean(dim=(1, 2, 3)) * self.weights[timesteps]).mean()


Guess = Callable[[Tensor, Tensor, Tensor], Tensor]
Caption = Callable[[int, np.random.Generator], str]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one training step is made of: latents and noise (B, 4, 16, 16), timesteps (B,), scenes' numbers (B,)."""

    latents: Tensor
    captions: list[str]
    noise: Tensor
    timesteps: Tensor
    indices: np.ndarray


def train_unet(
    painter: Painter,
    pool: Pool,
    vae: AutoencoderKL,
    folder: Path,
    steps: int,
    *,
    name: str = "unet",
    rate: float = 8e-4,
) -> Painter:
    """Train or go on training; returns the painter with its averaged weights."""
    prepare(painter.unet)
    course = Course(name, painter, folder, Rates(rate, warmup=300, fall=0.4), average=0.999)
    batch = Batches(pool)
    guess = quick(painter.guess, painter.device)

    def loss(generator: np.random.Generator) -> Tensor:
        return noise_loss(painter, batch(generator), guess)

    def look() -> None:
        contact_sheet(painter, vae, SHOWN).save(folder / f"{name}-{course.step:06d}.png")

    course.run(steps, loss, seed=SEED, look=look, look_every=500)
    painter.load_state_dict(course.averaged())
    return painter


def noise_loss(painter: Painter, batch: Batch, guess: Guess | None = None) -> Tensor:
    """Weighted mean squared error of the predicted noise. `guess`: a faster form of `painter.guess`."""
    noise, timesteps = batch.noise.to(painter.device), batch.timesteps.to(painter.device)
    noised = channels_last(painter.noised(batch.latents.to(painter.device), noise, timesteps))
    made = (guess or painter.guess)(noised, timesteps, painter.tokens(batch.captions))
    return painter.weighted(functional.mse_loss(made.float(), noise, reduction="none"), timesteps)


class Batches:
    """Random latents of a pool with their captions, noise and timesteps.

    Args:
        words: the caption of a scene by its number; by default its description.
        empty: share of captions left out.
    """

    def __init__(self, pool: Pool, words: Caption | None = None, *, count: int = BATCH, empty: float = EMPTY) -> None:
        self._pool = pool
        self._words = words or (lambda index, generator: caption(pool.scene(index), generator))
        self._count = count
        self._empty = empty

    def __call__(self, generator: np.random.Generator) -> Batch:
        indices = generator.integers(0, len(self._pool), size=self._count)
        latents = self._pool.latents(indices)
        empty = generator.random(self._count) < self._empty
        captions = [
            "" if left_out else self._words(int(index), generator)
            for index, left_out in zip(indices, empty, strict=True)
        ]
        noise = torch.from_numpy(generator.standard_normal(latents.shape, dtype=np.float32))
        return Batch(latents, captions, noise, random_timesteps(generator, self._count), indices)


def random_timesteps(generator: np.random.Generator, count: int) -> Tensor:
    """(count,) int64 in 0..999."""
    even = generator.integers(0, TIMESTEPS, size=count)
    late = generator.integers(TIMESTEPS // 2, TIMESTEPS, size=count)
    return torch.from_numpy(np.where(generator.random(count) < LATE, late, even))


@torch.no_grad()
def paint(painter: Painter, captions: list[str], *, steps: int = 20, cfg_scale: float = 5.0, seed: int = 0) -> Tensor:
    """Latents (B, 4, 16, 16) by DDIM (Song et al. 2021, eq. 12, eta 0), for looking on while training.

    `evaluate.py` uses the program's own samplers.
    """
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(len(captions), 4, SIZE // 8, SIZE // 8, generator=generator).to(painter.device)
    context = torch.cat([painter.context(captions), painter.context([""] * len(captions))])
    times = torch.linspace(TIMESTEPS - 1, 0, steps).round().long()
    for index, time in enumerate(times):
        doubled = torch.cat([latents, latents])
        cond, uncond = painter.unet(doubled, time.expand(len(doubled)), context).sample.chunk(2)
        noise = uncond + cfg_scale * (cond - uncond)
        share = painter.alphas[time]
        following = painter.alphas[times[index + 1]] if index + 1 < steps else torch.ones((), device=painter.device)
        clean = (latents - (1.0 - share).sqrt() * noise) / share.sqrt()
        latents = following.sqrt() * clean + (1.0 - following).sqrt() * noise
    return latents


@torch.no_grad()
def contact_sheet(painter: Painter, vae: AutoencoderKL, captions: tuple[str, ...]) -> Image.Image:
    """The pictures of some captions side by side, two seeds each."""
    sheet = Image.new("RGB", (len(captions) * SIZE, 2 * SIZE))
    for row in range(2):
        latents = paint(painter, list(captions), seed=row)
        for column, picture in enumerate(vae.decode(latents / LATENT_SCALE).sample.clamp(-1.0, 1.0)):
            sheet.paste(to_picture(picture), (column * SIZE, row * SIZE))
    return sheet
