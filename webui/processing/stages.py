"""Decides which network answers a call: the checkpoint of the pass, or late in the run its refiner.

The refiner is loaded, and the text encoded for it, only when it takes over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from webui.domain.request import GenerationRequest
from webui.library.files import ModelFile
from webui.processing.demands import require_refiner
from webui.processing.plan import Plan
from webui.prompt.conditioning import Conditioning
from webui.sampling.denoiser import Stage
from webui.sampling.schedules import SigmaTable
from webui.sampling.steps import StageName
from webui.weights.families.contract import networks_of
from webui.weights.model import LoadedModel

Encode = Callable[[LoadedModel], Conditioning]
Load = Callable[["StageFiles"], LoadedModel]
ImageChannels = Callable[[LoadedModel], Tensor | None]  # channels (B, C, h, w) for checkpoints that take some


@dataclass(frozen=True, slots=True)
class StageFiles:
    """A stage (a checkpoint or its refiner) before it is loaded.

    Attributes:
        vae: the separate VAE to use with it; None: the one inside the checkpoint.
        at: the share of the noise levels, or with `by_steps` of the calls, after which it takes over, 0..1.
    """

    name: StageName
    checkpoint: ModelFile
    vae: ModelFile | None
    at: float = 0.0
    by_steps: bool = False


class Stages:
    """The stages of one pass over one batch. A refiner that has taken over stays until the end of it.

    Attributes:
        table: the noise levels of the run.
        model: the model of the present stage; its VAE decodes, as in A1111.
        first: the stage with which the run begins.
    """

    def __init__(
        self,
        plan: Plan,
        base: LoadedModel,
        table: SigmaTable,
        refiner: StageFiles | None,
        load: Load,
        encode: Encode,
        image_channels: ImageChannels | None = None,
    ) -> None:
        self._plan = plan
        self.table = table
        self._refiner = refiner  # None once it has taken over
        self._load = load
        self._encode = encode
        self._image_channels = image_channels or partial(blank_conditioning, request=plan.request)
        self.model = base
        self._current = self.first = self._stage(base, "base")

    def at(self, done: float, calls: int) -> Stage:
        """The stage for the next call.

        Args:
            done: share of the noise levels that the run has passed, 0..1.
            calls: denoiser calls made in this run.
        """
        if self._refiner is not None:
            share = calls / self._plan.run_calls if self._refiner.by_steps else done
            if share >= self._refiner.at:
                model = self._load(self._refiner)
                require_refiner(model.file.name, model.spec, self.model.spec)
                self.model = model
                self._current = self._stage(self.model, self._refiner.name)
                self._refiner = None
        return self._current

    def _stage(self, model: LoadedModel, name: StageName) -> Stage:
        family, quantize = model.spec.family, self._plan.request.schedule.quantize
        asked = networks_of(family).asked(model.spec, self.table, self._plan.sampler, quantize=quantize)
        text, shown = self._encode(model), self._image_channels(model)
        return Stage(
            model.network, asked, text, shown, name, family.residuals, model.spec.takes_guidance, model.network.layers
        )


def blank_conditioning(model: LoadedModel, request: GenerationRequest) -> Tensor | None:
    """Channels (B, C, h, w) beside the latents for a checkpoint that expects a picture, in a run without one; None for
    other checkpoints.

    Inpainting checkpoints get a mask of ones (everything may change) and an encoded mid-grey picture, editing
    checkpoints zeros, depth checkpoints equal depth everywhere. Runs with a picture get these channels from `start.py`.
    """
    spec = model.spec
    if spec.shown_channels <= 0:
        return None
    shape = (request.batch_size, spec.shown_channels, *spec.latents.grid(request.width, request.height))
    if not spec.inpaints:
        return torch.zeros(shape, device=model.device)
    grey = torch.full((1, 3, request.height, request.width), 0.5, device=model.device)
    encoded = model.vae.encode(grey).float().expand(request.batch_size, -1, -1, -1)
    return torch.cat([torch.ones(shape, device=model.device)[:, :1], encoded], dim=1)
