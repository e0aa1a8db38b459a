"""The hooks of a job that is recorded, or whose network has parts that count more or less than usual.

Of a job the first pass of the first picture is recorded. Nothing here changes what is made.
"""

import json
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor

from webui.extension_api import JobContext, hookimpl
from webui.extension_api.tensors import LoadedModel, ModelCall, Row, Step, TakePart

from .block_scale import scaled
from .network_parts import as_rows
from .step_frames import CLEAN_SIDE, SeenStep, clean_picture, facts, latents_strip
from .word_maps import GRID, MOST_TOKENS, StepMaps, blocks_of, cross_layers

MOST_STEPS = 60
MOST_MAPS = 24
MAP_BYTES = 16 * 2**20  # of all maps of a run


class Scaling:
    """Scales parts of the network for the length of the job."""

    def __init__(self, scales: Mapping[str, float]) -> None:
        self.scales = scales

    @hookimpl
    def patch_model(self, model: LoadedModel) -> AbstractContextManager[Any] | None:
        """The context in which they are scaled."""
        return scaled(model.unet.module, self.scales) if self.scales else None

    @hookimpl
    def image_fields(self) -> Mapping[str, Any] | None:
        """What changes the picture."""
        return {"Block scales": dict(self.scales)} if self.scales else None


class Recorder(Scaling):
    """Records one job, step by step."""

    def __init__(self, job: JobContext, scaling: Scaling) -> None:
        super().__init__(scaling.scales)
        self._job = job
        self._model: LoadedModel | None = None
        self._noisy: Tensor | None = None
        self._guided: tuple[Tensor, Tensor] | None = None
        self._maps: StepMaps | None = None
        self._told_t = 0.0
        self._blocks: list[str] = []
        self._tokens = 0
        self._steps: list[dict[str, Any]] = []
        self._every = 1
        self._total = 0

    @hookimpl
    def patch_model(self, model: LoadedModel) -> AbstractContextManager[Any] | None:
        """Look at the parts of the network, and scale them where that is asked for."""
        if self._model is None:
            self._model = model
            self._job.record("parts", json.dumps(as_rows(model.unet.module)).encode())
        return super().patch_model(model)

    @hookimpl
    def pre_step(self, step: Step, latents: Tensor) -> None:
        """Remember the latents (B, C, h, w) from which the step starts."""
        self._noisy = self._guided = self._maps = None
        if not _is_ours(step):
            return
        self._total = step.total
        self._every = math.ceil(step.total / MOST_STEPS)
        if self._is_due(step):
            self._noisy = self._in_sigma_space(step.sigma, step.timestep, latents[0])

    @hookimpl
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart] | None:
        """Look at the cross-attention of the first call of a step, for the row of the prompt."""
        if self._noisy is None or call.place.call_in_step or call.windows or self._maps is not None:
            return None
        self._told_t = float(call.timestep[0])
        row = next((at for at, one in enumerate(call.rows) if one == Row(0, True, 0)), None)
        layers = cross_layers(call.layers)
        if row is None or not layers or call.step.index % self._every_map_of(len(blocks_of(layers)), call):
            return None
        self._blocks = blocks_of(layers)
        self._maps = StepMaps(self._blocks)
        return dict.fromkeys(layers, self._maps.part(row))

    @hookimpl
    def edit_denoised(self, step: Step, cond: Tensor, uncond: Tensor) -> None:
        """Keep both estimates of the first call."""
        if self._noisy is not None and self._guided is None:
            self._guided = _plain(cond[0]), _plain(uncond[0])

    @hookimpl
    def post_step(self, step: Step, latents: Tensor, denoised: Tensor) -> None:
        """Record the step."""
        if self._noisy is None or self._model is None or not _is_ours(step):
            return
        clean = _plain(denoised[0])
        cond, uncond = self._guided or (clean, clean)
        moved = self._in_sigma_space(step.sigma_next, step.timestep_next, latents[0])
        seen = SeenStep(step, self._noisy, clean, moved, cond, uncond, self._t(step))
        place = len(self._steps)
        maps = self._maps.tensor if self._maps is not None else None
        if maps is not None:
            self._tokens = maps.shape[1]
            self._job.record(f"maps_{place}", maps.numpy().tobytes())
        decoded = self._decoded(self._model, denoised, is_last=step.is_last)
        form = self._job.model.latents
        self._job.record(f"latents_{place}", latents_strip(seen, form))
        self._job.record(f"clean_{place}", clean_picture(clean, form, decoded))
        self._steps.append({**facts(seen), "maps": maps is not None, "decoded": decoded is not None})
        self._tell(clean, is_done=step.is_last)

    def _tell(self, clean: Tensor, *, is_done: bool) -> None:
        """Record what is known of the run by now."""
        request, model = self._job.request, self._job.model
        told = {
            "sampler": request.sampler,
            "scheduler": request.scheduler,
            "cfg_scale": request.cfg_scale,
            "width": request.width,
            "height": request.height,
            "checkpoint": model.name,
            "family": model.family.name,
            "prediction": model.prediction,
            "latents": list(clean.shape),
            "total": self._total,
            "every": self._every,
            "is_done": is_done,
            "steps": self._steps,
            "blocks": self._blocks,
            "tokens": self._tokens,
            "grid": GRID,
            "scales": dict(self.scales),
        }
        self._job.record("run", json.dumps(told).encode())

    @staticmethod
    def _decoded(model: LoadedModel, denoised: Tensor, *, is_last: bool) -> Tensor | None:
        """(3, H, W) pixels of the first clean estimate, where that costs little; else those of the last alone."""
        vae = model.vae
        height, width = (side * vae.downscale for side in denoised.shape[-2:])
        if not is_last and max(height, width) > CLEAN_SIDE:
            return None
        pixels: Tensor = vae.decode(denoised[:1])[0]
        return pixels.float().cpu()

    def _is_due(self, step: Step) -> bool:
        return step.index % self._every == 0 or step.is_last

    def _every_map_of(self, blocks: int, call: ModelCall) -> int:
        """From how many steps one has its maps kept."""
        each = blocks * min(call.context.shape[1], MOST_TOKENS) * GRID * GRID * 2
        most = max(1, min(MOST_MAPS, MAP_BYTES // each))
        return self._every * math.ceil(math.ceil(call.step.total / self._every) / most)

    def _t(self, step: Step) -> float:
        return float(step.timestep) if step.timestep is not None else self._told_t

    @staticmethod
    def _in_sigma_space(sigma: Tensor, timestep: Tensor | None, latents: Tensor) -> Tensor:
        """Latents as clean + sigma x noise, whichever space the sampler works in."""
        own = _plain(latents)
        return own if timestep is None else own * float((sigma**2 + 1).sqrt())


def _is_ours(step: Step) -> bool:
    """Whether it belongs to the first pass of the first batch."""
    return step.place.batch == 0 and not step.place.hires and step.place.stage == "base"


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu()
