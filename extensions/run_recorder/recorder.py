"""The hooks of a job that is recorded: of its first picture the first pass. Nothing here changes what is made."""

import json
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor

from webui.extension_api import JobContext, Txt2Img, hookimpl
from webui.extension_api.tensors import LoadedModel, ModelCall, Row, Step, TakePart

from .activations import MOST_LOOKS
from .changes import Changes
from .network_parts import as_rows, parts_of
from .options import RecorderOptions
from .point_maps import EACH_BLOCK, POINT_BYTES, PointMaps, coarse_blocks
from .run_watch import Look, RunWatch, Watched
from .step_frames import CLEAN_SIDE, SeenStep, clean_picture, facts, latents_strip
from .word_maps import GRID, MOST_TOKENS, StepMaps, blocks_of, cross_layers

MOST_STEPS = 60
MOST_MAPS = 24
MAP_BYTES = 16 * 2**20  # of all maps of a run


class Recorder(Changes):
    """Records one job, step by step."""

    def __init__(self, job: JobContext, options: RecorderOptions) -> None:
        super().__init__(job, options)
        self._wants_points = options.self_attention
        self._model: LoadedModel | None = None
        self._watch: RunWatch | None = None
        self._noisy: Tensor | None = None
        self._guided: tuple[Tensor, Tensor] | None = None
        self._maps: StepMaps | None = None
        self._points: PointMaps | None = None
        self._told_t = 0.0
        self._blocks: list[str] = []
        self._looking: list[str] = []
        self._tokens = 0
        self._steps: list[dict[str, Any]] = []
        self._every = 1
        self._total = 0
        self._last: Tensor | None = None  # the last clean estimate, while its pixels are awaited

    @hookimpl
    def patch_model(self, model: LoadedModel) -> AbstractContextManager[Any] | None:
        """Look at the parts of the network, and scale them where that is asked for."""
        patch = super().patch_model(model)
        if self._model is not None:
            return patch
        self._model = model
        parts = parts_of(model.unet.module)
        self._job.record("parts", json.dumps(as_rows(parts)).encode())
        self._watch = RunWatch(model, parts)
        return self._watch.watching(patch)

    @hookimpl
    def pre_step(self, step: Step, latents: Tensor) -> None:
        """Remember the latents (B, C, h, w) from which the step starts."""
        self._noisy = self._guided = self._maps = self._points = None
        if not _is_ours(step):
            return
        self._total = step.total
        self._every = math.ceil(step.total / MOST_STEPS)
        if self._is_due(step):
            self._noisy = self._in_sigma_space(step.sigma, step.timestep, latents[0])

    @hookimpl
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart] | None:
        """Look at the first call of a step, at the row of the prompt."""
        muting = self.muting(call)
        watch = self._watch
        if self._noisy is None or watch is None or watch.is_busy or call.place.call_in_step or call.windows:
            return muting or None
        self._told_t = float(call.timestep[0])
        row = next((at for at, one in enumerate(call.rows) if one == Row(0, True, 0)), None)
        if row is None:
            return muting or None
        watch.begin(row, with_cells=call.step.index in _looks(call.step.total, self._every))
        crossing = cross_layers(call.layers)
        looks: dict[str, list[Look]] = {}
        if crossing and call.step.index % self._every_map_of(len(blocks_of(crossing)), call) == 0:
            self._blocks = blocks_of(crossing)
            self._maps = StepMaps(self._blocks, row, self.muted.tokens)
            looks = {name: [self._maps.note] for name in crossing}
        if self._wants_points and not self._skips_points(call):
            points = self._points = PointMaps(self._looking, row)
            looks |= {name: [points.note] for name, layer in call.layers.items() if points.concerns(name, layer)}
        answered = watch.additions.answered
        return {name: Watched(looks.get(name, ()), muting.get(name), answered) for name in {**looks, **crossing}}

    def _skips_points(self, call: ModelCall) -> bool:
        """Whether the self-attention of this step is left out, to stay within the bound."""
        self._looking = list(coarse_blocks(call.layers, call.cells))
        each = max(1, len(self._looking)) * EACH_BLOCK
        return bool(call.step.index % self._every_of(max(1, min(MOST_MAPS, POINT_BYTES // each)), call)) or (
            not self._looking
        )

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
        if self._watch is not None:
            self._watch.end(place, self._job.record)
        points = self._points.tensor if self._points is not None else None
        if points is not None:
            self._job.record(f"self_{place}", points.numpy().tobytes())
        maps = self._maps.tensor if self._maps is not None else None
        if maps is not None:
            self._tokens = maps.shape[1]
            self._job.record(f"maps_{place}", maps.numpy().tobytes())
        self._job.record(f"latents_{place}", latents_strip(seen, self._job.model.latents))
        self._steps.append({**facts(seen), "maps": maps is not None, "points": points is not None})
        decoded = self._decoded(self._model, denoised, is_last=step.is_last)
        if step.is_last and decoded is None:
            self._last = clean
        else:
            self._shown(clean, decoded, is_done=step.is_last)

    @hookimpl
    def edit_pixels(self, pixels: Tensor, index: int) -> None:
        """The clean estimate of the last step is the picture (3, H, W), so a large one is decoded once."""
        if index == 0 and self._last is not None:
            self._shown(self._last, pixels, is_done=True)

    @hookimpl
    def job_ended(self, error: str) -> None:
        """Where no picture came of the last step, its clean estimate is shown by its latents."""
        if self._last is not None:
            self._shown(self._last, None, is_done=True)

    def _shown(self, clean: Tensor, decoded: Tensor | None, *, is_done: bool) -> None:
        """The clean estimate (C, h, w) of the step that came last, by its pixels where they are there."""
        self._last = None
        self._steps[-1]["decoded"] = decoded is not None
        self._job.record(f"clean_{len(self._steps) - 1}", clean_picture(clean, self._job.model.latents, decoded))
        self._tell(clean, is_done=is_done)

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
            "text": self.text,
            "muted": self.muted.model_dump(mode="json"),
            "looking": self._looking,
            "text_widths": _widths(self._model),
        }
        self._job.record("run", json.dumps(told).encode())

    def _decoded(self, model: LoadedModel, denoised: Tensor, *, is_last: bool) -> Tensor | None:
        """(3, H, W) pixels of the first clean estimate, where that costs little, or where the picture that comes of
        the last one is another pass's.
        """
        vae, task = model.vae, self._job.request.task
        height, width = (side * vae.downscale for side in denoised.shape[-2:])
        has_second_pass = isinstance(task, Txt2Img) and task.hires.enabled
        if max(height, width) > CLEAN_SIDE and not (is_last and has_second_pass):
            return None
        pixels: Tensor = vae.decode(denoised[:1])[0]
        return pixels.float().cpu()

    def _is_due(self, step: Step) -> bool:
        return step.index % self._every == 0 or step.is_last

    def _every_map_of(self, blocks: int, call: ModelCall) -> int:
        """From how many steps one has its maps kept."""
        each = blocks * min(call.context.shape[1], MOST_TOKENS) * GRID * GRID * 2
        return self._every_of(max(1, min(MOST_MAPS, MAP_BYTES // each)), call)

    def _every_of(self, most: int, call: ModelCall) -> int:
        """From how many steps one is kept, where at most so many are."""
        return self._every * math.ceil(math.ceil(call.step.total / self._every) / most)

    def _t(self, step: Step) -> float:
        return float(step.timestep) if step.timestep is not None else self._told_t

    @staticmethod
    def _in_sigma_space(sigma: Tensor, timestep: Tensor | None, latents: Tensor) -> Tensor:
        """Latents as clean + sigma x noise, whichever space the sampler works in."""
        own = _plain(latents)
        return own if timestep is None else own * float((sigma**2 + 1).sqrt())


def _looks(total: int, every: int) -> frozenset[int]:
    """The steps of which activations are kept, by their numbers, among those that are recorded."""
    wanted = (round(at * (total - 1) / (MOST_LOOKS - 1)) for at in range(MOST_LOOKS))
    return frozenset(step if step == total - 1 else step - step % every for step in wanted)


def _widths(model: LoadedModel | None) -> list[int]:
    """Numbers that each text encoder gives a token; where there are several, they stand behind each other."""
    return [] if model is None else [encoder.width for encoder in model.text.encoders]


def _is_ours(step: Step) -> bool:
    """Whether it belongs to the first pass of the first batch."""
    return step.place.batch == 0 and not step.place.hires and step.place.stage == "base"


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu()
