"""Stage 1: the autoencoder. 128x128 pictures become 16x16 latents of 4 channels and come back.

Loss: mean absolute and squared error, the same on differences of neighbouring pixels (edges), and a small
Kullback-Leibler term that keeps latents smooth (Rombach et al. 2022, section 3.1, without their adversary: flat
shapes need none). Being convolutional, it learns from crops of 64x64 first, at a quarter of the price; the last
fifth sees whole pictures, since group normalisation measures all of what it is given.
"""

import math
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from PIL import Image
from torch import Tensor, nn

from tools.train_mini.course import Course, Rates
from tools.train_mini.drawing import draw
from tools.train_mini.networks import DOWNSCALE, LATENT_CHANNELS, LATENT_SCALE, new_vae
from tools.train_mini.quick import channels_last, prepare, quick
from tools.train_mini.scenes import NEW_SHAPE, SHAPES, SIZE, Scene, random_scene

CROPS = (64, 16)  # side in pixels, and how many a batch
WHOLE = (SIZE, 4)
WHOLE_FROM = 0.8  # share of the steps
OBJECT_WEIGHT = 4.0  # of an object's pixels over those of the background, which are many and easy
KL_WEIGHT = 1e-6
STEPS = 6000
POLISHING = 2000
SEED = 1


def train_vae(folder: Path, device: torch.device, steps: int = STEPS) -> AutoencoderKL:
    """Train or go on training; returns the averaged network with latents brought to SD's scale."""
    torch.manual_seed(SEED)
    fresh = new_vae()
    nn.Module.to(fresh, device)
    vae = _train("vae", fresh, folder, steps, Rates(1.5e-3, fall=1.0), WHOLE_FROM)
    standardise(vae)
    return vae


def polish_vae(vae: AutoencoderKL, folder: Path, steps: int = POLISHING) -> AutoencoderKL:
    """Train on with whole pictures and a low rate: small stars keep their tips."""
    return _train("polished", vae.requires_grad_(True), folder, steps, Rates(5e-4, fall=1.0), 0.0)


def _train(name: str, vae: AutoencoderKL, folder: Path, steps: int, rates: Rates, whole_from: float) -> AutoencoderKL:
    """`whole_from`: share of the steps after which batches are whole pictures."""
    device = vae.device
    prepare(vae)
    course = Course(name, vae, folder, rates, average=0.998)
    go_through = quick(lambda pictures, noise: reconstruct(vae, pictures, noise), device)

    def loss(generator: np.random.Generator) -> Tensor:
        pictures, weights = crops(generator, *(CROPS if course.step < steps * whole_from else WHOLE))
        cells = (len(pictures), LATENT_CHANNELS, pictures.shape[2] // DOWNSCALE, pictures.shape[3] // DOWNSCALE)
        noise = torch.from_numpy(generator.standard_normal(cells, dtype=np.float32))
        made, kl = go_through(channels_last(pictures.to(device)), channels_last(noise.to(device)))
        error = reconstruction_error(made.float(), pictures.to(device), weights.to(device))
        return error + KL_WEIGHT * kl.float().mean()

    def look() -> None:
        show(vae, folder / f"{name}.png")

    course.run(steps, loss, seed=SEED, look=look, look_every=500)
    vae.load_state_dict(course.averaged())
    return vae.eval().requires_grad_(False)


def crops(generator: np.random.Generator, side: int, count: int) -> tuple[Tensor, Tensor]:
    """Pictures (count, 3, side, side) in -1..1, and the weight of each pixel (count, 1, side, side).

    Colours vary a little, so that the code of a colour is a place, not a word.
    """
    pictures, weights = [], []
    for _ in range(count):
        scene = random_scene(generator, shapes=(*SHAPES, NEW_SHAPE))
        pixels = np.asarray(draw(scene), dtype=np.float32)
        objects = (pixels != np.asarray(draw(Scene((), scene.background)), dtype=np.float32)).any(axis=2)
        x, y = _corner(scene, generator, side)
        pictures.append(pixels[y : y + side, x : x + side])
        weights.append(1.0 + (OBJECT_WEIGHT - 1.0) * objects[y : y + side, x : x + side].astype(np.float32))
    tint = generator.normal(0.0, 0.03, size=(count, 1, 1, 3)).astype(np.float32)
    batch = np.clip(np.stack(pictures) / 127.5 - 1.0 + tint, -1.0, 1.0)
    return torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(np.stack(weights))[:, None]


def _corner(scene: Scene, generator: np.random.Generator, side: int) -> tuple[int, int]:
    """Left and top of a crop that shows one of the objects, or part of it."""
    thing = scene.things[int(generator.integers(len(scene.things)))]
    off = generator.uniform(-side / 3, side / 3, size=2)
    x, y = (
        int(np.clip(at - side / 2 + move, 0, SIZE - side)) for at, move in zip((thing.x, thing.y), off, strict=True)
    )
    return x, y


def reconstruct(vae: AutoencoderKL, pictures: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W) through a random latent and back, and the Kullback-Leibler term of each, (B,).

    `noise` (B, 4, H / 8, W / 8) comes from the batch's own generator, so that a batch can be drawn again.
    """
    posterior = vae.encode(pictures).latent_dist
    return vae.decode(posterior.mean + posterior.std * noise).sample, posterior.kl()


def reconstruction_error(made: Tensor, pictures: Tensor, weights: Tensor) -> Tensor:
    """Of pictures (B, 3, H, W) against what they should be; `weights` (B, 1, H, W) says how much each pixel counts."""
    edges = _error(_edges(made), _edges(pictures), weights[:, :, 1:, 1:])
    return _error(made, pictures, weights) + 0.5 * edges


def _error(made: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    off = made - wanted
    return ((off.abs() + off.square()) * weights).mean()


def _edges(pictures: Tensor) -> Tensor:
    """Differences to the right and the lower neighbour, (B, 6, H - 1, W - 1)."""
    right = pictures[:, :, 1:, 1:] - pictures[:, :, 1:, :-1]
    down = pictures[:, :, 1:, 1:] - pictures[:, :, :-1, 1:]
    return torch.cat([right, down], dim=1)


@torch.no_grad()
def standardise(vae: AutoencoderKL, count: int = 256) -> None:
    """Bring each latent channel to mean 0 and deviation 1 / 0.18215, by changing the 1x1 convolutions around it.

    SD1 multiplies latents by 0.18215 and expects about unit variance; a VAE of our own must come out the same way.
    """
    pictures = whole_pictures(np.random.default_rng((SEED, 99)), count).to(vae.device)
    latents = torch.cat([vae.encode(part).latent_dist.mean for part in torch.split(pictures, 32)])
    mean = latents.mean(dim=(0, 2, 3))
    factor = 1.0 / (LATENT_SCALE * latents.std(dim=(0, 2, 3)))
    inward, outward = vae.quant_conv, vae.post_quant_conv
    if inward is None or outward is None or inward.bias is None or outward.bias is None:
        raise TypeError("the VAE has no 1x1 convolutions with a bias around its latents, so they cannot be scaled")
    channels = len(mean)
    inward.bias[:channels] = (inward.bias[:channels] - mean) * factor
    inward.weight[:channels] *= factor[:, None, None, None]
    inward.bias[channels:] += 2.0 * factor.log()  # the second half is the logarithm of the variance
    outward.bias += outward.weight[:, :, 0, 0] @ mean
    outward.weight /= factor[None, :, None, None]


def whole_pictures(generator: np.random.Generator, count: int) -> Tensor:
    """(count, 3, SIZE, SIZE) in -1..1."""
    return torch.stack([to_tensor(draw(random_scene(generator))) for _ in range(count)])


def to_tensor(picture: Image.Image) -> Tensor:
    """(3, H, W) in -1..1."""
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 127.5 - 1.0).permute(2, 0, 1).contiguous()


def to_picture(tensor: Tensor) -> Image.Image:
    """From (3, H, W) in -1..1."""
    pixels = ((tensor.cpu().permute(1, 2, 0).numpy() + 1.0) * 127.5).round().clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


@torch.no_grad()
def show(vae: AutoencoderKL, path: Path) -> float:
    """Eight pictures above their reconstructions; returns the PSNR in dB."""
    pictures = whole_pictures(np.random.default_rng((SEED, 7)), 8).to(vae.device)
    made = vae.decode(vae.encode(pictures).latent_dist.mean).sample.clamp(-1.0, 1.0)
    sheet = Image.new("RGB", (8 * SIZE, 2 * SIZE))
    for index in range(8):
        sheet.paste(to_picture(pictures[index]), (index * SIZE, 0))
        sheet.paste(to_picture(made[index]), (index * SIZE, SIZE))
    sheet.save(path)
    return -10.0 * math.log10(float((made - pictures).square().mean()) / 4.0)
