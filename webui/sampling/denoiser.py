"""The denoiser that samplers call: it asks the network, times prompt editing, and applies guidance and AND.

One `GuidedModel` serves one run of a sampler. It counts its calls, because prompt editing is timed by them, and keeps
the last estimate of the prompt alone, which is the picture when a run is interrupted.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from webui.domain.request import Guidance
from webui.library.family import ALL_RESIDUALS, ResidualKind
from webui.prompt.conditioning import Conditioning
from webui.sampling.attending import AttentionLayer
from webui.sampling.guidance import guide, rescaled, towards_picture, with_spread_of
from webui.sampling.parameterisation import Parameterisation
from webui.sampling.rows import Layout, Layouts, Rows
from webui.sampling.schedules import SigmaTable
from webui.sampling.steps import Ask, ModelCall, Network, Pair, Place, Residuals, StageName, Step, StepHooks
from webui.sampling.timestep import Guided


@dataclass(frozen=True, slots=True)
class Stage:
    """A network with the text encoded for it. A run begins with the checkpoint; its refiner is a second stage.

    Attributes:
        asked: how inputs for the network are made, and what its output means.
        image_channels: (B, C, h, w) channels beside the latents, which show inpainting and editing checkpoints a
            picture; None for others.
        name: whether the network is the checkpoint of the pass or its refiner.
        takes: which residuals the network takes.
        takes_guidance: the network is told the guidance scale and answers with guidance; the negative prompt is left
            out.
        layers: the attention layers of the network by their names.
    """

    network: Network
    asked: Parameterisation
    conditioning: Conditioning
    image_channels: Tensor | None = None
    name: StageName = "base"
    takes: frozenset[ResidualKind] = ALL_RESIDUALS
    takes_guidance: bool = False
    layers: Mapping[str, AttentionLayer] = field(default_factory=dict)

    def with_network(self, put: Callable[[Network], Network]) -> "Stage":
        """The stage with another network in the place of its own; itself where `put` gives the same."""
        network = put(self.network)
        return self if network is self.network else replace(self, network=network)


StageAt = Callable[[float, int], Stage]  # (share of the noise levels done, calls made) -> the stage of the next call


class GuidedModel:
    """Classifier-free guidance (arXiv:2207.12598) around a network, in sigma space or timestep space.

    Args:
        stage_at: called before each call to learn which network it goes to.
        levels: the noise levels of the checkpoint that the run began with.
        planned: how many calls the run is expected to make (twice the steps for second-order samplers).
        image_cfg_scale: strength of guidance towards the picture, for checkpoints that edit by instruction
            (arXiv:2211.09800, equation 3). With None or 1 the negative prompt is evaluated with the picture only.
        place: the batch and the pass that the run belongs to.
    """

    def __init__(
        self,
        stage_at: StageAt,
        levels: SigmaTable,
        hooks: StepHooks,
        *,
        cfg_scale: float,
        options: Guidance,
        planned: int,
        image_cfg_scale: float | None = None,
        place: Place = Place(),
    ) -> None:
        self._stage_at = stage_at
        self._levels = levels
        self._hooks = hooks
        self._cfg_scale = cfg_scale
        self._options = options
        self._planned = planned
        self._image_scale = 1.0 if image_cfg_scale is None else image_cfg_scale
        self._place = place
        self._layouts = Layouts(options)
        self._calls_of: Counter[int] = Counter()  # by the index of the step
        self.calls = 0
        self.latest: Tensor | None = None  # (B, C, h, w): clean estimate of each image's first prompt part alone
        self.padded = False  # whether prompt or negative prompt was padded to the length of the other

    def denoise(self, step: Step, latents: Tensor, sigma: Tensor) -> Tensor:
        """Sigma space: (B, C, h, w) at level `sigma` -> the guided estimate of the clean latents."""
        return self.pair(step, latents, sigma).guided

    def pair(self, step: Step, latents: Tensor, sigma: Tensor) -> Pair:
        """As `denoise`, with the estimate of the negative prompt alone beside it."""
        stage = self._stage_at(self._levels.done(sigma), self.calls)
        step = self._begun(step, stage)
        asked, layout = stage.asked, self._layouts.at(stage.conditioning, self.calls, latents.device)
        timestep = asked.timestep(sigma)
        scaled = latents / asked.spread(sigma)
        answer = self._predict(step, stage, layout, scaled, timestep, sigma)
        blind = self._blind(step, stage, layout, scaled, timestep)
        rows, against = answer.converted(latents, lambda output, here: asked.clean(output, here, sigma, timestep))
        cond = layout.first_of(rows)
        against = cond if against is None else against
        guided = guide(rows, against, layout.weights, answer.scale)
        if blind is not None:
            unseen = asked.clean(blind, latents, sigma, timestep)
            guided = towards_picture(guided, against, unseen, self._image_scale)
        if self._options.rescale > 0:
            guided = rescaled(guided, cond, latents, sigma, asked, self._options.rescale)
        if self._hooks.edits_denoised:
            again = self._asking(step, stage, layout, sigma, timestep)
            guided = self._hooks.edit_denoised(step, guided, cond, against, latents, again)
        self.latest = cond
        self.calls += 1
        return Pair(guided, against)

    def epsilon(self, step: Step, latents: Tensor, timestep: Tensor, *, cfgpp: bool = False) -> Guided:
        """Timestep space: variance-preserving (B, C, h, w) at `timestep` -> guided and unconditional epsilon.

        `cfgpp` divides the guidance scale by 12.5, as DDIM CFG++ (arXiv:2406.08070) is set up in A1111.
        """
        stage = self._stage_at(self._levels.done_at(timestep), self.calls)
        step = self._begun(step, stage)
        asked, layout = stage.asked, self._layouts.at(stage.conditioning, self.calls, latents.device)
        answer = self._predict(step, stage, layout, latents, timestep, timestep)
        blind = self._blind(step, stage, layout, latents, timestep)
        alpha = self._levels.alphas_cumprod.to(latents.dtype)[int(timestep)]
        rows, against = answer.converted(latents, lambda output, here: asked.epsilon(output, here, alpha))
        cond = layout.first_of(rows)
        against = cond if against is None else against
        guided = guide(rows, against, layout.weights, answer.scale / 12.5 if cfgpp else answer.scale)
        if blind is not None:
            unseen = asked.epsilon(blind, latents, alpha)
            guided = towards_picture(guided, against, unseen, self._image_scale)
        if self._options.rescale > 0:
            guided = with_spread_of(guided, cond, self._options.rescale)
        if self._hooks.edits_denoised:
            level = self._levels.alpha(timestep).to(latents.dtype)
            again = self._asking_at(step, stage, layout, timestep, level)
            guided = self._edited(step, latents, level, guided, cond, against, again)
        self.latest = _clean(latents, cond, alpha)
        self.calls += 1
        return Guided(guided, against)

    def located(self, step: Step) -> Step:
        """The step with its `place` filled in: the batch, the pass and the calls made so far."""
        return replace(step, place=replace(self._place, call=self.calls, call_in_step=self._calls_of[step.index]))

    def _begun(self, step: Step, stage: Stage) -> Step:
        """Count the call that begins now, and return the step with the place of this call."""
        self._place = replace(self._place, stage=stage.name)
        step = self.located(step)
        self._calls_of[step.index] += 1
        return step

    def _asking(self, step: Step, stage: Stage, layout: Layout, sigma: Tensor, timestep: Tensor) -> Ask:
        """What asks the network again in this call of noise-level space."""

        def ask(latents: Tensor, positive: bool) -> Tensor:
            rows = layout.alone if positive else layout.negatives
            output = self._call(step, stage, rows, latents / stage.asked.spread(sigma), timestep)
            here = layout.of_parts(latents) if positive else latents
            clean = stage.asked.clean(output, here, sigma, timestep)
            return layout.first_of(clean) if positive else clean

        return ask

    def _asking_at(self, step: Step, stage: Stage, layout: Layout, timestep: Tensor, alpha: Tensor) -> Ask:
        """What asks the network again in this call of timestep space; it is given latents of noise-level space."""

        def ask(latents: Tensor, positive: bool) -> Tensor:
            preserving = latents * alpha.sqrt()
            rows = layout.alone if positive else layout.negatives
            output = self._call(step, stage, rows, preserving, timestep)
            here = layout.of_parts(preserving) if positive else preserving
            clean = _clean(here, stage.asked.epsilon(output, here, alpha), alpha)
            return layout.first_of(clean) if positive else clean

        return ask

    def _edited(
        self, step: Step, latents: Tensor, alpha: Tensor, guided: Tensor, cond: Tensor, against: Tensor, ask: Ask
    ) -> Tensor:
        """The guided epsilon after the hook `edit_denoised`, which gets clean estimates; bit for bit the same where no
        extension changes anything.
        """
        before = _clean(latents, guided, alpha)
        estimates = before, _clean(latents, cond, alpha), _clean(latents, against, alpha)
        after = self._hooks.edit_denoised(step, *estimates, latents / alpha.sqrt(), ask)
        return guided if after is before else (latents - alpha.sqrt() * after) / (1 - alpha).sqrt()

    def _skips_uncond(self, sigma: Tensor) -> bool:
        """Whether this call leaves the negative prompt out (skip early CFG, NGMS).

        In timestep space A1111 compares the timestep with the noise level that NGMS begins at; and images depend on it.
        """
        options = self._options
        if options.skip_early_cond and self.calls / self._planned <= options.skip_early_cond:
            return True
        low = options.s_min_uncond > 0 and bool(sigma < options.s_min_uncond) and self._image_scale == 1
        return low and (self.calls % 2 == 1 or options.s_min_uncond_all)

    def _predict(
        self, step: Step, stage: Stage, layout: Layout, scaled: Tensor, timestep: Tensor, sigma: Tensor
    ) -> "_Answer":
        """Ask the network for all AND parts and, unless it is skipped, for the negative prompt."""
        if stage.takes_guidance or self._skips_uncond(sigma):
            return _Answer(layout, self._call(step, stage, layout.alone, scaled, timestep), None, 1.0)
        self.padded |= layout.padded
        if layout.together is not None:
            return _Answer(layout, self._call(step, stage, layout.together, scaled, timestep), None, self._cfg_scale)
        positive, negative = layout.apart
        cond = self._call(step, stage, positive, scaled, timestep)
        return _Answer(layout, cond, self._call(step, stage, negative, scaled, timestep), self._cfg_scale)

    def _blind(self, step: Step, stage: Stage, layout: Layout, scaled: Tensor, timestep: Tensor) -> Tensor | None:
        """The network's output for the negative prompt without the picture (B, C, h, w), where guidance needs it."""
        if self._image_scale == 1 or stage.image_channels is None:
            return None
        unseen = replace(stage, image_channels=torch.zeros_like(stage.image_channels))
        return self._call(step, unseen, layout.negatives, scaled, timestep)

    def _call(self, step: Step, stage: Stage, rows: Rows, scaled: Tensor, timestep: Tensor) -> Tensor:
        sample = rows.of(scaled)
        if stage.image_channels is not None:
            sample = torch.cat([sample, rows.of(stage.image_channels.to(sample))], dim=1)
        call = ModelCall(
            step,
            sample,
            torch.full((len(sample),), float(timestep), dtype=sample.dtype, device=sample.device),
            rows.context,
            rows.positive,
            rows.vector,
            stage.takes,
            self._cfg_scale,
            rows=rows.told,
            layers=stage.layers,
        )
        return self._hooks.call_network(call, partial(self._answer, stage))

    def _answer(self, stage: Stage, call: ModelCall) -> Tensor:
        """The network's output for a call, or for a part of one, with what extensions add."""
        residuals = self._hooks.unet_residuals(call)
        taking_part = self._hooks.unet_attention(call)
        if not taking_part:
            return self._with_residuals(stage, call, residuals)
        output = self._with_residuals(stage, replace(call, taking_part=taking_part), residuals)
        if torch.isfinite(output).all():
            return output
        alone = self._with_residuals(stage, call, residuals)
        if torch.isfinite(alone).all():
            self._hooks.refuse_attention()
        return alone

    def _with_residuals(self, stage: Stage, call: ModelCall, residuals: Residuals | None) -> Tensor:
        """The network's output with residuals, without them where they do not fit."""
        if residuals is None:
            return stage.network(call, None)
        try:
            return stage.network(call, residuals)
        except torch.OutOfMemoryError:
            raise
        except (ValueError, RuntimeError) as error:  # they do not fit this network
            output = stage.network(call, None)
            self._hooks.refuse_residuals(error)
            return output


Convert = Callable[[Tensor, Tensor], Tensor]  # (the network's output, latents) -> an estimate of the same shape


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the network answered.

    Attributes:
        rows: its outputs for all AND parts, image by image, and below them those for the negative prompts, where
            both were asked for in one call.
        apart: its outputs for the negative prompts (B, C, h, w), where they needed a call of their own.
        scale: the guidance scale of this call.
    """

    layout: Layout
    rows: Tensor
    apart: Tensor | None
    scale: float

    def converted(self, latents: Tensor, convert: Convert) -> tuple[Tensor, Tensor | None]:
        """The estimates of all AND parts (R, C, h, w), and those of the negative prompt, None where it was left out."""
        images, parts = len(latents), self.layout.parts
        if self.apart is not None or len(self.rows) == parts:
            rows = convert(self.rows, self.layout.of_parts(latents))
            return rows, None if self.apart is None else convert(self.apart, latents)
        if self.layout.is_single:
            both = convert(self.rows.view(2, images, *self.rows.shape[1:]), latents)
            return both[0], both[1]
        return convert(self.rows[:parts], self.layout.of_parts(latents)), convert(self.rows[parts:], latents)


def _clean(latents: Tensor, epsilon: Tensor, alpha: Tensor) -> Tensor:
    """The clean estimate in variance-preserving latents, given the noise in them."""
    return (latents - (1 - alpha).sqrt() * epsilon) / alpha.sqrt()
