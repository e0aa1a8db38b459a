"""What the options change in one job: hooks, and when each part acts. The arithmetic is in the modules beside."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from webui.extension_api import GenerationRequest, JobContext, PlannedImage, hookimpl
from webui.extension_api.tensors import LoadedModel, ModelCall, Place, Step, TakePart, with_spread_of

from .dynamic_thresholding import thresholded
from .formulas import projected
from .free_features import joined, share_of
from .guidance_words import fields_of
from .hyper_tiles import PIXELS, HyperTiles, tile_for
from .levers import FreeUStage
from .options import GuidanceOptions
from .shrinking import Shrinking
from .unet_joints import joints
from .worse_estimates import SeenAttention, identity, middle_layers, perturbed_scale, self_attention_guided


class CallCount:
    """Counts the calls of the denoiser in a batch, over both of its passes: FreeU is timed by them."""

    def __init__(self) -> None:
        self._place = Place()
        self._before = 0

    def at(self, place: Place) -> int:
        """How many calls the batch made before this one."""
        if place.batch != self._place.batch:
            self._before = 0
        elif place.hires and not self._place.hires:
            self._before += self._place.call + 1
        self._place = place
        return self._before + place.call


class ChangedGuidance:
    """Changes the guided estimate of every call, and what the network does within it."""

    def __init__(self, options: GuidanceOptions, request: GenerationRequest) -> None:
        self._options = options
        self._request = request
        self._count = CallCount()
        self._share = 0.0  # of FreeU in this call
        self._shrinking = Shrinking(options.deep_shrink)
        self._tiles = HyperTiles(request.seed)
        self._hires = False  # whether the last call was of the second pass
        self._momentum: Tensor | None = None
        self._perturbs = False
        self._asks = False
        self._acted = 0
        self._seen = SeenAttention()

    @hookimpl
    def patch_model(self, model: LoadedModel) -> Any:
        """Hooks on the layers, where a part needs them."""
        chosen = self._options
        if not (chosen.freeu.enabled or chosen.deep_shrink.enabled or chosen.hypertile.vae):
            return None
        return self._patched(model)

    @contextmanager
    def _patched(self, model: LoadedModel) -> Iterator[None]:
        chosen = self._options
        with ExitStack() as stack:
            if chosen.deep_shrink.enabled:
                stack.enter_context(self._shrinking.on(model.unet.module))
            if chosen.freeu.enabled:
                for layer, hook in self._free(model):
                    stack.callback(layer.register_forward_pre_hook(hook).remove)
            if chosen.hypertile.vae:
                stack.enter_context(self._tiles.of_vae(model.vae.module, chosen.hypertile.of_vae))
            yield

    def _free(self, model: LoadedModel) -> Iterator[tuple[nn.Module, Callable[..., Any]]]:
        """The blocks that FreeU acts on, by the width of what comes from below, each with its hook."""
        unet: Any = model.unet.module
        widths = sorted(set(unet.config.block_out_channels), reverse=True)
        stages = dict(zip(widths, self._options.freeu.acting, strict=False))
        for joint in joints(unet):
            if joint.width in stages:
                yield joint.residual, partial(self._freed, stages[joint.width], joint.width)

    def _freed(self, stage: FreeUStage, width: int, layer: nn.Module, given: tuple[Any, ...]) -> Any:
        if not self._share:
            return None
        return (joined(given[0], width, stage, self._options.freeu.version, self._share), *given[1:])

    @hookimpl
    def unet_residuals(self, call: ModelCall) -> None:
        """No residuals: this is the moment before each call of the network."""
        if self._options.freeu.enabled:
            self._share = share_of(self._options.freeu, self._count.at(call.place), call.step.total)
        if self._options.deep_shrink.enabled:
            self._shrinking.begin(float(call.timestep[0]))

    @hookimpl
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart] | None:
        """Tiles, an estimate without self-attention, or a look at what the network looks at."""
        parts = self._tiled(call)
        if self._perturbs:
            return parts | dict.fromkeys(middle_layers(call.layers), identity)
        if self._options.sag.enabled and self._options.sag.scale and not self._asks and not call.windows:
            negative = [place for place, row in enumerate(call.rows) if not row.positive]
            if negative and (names := middle_layers(call.layers)):
                parts[names[0]] = self._seen.taking_part(negative)
        return parts or None

    def _tiled(self, call: ModelCall) -> dict[str, TakePart]:
        chosen, place = self._options.hypertile, call.place
        if place.hires and not self._hires:
            self._tiles.begin()
        self._hires = place.hires
        if not (chosen.unet or (chosen.second_pass and place.hires)):
            return {}
        height, width = (side * PIXELS for side in call.sample.shape[-2:])
        return self._tiles.parts(call.layers, tile_for(width, height, chosen.of_unet), chosen.of_unet)

    @hookimpl
    def edit_denoised(
        self,
        step: Step,
        denoised: Tensor,
        cond: Tensor,
        uncond: Tensor,
        latents: Tensor,
        ask: Callable[[Tensor, bool], Tensor],
    ) -> Tensor | None:
        """(B, C, h, w) each: clean estimates."""
        options = self._options
        if step.place.call == 0:
            self._momentum, self._acted = None, 0
        guided = self._guided(step, denoised, cond, uncond)
        try:
            self._asks = True
            guided = self._led_away(step, guided, cond, uncond, latents, ask)
        finally:
            self._asks = self._perturbs = False
            self._seen.forget()
        if options.rescale:
            guided = with_spread_of(guided, cond, options.rescale)
        return None if guided is denoised else guided

    def _guided(self, step: Step, denoised: Tensor, cond: Tensor, uncond: Tensor) -> Tensor:
        """Guidance by the prompts, as thresholding or projection change it, and within its interval."""
        options, scale = self._options, self._request.cfg_scale
        if not options.start <= step.progress <= options.end:
            return cond
        if options.thresholding.enabled and scale > 0:
            done = step.place.call / max(1, self._request.steps - 1)
            denoised = thresholded(denoised, uncond, scale, options.thresholding, done)
        if options.apg.enabled and scale > 0:
            apg = options.apg
            denoised, self._momentum = projected(
                denoised, cond, uncond, scale,
                eta=apg.eta, norm=apg.norm, momentum=apg.momentum, before=self._momentum,
            )  # fmt: skip
        return denoised

    def _led_away(
        self,
        step: Step,
        guided: Tensor,
        cond: Tensor,
        uncond: Tensor,
        latents: Tensor,
        ask: Callable[[Tensor, bool], Tensor],
    ) -> Tensor:
        """Guidance away from estimates that are worse: perturbed attention, then self-attention."""
        pag, sag = self._options.pag, self._options.sag
        scale = perturbed_scale(pag, step.progress, self._acted) if pag.enabled else 0.0
        if scale:
            self._perturbs, self._acted = True, self._acted + 1
            guided = guided + scale * (cond - ask(latents, True))
            self._perturbs = False
        if sag.enabled and sag.scale:
            mask = self._seen.mask((latents.shape[-2], latents.shape[-1]), sag.threshold)
            if mask is not None and len(mask) == len(latents):
                guided = self_attention_guided(guided, uncond, latents, mask, sag, ask)
        return guided

    @hookimpl
    def image_fields(self) -> Mapping[str, str]:
        """What was switched on, with its numbers."""
        return fields_of(self._options)


class TiledGuidance(ChangedGuidance):
    """With tiles, which are drawn by the seed of the first picture."""

    @hookimpl
    def plan_images(self, request: GenerationRequest, images: Sequence[PlannedImage]) -> None:
        """Learn the seed, which is drawn by now."""
        self._tiles = HyperTiles(images[0].seed if images else request.seed)


def join(job: JobContext, options: GuidanceOptions) -> ChangedGuidance:
    """The object of a job in which something is switched on."""
    tiled = options.hypertile.unet or options.hypertile.second_pass or options.hypertile.vae
    return (TiledGuidance if tiled else ChangedGuidance)(options, job.request)
