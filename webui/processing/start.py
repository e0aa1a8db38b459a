"""The start of an img2img job: the latents of its pictures, their mask, and the channels that some checkpoints take.

`inpaint.py` prepares the pictures, `sample.py` adds the noise.
"""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from webui.domain.errors import BadRequestError
from webui.domain.inpainting import SoftInpainting
from webui.domain.request import GenerationRequest, Img2Img
from webui.imaging.resize import Grow
from webui.imaging.soft import changed_mask
from webui.processing.depth_channel import depth_channel
from webui.processing.inpaint import Canvas, finished, prepared
from webui.processing.plan import Plan
from webui.sampling.masking import LatentMask
from webui.sampling.noise import open_stream
from webui.weights.model import LoadedModel
from webui.weights.vae import VaeWrapper

__all__ = ("Start", "start_of")


class Start:
    """The start of the first pass, encoded once for all batches of a job.

    Attributes:
        latents: (1, C, h, w) for all images of a batch, or (B, C, h, w).
        painted: (1, 1, h, w) in 0..1, 1 is repainted; None without a mask.
        canvas: the pictures that were encoded.
    """

    def __init__(
        self,
        request: GenerationRequest,
        task: Img2Img,
        seeds: Sequence[int],
        model: LoadedModel,
        grow: Grow | None = None,
    ) -> None:
        self._request = request
        self._task = task
        self._device = model.device
        self.canvas: Canvas = prepared(task, request.width, request.height, grow)
        self._cells = model.spec.latents.grid(request.width, request.height)
        self._pixels = [to_pixels(picture, model.device) for picture in self.canvas.pictures]
        self._seen: tuple[LoadedModel, Tensor | None] | None = None
        self._check_size(model.vae)
        self.painted = None if self.canvas.mask is None else self._latent_mask(self.canvas.mask)
        self.latents = self._content(torch.cat([self._encode(model.vae, one) for one in self._pixels]), seeds)

    @property
    def soft(self) -> SoftInpainting | None:
        return self._task.inpainting.soft if self._task.inpainting else None

    @property
    def is_blank(self) -> bool:
        """Whether only a masked area was to be repainted, but the mask is empty."""
        return bool(self.canvas.note) and self.painted is None

    def mask_for(self, clean: Tensor) -> LatentMask | None:
        """The mask of one batch, whose clean latents (B, C, h, w) are given."""
        return None if self.painted is None else LatentMask(clean, self.painted.to(clean), self.soft)

    def image_channels(self, model: LoadedModel) -> Tensor | None:
        """Channels (B, C, h, w) beside the latents, for a checkpoint that takes some; None for others."""
        if self._seen is None or self._seen[0] is not model:
            self._seen = (model, self._image_channels(model))
        return self._seen[1]

    def finish(self, made: Image.Image, position: int, latents: Tensor) -> tuple[Image.Image, tuple[Image.Image, ...]]:
        """The picture with the original put back where the mask protects it, and the pictures requested beside it.

        Args:
            made: the picture as decoded.
            latents: (C, h, w), from which it was decoded.
        """
        done = finished(self.canvas, self._task, made, position, self._changed(position, latents))
        return done.image, done.attachments

    def _changed(self, position: int, latents: Tensor) -> Image.Image | None:
        if self.soft is None or self.painted is None:
            return None
        moved = latents.float() - self.latents[position % len(self.latents)]
        distance = torch.linalg.vector_norm(moved, dim=0).cpu().double().numpy()
        painted = self.painted[0, 0].cpu().double().numpy()
        return changed_mask(distance, painted, self.soft, self._request.width, self._request.height)

    def _check_size(self, vae: VaeWrapper) -> None:
        for picture in self.canvas.pictures:
            if min(picture.size) < vae.downscale:
                needed = f"at least {vae.downscale} pixels on each side for resize_mode latent"
                raise BadRequestError("task.image", f"has {picture.width} x {picture.height} pixels; {needed}")

    def _encode(self, vae: VaeWrapper, pixels: Tensor) -> Tensor:
        """Encode to latents of the request's size. Those of a picture of another size (resize_mode latent) are
        stretched.
        """
        latents = vae.encode(pixels)
        if latents.shape[-2:] == self._cells:
            return latents
        return interpolate(latents, self._cells, mode="bilinear", align_corners=False)

    def _latent_mask(self, mask: Image.Image) -> Tensor:
        small = mask.resize((self._cells[1], self._cells[0]), Image.Resampling.BICUBIC)
        share = torch.from_numpy(np.array(small, np.float32)) / 255
        if self._task.inpainting is not None and self._task.inpainting.rounded:
            share = share.round()
        return share[None, None].to(self._device)

    def _content(self, latents: Tensor, seeds: Sequence[int]) -> Tensor:
        """The latents with the masked part filled as the request wants it, before noise is added."""
        options = self._task.inpainting
        if self.painted is None or options is None or options.content not in ("noise", "nothing"):
            return latents
        kept = latents * (1 - self.painted)
        if options.content == "nothing":
            return kept
        source = self._request.noise.source
        drawn = [open_stream(seed, source, self._device)(tuple(latents.shape[1:])) for seed in seeds]
        return kept + torch.stack(drawn) * self.painted

    def _image_channels(self, model: LoadedModel) -> Tensor | None:
        spec, batch = model.spec, self._request.batch_size
        if spec.edits:
            # the mode of the posterior, not multiplied by the scale of latents
            shown = torch.cat([self._encode(model.vae, one) for one in self._pixels]) / model.vae.scale
            return shown.expand(batch, -1, -1, -1)
        if model.depth is not None:
            near = torch.cat([depth_channel(model.depth, one, self._cells) for one in self._pixels])
            return near.expand(batch, -1, -1, -1)
        if not spec.inpaints:
            return None
        mask = self._pixel_mask()
        weight = self._request.inpainting_mask_weight
        grey = torch.full((), 0.5, device=self._device)
        shown = torch.cat([self._encode(model.vae, torch.lerp(one, grey, mask * weight)) for one in self._pixels])
        small = interpolate(mask, self._cells)  # nearest
        channels = torch.cat([small.expand(len(shown), -1, -1, -1), shown], dim=1)
        return channels.expand(batch, -1, -1, -1)

    def _pixel_mask(self) -> Tensor:
        """The mask at the size of the pictures, (1, 1, H, W); without one it is 1 everywhere."""
        if self.canvas.mask is None:
            return torch.ones_like(self._pixels[0][:, :1])
        mask = torch.from_numpy(np.array(self.canvas.mask, np.float32)).to(self._device) / 255
        rounded = self._task.inpainting is not None and self._task.inpainting.rounded
        return (mask.round() if rounded else mask)[None, None]


def start_of(plan: Plan, model: LoadedModel, grow: Grow | None = None) -> Start | None:
    """Encode the pictures that a plan starts from; None where it starts from noise.

    Args:
        grow: brings pictures that are too small to a size; None: Lanczos does.

    Raises:
        BadRequestError: a picture is too small.
    """
    task = plan.request.task
    if not isinstance(task, Img2Img):
        return None
    return Start(plan.request, task, plan.batches[0].seeds, model, grow)


def to_pixels(picture: Image.Image, device: torch.device) -> Tensor:
    """An RGB picture as (1, 3, H, W) float32 in 0..1."""
    pixels = torch.from_numpy(np.array(picture)).to(device)
    return (pixels.float() / 255).permute(2, 0, 1)[None].contiguous()
