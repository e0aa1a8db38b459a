"""ControlNet in one job: which units act in which call of the UNet, and what is shown and written afterwards."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from webui.plugins.api import GenerationRequest, Img2Img, JobContext, Models, Txt2Img, UnknownModelError, hookimpl
from webui.plugins.tensors import LoadedModel, ModelCall, Place, Residuals, Step

from .finishing import finished
from .injection import BALANCED, CONTROL_WINS, is_within
from .latents import Correction, Prediction, latent_mask, noised
from .networks import Acting, acting, load
from .options import ControlOptions, Unit
from .reference import Look, Reference
from .units import Prepared, fields_of, prepare

SEEDS = 2**32
SEEDS_DRAWN_BELOW = 4294967294
FULL_STRENGTH = 0.999  # a denoising strength of 1 counts as this


class ControlJob:
    """The job hooks. Made for each job in which a unit is enabled."""

    def __init__(self, job: JobContext, options: ControlOptions) -> None:
        self._context = job
        self._options = options
        self._originals: tuple[Unit, ...] = options.enabled
        self._request = job.request
        self._units: tuple[Prepared, ...] = prepare(options, job.request, job.models, job.device)
        self._paths = {one.number: find_network(job.models, one) for one in self._units if one.has_model}
        self._on_model: OnModel | None = None
        self._draws: tuple[tuple[int, bool], torch.Generator] | None = None

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """Draw the seed here: what units draw hangs on it."""
        if request.seed < 0:
            request = request.with_(seed=random.randrange(SEEDS_DRAWN_BELOW))
        self._request = request
        self._units = prepare(self._options, request, self._context.models, self._context.device)
        return request

    @hookimpl
    def patch_model(self, model: LoadedModel) -> Any:
        """Bring the networks onto the checkpoint; what else the job loads is left as it is."""
        if self._on_model is not None and not self._on_model.is_of(model):
            return None
        return self._applied(model)

    @hookimpl
    def unet_residuals(self, call: ModelCall) -> Residuals | None:
        """What the units add. Control ends where a refiner takes over, as in A1111."""
        if self._on_model is None or call.place.stage == "refiner":
            return None
        total = steps_of(self._request, hires=call.step.hires, run=call.step.total)
        done = step_of(call.step)
        active = [one for one in self._units if is_within(one.unit, done, total, hires=call.step.hires)]
        return self._on_model.residuals(call, active, self._noise(call.place))

    @hookimpl
    def edit_image(self, image: Image.Image, index: int) -> Image.Image | None:
        for one in self._units:
            image = finished(one, image)
        return image

    @hookimpl
    def image_fields(self) -> Mapping[str, str]:
        return fields_of(self._units, self._originals)

    @hookimpl
    def extra_images(self) -> Sequence[Image.Image]:
        """The maps, of the second pass of hires fix first."""
        sizes = [size for size in (hires_size(self._request), (self._request.height, self._request.width)) if size]
        return [one.shown(*size) for one in self._units if one.unit.save_detected_map for size in sizes]

    @contextmanager
    def _applied(self, model: LoadedModel) -> Iterator[None]:
        networks = {
            one.number: acting(self._network(one), one, self._paths[one.number], model)
            for one in self._units
            if one.has_model
        }
        on_model = OnModel(model, self._units, networks)
        with on_model.applied():
            self._on_model = on_model
            try:
                yield
            finally:
                self._on_model = None

    def _network(self, one: Prepared) -> Any:
        path: Path = self._paths[one.number]
        return load(self._context.models, path, self._context.device, self._context.dtype)

    def _noise(self, place: Place) -> torch.Generator:
        """Random numbers of the pass: A1111's global generator, as the noise of the batch's last image left it."""
        run = (place.batch, place.hires)
        if self._draws is None or self._draws[0] != run:
            request = self._request
            last = 0 if request.subseed_strength > 0 else (place.batch + 1) * request.batch_size - 1
            self._draws = (run, torch.Generator().manual_seed((request.seed + last) % SEEDS))
        return self._draws[1]


class OnModel:
    """The units of a job on one checkpoint."""

    def __init__(self, model: LoadedModel, units: Sequence[Prepared], networks: Mapping[int, Acting]) -> None:
        self._model = model
        self._networks = networks
        self._reference = Reference(model) if any(one.is_reference for one in units) else None
        self._prediction = Prediction(model.spec.prediction == "v")
        self._cell = model.spec.latents.cell
        self._latents: dict[tuple[int, int, int], Tensor] = {}
        self._corrections: list[Correction] = []
        self._corrects = any(corrects(one) for one in units)
        self._call: ModelCall | None = None

    def is_of(self, model: LoadedModel) -> bool:
        """Whether this is the checkpoint that the units act on."""
        return self._model.network is model.network

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While networks and hooks are on the model."""
        with ExitStack() as stack:
            for network in self._networks.values():
                stack.enter_context(network.applied())
            if self._reference is not None:
                stack.enter_context(self._reference.on())
            if self._corrects:
                handle = self._model.unet.module.register_forward_hook(self._corrected)
                stack.callback(handle.remove)
            yield

    def residuals(self, call: ModelCall, active: Sequence[Prepared], noise: torch.Generator) -> Residuals | None:
        """What the active units add in this call; also sets up those that act on layers or on the output."""
        self._call, self._corrections = None, []
        for network in self._networks.values():
            network.idle()
        if self._reference is not None:
            self._look(self._reference, call, [one for one in active if one.is_reference], noise)
        total: Residuals | None = None
        for one in active:
            network_of = self._networks.get(one.number)
            added = None if network_of is None else network_of.residuals(call)
            if added is not None:
                total = added if total is None else total + added
        self._call = call
        self._corrections = [self._correction(one, call) for one in active if corrects(one)]
        return total

    def _look(self, reference: Reference, call: ModelCall, units: Sequence[Prepared], noise: torch.Generator) -> None:
        reference.forget()
        for one in units:
            latents = self._source_latents(one, call, noise).to(call.sample.device).expand(len(call.sample), -1, -1, -1)
            drawn = torch.randn(latents.shape, generator=noise).to(latents)
            sample = noised(latents, call.timestep, drawn)
            if call.sample.shape[1] > sample.shape[1]:
                sample = torch.cat([sample, call.sample[:, sample.shape[1] :]], dim=1)
            looked = ModelCall(call.step, sample, call.timestep, call.context, call.positive, call.vector)
            with reference.looking(look_of(one, hires=call.step.hires, is_xl=self._is_xl)):
                self._model.unet(looked, None)
        reference.read(call.positive.to(self._model.unet.device))

    @property
    def _is_xl(self) -> bool:
        return self._model.spec.family.takes_vector

    def _source_latents(self, one: Prepared, call: ModelCall, noise: torch.Generator | None = None) -> Tensor:
        """(1, C, h, w) latents of a unit's picture, without what an inpainting unit repaints."""
        height, width = call.sample.shape[-2:]
        key = (one.number, height, width)
        if key not in self._latents:
            pixels = one.source(height * self._cell, width * self._cell)
            repainted = one.repainted(height * self._cell, width * self._cell)
            if repainted is not None:
                pixels = (pixels - 0.5) * (1 - repainted) + 0.5
            self._latents[key] = self._model.vae.encode(pixels.to(self._model.device))
            if noise is not None:  # A1111 samples the posterior, whose noise is drawn first
                torch.randn(self._latents[key].shape, generator=noise)
        return self._latents[key]

    def _correction(self, one: Prepared, call: ModelCall) -> Correction:
        source = self._source_latents(one, call)
        weight = min(max(one.unit.weight, 0.0), 1.0)
        height, width = call.sample.shape[-2:]
        repainted = one.repainted(height * self._cell, width * self._cell)
        if repainted is not None:
            return Correction(source, weight, mask=latent_mask(repainted, self._cell))
        radius = int(one.threshold(0)) * (2 if call.step.hires else 1)
        sharpness = one.threshold(1) if one.module.name.endswith("+sharp") else 0.0
        return Correction(source, weight, radius=radius, sharpness=sharpness)

    def _corrected(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        call = self._call
        if call is None or not self._corrections:
            return None
        answer = output[0] if isinstance(output, tuple) else output
        sample = call.sample[:, : self._model.spec.latents.channels].to(answer.device, torch.float32)
        timestep, positive = call.timestep.to(answer.device), call.positive.to(answer.device)
        changed = answer.float()
        for correction in self._corrections:
            changed = correction(self._prediction, sample, timestep, positive, changed)
        changed = changed.to(answer.dtype)
        return (changed, *output[1:]) if isinstance(output, tuple) else changed


def find_network(models: Models, one: Prepared) -> Path:
    """The file that a unit names: exactly, or the shortest name that contains the text, as A1111 takes it.

    Raises:
        UnknownModelError: none; lists those that are there.
    """
    wanted = one.unit.model
    try:
        return models.find("controlnet", wanted)
    except UnknownModelError:
        containing = [name for name in models.names("controlnet") if wanted.lower() in name.lower()]
        if not containing:
            raise
        return models.find("controlnet", min(containing, key=len))


def corrects(one: Prepared) -> bool:
    """Whether a unit changes what the UNet answers."""
    return one.module.name.startswith("tile_colorfix") or one.module.name == "inpaint_only"


def look_of(one: Prepared, *, hires: bool, is_xl: bool) -> Look:
    """How a reference unit takes part."""
    mode = one.unit.control_mode
    fidelity = one.threshold(0) if mode == BALANCED else 1.0 if mode == CONTROL_WINS else 0.0
    if hires:
        fidelity = 0.0
    name = one.module.name
    return Look(
        one.unit.weight,
        fidelity**3 if is_xl else fidelity,
        attention=name != "reference_adain",
        features=name != "reference_only",
    )


def step_of(step: Step) -> int:
    """The step that counts for a unit's window. A1111 counts one as begun when its first call is over."""
    return step.index if step.place.call_in_step else max(0, step.index - 1)


def steps_of(request: GenerationRequest, *, hires: bool, run: int) -> int:
    """Steps that shares of a run refer to: those asked for, in img2img those that are run."""
    if hires:
        return run
    task = request.task
    if not isinstance(task, Img2Img) or task.fix_steps:
        return request.steps
    return int(min(task.denoising_strength, FULL_STRENGTH) * request.steps) + 1


def hires_size(request: GenerationRequest) -> tuple[int, int] | None:
    """(height, width) of the second pass of hires fix; None without one."""
    task = request.task
    if not isinstance(task, Txt2Img) or not task.hires.enabled:
        return None
    width, height = task.hires.target(request.width, request.height).size
    return height, width
