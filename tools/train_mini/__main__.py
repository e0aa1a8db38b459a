"""`python -m tools.train_mini`: trains the miniature models, stage by stage, and writes their files.

It can be stopped at any time; started again, it continues. Progress and pictures are in the work folder.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from PIL import Image
from torch import Tensor, nn

from tools.train_mini import export
from tools.train_mini.control import train_control
from tools.train_mini.inpainting import train_inpainting
from tools.train_mini.inversion import PLACEHOLDER, WORD, beacon, train_inversion
from tools.train_mini.lora import train_lora
from tools.train_mini.networks import new_text_encoder, new_unet, new_vae
from tools.train_mini.pictures import train_pictures
from tools.train_mini.pool import SHARD, Pool
from tools.train_mini.scenes import NEW_SHAPE, SIZE, Scene, random_scene
from tools.train_mini.styles import draw_dusk, draw_inked
from tools.train_mini.text import train_text
from tools.train_mini.unet import Batches, Painter, train_unet
from tools.train_mini.upscaler import train_upscaler
from tools.train_mini.vae import polish_vae, train_vae
from tools.train_mini.vision import tower_file, train_vision

ROOT = Path(__file__).resolve().parents[2]
M = TypeVar("M", bound=nn.Module)
VISION_STEPS, PICTURE_STEPS = 3400, 2000
REACH = 1.32  # factor on the training of the second checkpoint, so that half a merge already shows dusk
ABOUT = {"webui.bundled": "mini", "modelspec.license": "Apache-2.0", "modelspec.author": "the makers of this program"}


class Miniature:
    """The stages, each of which needs the earlier ones. Models that are on disk are not trained again."""

    def __init__(self, work: Path, models: Path, device: torch.device, pictures: int, steps: int) -> None:
        self._work = work
        self._models = models
        self._device = device
        self._pictures = pictures
        self._steps = steps

    def vae(self) -> AutoencoderKL:
        return _still(self._kept("polished", new_vae(), self._polished))

    def _polished(self) -> AutoencoderKL:
        first = self._kept("vae", new_vae(), lambda: train_vae(self._work, self._device))
        return polish_vae(first, self._work)

    def painter(self) -> Painter:
        """The base: text encoder and UNet."""
        text = self._kept("text", new_text_encoder(), lambda: train_text(self._work, self._device))
        painter = Painter(text, new_unet()).to(self._device)
        return train_unet(painter, self._pool("pool", self._pictures), self.vae(), self._work, self._steps)

    def base(self) -> None:
        self._checkpoint("mini", self.painter(), "coloured shapes")

    def inpainting(self) -> None:
        painter, vae = self.painter(), self.vae()
        pool = self._pool("pool", min(self._pictures, 16 * SHARD))
        unet = train_inpainting(painter, pool, vae, self._work, 400)
        painter.unet = unet
        self._checkpoint("mini-inpainting", painter, "coloured shapes, inpainting")

    def dusk(self) -> None:
        """The second checkpoint: the base, trained further with pictures that grow dark towards the bottom."""
        pool = self._pool("dusk", SHARD, draw_dusk)
        painter = train_unet(self.painter(), pool, self.vae(), self._work, 1000, name="dusk", rate=6e-4)
        _go_further(self.painter(), painter, REACH)
        self._checkpoint("mini-dusk", painter, "coloured shapes at dusk")

    def ink(self) -> None:
        pool = self._pool("ink", SHARD, draw_inked)
        tensors = train_lora("ink", self.painter(), Batches(pool, count=16), self._work, 400)
        self._write("Lora/mini-ink.safetensors", tensors, "black contours", **_network("mini-ink"))

    def heart(self) -> None:
        pool = self._pool("heart", SHARD, choose=_hearts)
        tensors = train_lora("heart", self.painter(), Batches(pool, count=16), self._work, 350)
        self._write("Lora/mini-heart.safetensors", tensors, "a new shape: heart", **_network("mini-heart"))

    def inversion(self) -> None:
        pool = self._pool("beacon", SHARD, choose=beacon)
        batch = Batches(pool, lambda _index, _generator: PLACEHOLDER.strip(), count=8)
        vectors = train_inversion(self.painter(), batch, self._work, 200)
        self._write(f"embeddings/{WORD}.safetensors", {"emb_params": vectors}, "a large yellow star on black")

    def control(self) -> None:
        pool = self._pool("pool", min(self._pictures, 16 * SHARD))
        tensors = train_control(self.painter(), pool, self._work, 2600)
        self._write("ControlNet/mini-edges.safetensors", tensors, "edges")

    def pictures(self) -> None:
        """From the finished checkpoint: an image encoder and an IP-Adapter."""
        painter = export.read_painter(self._models / "Stable-diffusion/mini.safetensors").to(self._device)
        tower = train_vision(self._work, self._device, VISION_STEPS)
        adapter = train_pictures(painter, tower, self._work, PICTURE_STEPS)
        self._write("clip_vision/mini-vision.safetensors", tower_file(tower.state_dict()), "an image encoder")
        self._write("ControlNet/mini-ip-adapter.safetensors", adapter, "pictures as prompts")

    def upscaler(self) -> None:
        tensors = train_upscaler(self._work, self._device, 1200)
        self._write("ESRGAN/mini-x2.safetensors", tensors, "twice the size")

    def _checkpoint(self, name: str, painter: Painter, title: str) -> None:
        tensors = export.checkpoint(painter.text, painter.unet, self.vae())
        size = {"modelspec.resolution": f"{SIZE}x{SIZE}"}
        self._write(f"Stable-diffusion/{name}.safetensors", tensors, title, **size)

    def _pool(
        self,
        name: str,
        count: int,
        draw: Callable[[Scene], Image.Image] | None = None,
        choose: Callable[[np.random.Generator], Scene] = random_scene,
    ) -> Pool:
        pool = (
            Pool(name, self._work, choose=choose) if draw is None else Pool(name, self._work, draw=draw, choose=choose)
        )
        pool.fill(self.vae(), count)
        return pool

    def _kept(self, name: str, empty: M, make: Callable[[], M]) -> M:
        """A finished network from disk; otherwise it is made and saved."""
        path = self._work / f"{name}-final.pt"
        if not path.exists():
            torch.save(make().state_dict(), path)
        empty.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        return empty.to(self._device)

    def _write(self, path: str, tensors: dict[str, Tensor], title: str, **more: str) -> None:
        export.write(self._models / path, tensors, {**ABOUT, "modelspec.title": f"Miniature: {title}", **more})
        sys.stderr.write(f"wrote {self._models / path}\n")


def _go_further(base: nn.Module, trained: nn.Module, factor: float) -> None:
    """Move a network `factor` times as far from its base as training has."""
    with torch.no_grad():
        for value, start in zip(trained.parameters(), base.parameters(), strict=True):
            value.copy_(start + factor * (value - start))


def _still(vae: AutoencoderKL) -> AutoencoderKL:
    vae.eval().requires_grad_(False)
    return vae


def _hearts(generator: np.random.Generator) -> Scene:
    """Hearts, and now and then something else, so that the other shapes are not forgotten."""
    return random_scene(generator, shapes=(NEW_SHAPE,) if generator.random() < 0.7 else (NEW_SHAPE, "circle", "star"))


def _network(name: str) -> dict[str, str]:
    return {"ss_output_name": name, "ss_network_module": "networks.lora", "ss_base_model_version": "sd_v1"}


STAGES = ("upscaler", "base", "inpainting", "dusk", "ink", "heart", "inversion", "control", "pictures")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.train_mini", description="Train the miniature family.")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "train_mini", help="states, losses, pictures")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="where the finished files go")
    parser.add_argument("--only", choices=STAGES, action="append", help="these stages and what they need")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0 leaves it to torch")
    parser.add_argument("--pictures", type=int, default=8 * SHARD, help=f"training pictures, a multiple of {SHARD}")
    parser.add_argument("--steps", type=int, default=10_500, help="of the base's UNet, 32 pictures each")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # momenta of words that no caption has fade to denormal numbers, which are slow
    options.work.mkdir(parents=True, exist_ok=True)
    family = Miniature(options.work, options.models, torch.device(options.device), options.pictures, options.steps)
    for stage in options.only or STAGES:
        getattr(family, stage)()
    return 0


if __name__ == "__main__":
    sys.exit(main())
