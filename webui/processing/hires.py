"""The second pass of hires fix: its plan, and the latents that it starts from.

`sample.py` does the sampling, as in the first pass. Sizes are computed in `domain/hires.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from webui.domain.catalog import sampler_facts
from webui.domain.hires import LATENT_UPSCALERS, Hires, Target
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Txt2Img
from webui.processing.plan import ImageText, Plan, calls_of, fixed_walk
from webui.processing.start import to_pixels
from webui.prompt.composition import extra_networks
from webui.sampling.masking import LatentMask
from webui.weights.model import LoadedModel

Grow = Callable[[Image.Image, int, int], Image.Image]  # (picture, width, height) -> the picture at that size
Decode = Callable[[Tensor], list[Image.Image]]


def hires_of(request: GenerationRequest) -> Hires | None:
    """The options of the second pass; None where there is none."""
    task = request.task
    return task.hires if isinstance(task, Txt2Img) and task.hires.enabled else None


def first_picture(request: GenerationRequest) -> Picture | None:
    """The finished picture that is given instead of a first pass; None where there is none."""
    task = request.task
    return task.first_pass if isinstance(task, Txt2Img) else None


def second_plan(plan: Plan, hires: Hires, cell: int) -> Plan:
    """The plan of the second pass: the plan of the first with the changes that the options of hires fix ask for.

    It always runs as many steps as requested, at the end of a longer schedule. A list of noise levels is resampled for
    that, unless the second pass names a schedule of its own.

    Args:
        cell: pixels along one side of a latent cell of its checkpoint.
    """
    request = plan.request
    target = hires.target(request.width, request.height, cell)
    width, height = target.size
    steps = hires.steps or request.steps
    sampler = sampler_facts(hires.sampler or request.sampler)
    prompt, networks = extra_networks(hires.prompt or request.prompt)
    schedule = request.schedule.model_copy(update={"sigmas": ()}) if hires.scheduler else request.schedule
    second = request.model_copy(
        update={
            "schedule": schedule,
            "width": width,
            "height": height,
            "prompt": hires.prompt or request.prompt,
            "negative_prompt": hires.negative_prompt or request.negative_prompt,
            "sampler": sampler.label,
            "scheduler": hires.scheduler or request.scheduler,
            "steps": steps,
            "cfg_scale": request.cfg_scale if hires.cfg_scale is None else hires.cfg_scale,
            "checkpoint": hires.checkpoint or request.checkpoint,
        }
    )
    batches = tuple(
        replace(batch, texts=tuple(_second_text(text, hires) for text in batch.texts)) for batch in plan.batches
    )
    return replace(
        plan,
        request=second,
        batches=batches,
        sampler=sampler,
        walk=fixed_walk(steps, hires.denoising_strength),
        calls=calls_of(sampler, steps),
        prompt=prompt,
        networks=networks,
        base_calls=plan.calls,
        text_size=(target.width, target.height),
    )


def _second_text(text: ImageText, hires: Hires) -> ImageText:
    """The text of an image in the second pass."""
    return ImageText(hires.prompt or text.prompt, hires.negative_prompt or text.negative_prompt)


@dataclass(frozen=True, slots=True)
class Enlarger:
    """Makes the latents that a second pass starts from.

    Attributes:
        upscaler: its name. Those of `LATENT_UPSCALERS` stretch latents; all others enlarge decoded pictures.
        grow: enlarges a picture to a size with the upscaler.
        model: the network of the second pass; its VAE encodes.
        seed: of the batch's last image. A1111 draws the latents of a picture from its VAE's posterior with torch's
            global generator, which the noise of that image has just seeded.
    """

    upscaler: str
    target: Target
    grow: Grow
    model: LoadedModel
    seed: int

    def from_latents(self, latents: Tensor, decode: Decode) -> Tensor:
        """(B, C, h, w) of the first pass -> (B, C, h2, w2).

        Args:
            decode: latents (B, C, h, w) to B pictures, by the network that made them.
        """
        if self.upscaler in LATENT_UPSCALERS:
            return self._cropped(self._stretched(latents))
        return self._encoded(decode(latents))

    def from_picture(self, picture: Image.Image) -> Tensor:
        """A finished picture -> (1, C, h2, w2)."""
        if self.upscaler in LATENT_UPSCALERS:
            clean = self.model.vae.encode(to_pixels(picture, self.model.device))
            return self._cropped(self._stretched(clean))
        return self._encoded([picture])

    def _stretched(self, latents: Tensor) -> Tensor:
        how = LATENT_UPSCALERS[self.upscaler]
        cells = self.model.spec.latents.grid(self.target.width, self.target.height)
        return interpolate(latents, cells, mode=how.mode, antialias=how.antialias)

    def _encoded(self, pictures: list[Image.Image]) -> Tensor:
        large = [self.grow(picture, self.target.width, self.target.height) for picture in pictures]
        pixels = torch.cat([to_pixels(picture, self.model.device) for picture in large])
        draws = torch.Generator().manual_seed(self.seed)
        return self._cropped(self.model.vae.encode(pixels, draws))

    def _cropped(self, latents: Tensor) -> Tensor:
        """Latents without the cells that lie beyond the target size. Of an odd number, one more is cut off at the right
        or the bottom.
        """
        left, top = self.target.crop_x // 2, self.target.crop_y // 2
        right, bottom = self.target.crop_x - left, self.target.crop_y - top
        height, width = latents.shape[-2:]
        return latents[..., top : height - bottom, left : width - right].contiguous()


@dataclass(frozen=True, slots=True)
class Enlarged:
    """The start of a second pass: latents (1 or B, C, h, w), all of which may change."""

    latents: Tensor

    def mask_for(self, clean: Tensor) -> LatentMask | None:
        """None, because nothing is protected."""
        return None
