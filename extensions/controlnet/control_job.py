"""The hooks of ControlNet in one job: they decide which units act in which call of the UNet, and return maps and
infotext fields afterwards.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from webui.extension_api import (
    BadRequestError,
    GenerationRequest,
    JobContext,
    Models,
    Txt2Img,
    UnknownModelError,
    UnusableFileError,
    hookimpl,
    sampler_of,
    steps_of,
)
from webui.extension_api.tensors import LoadedModel, ModelCall, Place, Residuals, reported_step

from .finishing import kept, lit
from .handed_units import with_handed
from .injection import BALANCED, CONTROL_WINS, is_within
from .latents import Correction, Prediction, latent_mask, noised
from .options import ControlOptions, Unit
from .reference import Look, Reference
from .unit_networks import Acting, acting, load
from .units import PreparedUnit, fields_of, prepare

SEEDS = 2**64  # of torch
SEEDS_DRAWN_BELOW = 4294967294


class ControlJob:
    """The job hooks. There is one object for each job in which a unit is enabled."""

    def __init__(self, job: JobContext, options: ControlOptions) -> None:
        self._context = job
        self._options = options
        self._originals: tuple[Unit, ...] = options.enabled
        self._request = job.request
        self._units: tuple[PreparedUnit, ...] = prepare(options, job.request, job.models, job.device, job.tools)
        self._paths = {one.number: find_network(job.models, one) for one in self._units if one.has_model}
        self._on_model: OnModel | None = None
        self._draws: tuple[tuple[int, bool], torch.Generator] | None = None

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """Draw a random seed already here, because preprocessors with randomness depend on it."""
        if request.seed < 0:
            request = request.with_(seed=random.randrange(SEEDS_DRAWN_BELOW))
        self._request = request
        self._units = prepare(self._options, request, self._context.models, self._context.device, self._context.tools)
        return with_handed(request, self._options, self._context.extensions)

    @hookimpl
    def patch_model(self, model: LoadedModel) -> Any:
        """Attach the networks to the checkpoint of the job. Other models of the job, such as its refiner, are not
        changed.
        """
        if self._on_model is not None and not self._on_model.is_of(model):
            return None
        return self._applied(model)

    @hookimpl
    def unet_residuals(self, call: ModelCall) -> Residuals | None:
        """The residuals of all units. Control ends where a refiner takes over, as in A1111."""
        if self._on_model is None or call.place.stage == "refiner":
            return None
        hires, place = call.step.hires, call.place
        sampler, total = sampler_of(self._request, hires=hires), steps_of(self._request, hires=hires)
        done = reported_step(sampler, call)
        active = [one for one in self._units if is_within(one.unit, done, total, hires=hires)]
        return self._on_model.residuals(call, active, self._noise(place))

    @hookimpl
    def edit_pixels(self, pixels: Tensor, index: int) -> Tensor | None:
        for one in self._units:
            pixels = kept(one, pixels)
        return pixels

    @hookimpl
    def edit_image(self, image: Image.Image, index: int) -> Image.Image | None:
        for one in self._units:
            image = lit(one, image)
        return image

    @hookimpl
    def image_fields(self) -> Mapping[str, str]:
        return fields_of(self._originals)

    @hookimpl
    def extra_images(self) -> Sequence[Image.Image]:
        """The maps, of the second pass of hires fix first."""
        sizes = [size for size in (hires_size(self._request), (self._request.height, self._request.width)) if size]
        return [one.shown(*size) for one in self._units if one.unit.save_detected_map for size in sizes]

    @contextmanager
    def _applied(self, model: LoadedModel) -> Iterator[None]:
        networks = {one.number: self._acting(one, model) for one in self._units if one.has_model}
        on_model = OnModel(model, self._units, networks)
        with on_model.applied():
            self._on_model = on_model
            try:
                yield
            finally:
                self._on_model = None

    def _acting(self, one: PreparedUnit, model: LoadedModel) -> Acting:
        """The network of a unit on the model. Raises BadRequestError where its file is unusable or does not fit."""
        job, path = self._context, self._paths[one.number]
        try:
            network = load(job.models, path, job.device, job.dtype)
            return acting(network, one, path, model, job.models)
        except UnusableFileError as error:
            raise BadRequestError(f"{one.path}.model", str(error)) from error

    def _noise(self, place: Place) -> torch.Generator:
        """The random numbers of a pass: A1111's global generator in the state after the noise of the batch's last
        image.
        """
        run = (place.batch, place.hires)
        if self._draws is None or self._draws[0] != run:
            request = self._request
            last = 0 if request.subseed_strength > 0 else (place.batch + 1) * request.batch_size - 1
            self._draws = (run, torch.Generator().manual_seed((request.seed + last) % SEEDS))
        return self._draws[1]


class OnModel:
    """The units of a job on one checkpoint."""

    def __init__(self, model: LoadedModel, units: Sequence[PreparedUnit], networks: Mapping[int, Acting]) -> None:
        self._model = model
        self._units = units
        self._networks = networks
        self._reference = Reference(model) if any(one.is_reference for one in units) else None
        self._prediction = Prediction(model.spec.prediction == "v")
        self._cell = model.spec.latents.cell
        self._latents: dict[tuple[int, int, int], Tensor] = {}
        self._encoded: dict[bytes, Tensor] = {}  # by the picture's content, because A1111 encodes equal pictures once
        self._corrections: list[Correction] = []
        self._corrects = any(corrects(one) for one in units)
        self._call: ModelCall | None = None

    def is_of(self, model: LoadedModel) -> bool:
        """Whether this is the checkpoint that the units act on."""
        return self._model.network is model.network

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While entered, networks and hooks are attached to the model."""
        with ExitStack() as stack:
            for network in self._networks.values():
                stack.enter_context(network.applied())
            if self._reference is not None:
                stack.enter_context(self._reference.on())
            if self._corrects:
                handle = self._model.unet.module.register_forward_hook(self._corrected)
                stack.callback(handle.remove)
            yield

    def residuals(self, call: ModelCall, active: Sequence[PreparedUnit], noise: torch.Generator) -> Residuals | None:
        """The residuals of the active units in this call. Units that act on layers or on the output are set up for it
        too.
        """
        self._call, self._corrections = None, []
        for network in self._networks.values():
            network.idle()
        self._encode(call, noise)
        if self._reference is not None:
            self._look(self._reference, call, [one for one in active if one.is_reference], noise)
        total: Residuals | None = None
        for one in active:
            network_of = self._networks.get(one.number)
            added = None if network_of is None else network_of.residuals(call)
            if added is not None:
                total = added if total is None else total + added
        self._call = call
        # A1111 applies corrections in every call of both passes, whatever steps the unit is set to; colours come first.
        correcting = sorted((one for one in self._units if corrects(one)), key=lambda one: one.inpaints)
        self._corrections = [self._correction(one, call) for one in correcting]
        return total

    def _encode(self, call: ModelCall, noise: torch.Generator) -> None:
        """Encode the pictures of all units that need it, whether they act in this call or not.

        Latents are drawn from the posterior. Encoding all pictures first keeps the order of random numbers: theirs come
        before those of the first reference unit.
        """
        height, width = call.cells
        for one in self._units:
            key = (one.number, height, width)
            if key in self._latents or not (one.is_reference or corrects(one)):
                continue
            pixels = one.source(height * self._cell, width * self._cell)
            picture = hashlib.sha256(pixels.numpy().tobytes()).digest()
            if picture not in self._encoded:
                self._encoded[picture] = self._model.vae.encode(pixels.to(self._model.device), noise)
            self._latents[key] = self._encoded[picture]

    def _source_latents(self, one: PreparedUnit, call: ModelCall) -> Tensor:
        """(1, 4, h, w) latents of a unit's picture; of its part for each row where the call is for windows."""
        return call.cut(self._latents[one.number, *call.cells])

    def _look(
        self, reference: Reference, call: ModelCall, units: Sequence[PreparedUnit], noise: torch.Generator
    ) -> None:
        reference.forget()
        for one in units:
            latents = self._source_latents(one, call).to(call.sample.device).expand(len(call.sample), -1, -1, -1)
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

    def _correction(self, one: PreparedUnit, call: ModelCall) -> Correction:
        source = self._source_latents(one, call)
        weight = min(max(one.unit.weight, 0.0), 1.0)
        height, width = call.cells
        repainted = one.repainted(height * self._cell, width * self._cell)
        if repainted is not None:
            return Correction(source, weight, mask=call.cut(latent_mask(repainted, self._cell)))
        acts_in_hires = call.step.hires and one.unit.hr_option != "Low res only"
        radius = int(one.threshold(0)) * (2 if acts_in_hires else 1)
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


def find_network(models: Models, one: PreparedUnit) -> Path:
    """The file that a unit names: by its exact name, else the shortest name that contains the text, as in A1111.

    Raises:
        BadRequestError: there is no such file; the text lists those that exist.
    """
    wanted = one.unit.model
    try:
        return models.find("controlnet", wanted)
    except UnknownModelError as error:
        containing = [name for name in models.names("controlnet") if wanted.lower() in name.lower()]
        if not containing:
            raise BadRequestError(f"{one.path}.model", str(error)) from error
        return models.find("controlnet", min(containing, key=len))


def corrects(one: PreparedUnit) -> bool:
    """Whether a unit changes the output of the UNet."""
    return one.module.name.startswith("tile_colorfix") or one.module.name == "inpaint_only"


def look_of(one: PreparedUnit, *, hires: bool, is_xl: bool) -> Look:
    """The settings of a reference unit for one call."""
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


def hires_size(request: GenerationRequest) -> tuple[int, int] | None:
    """(height, width) of the second pass of hires fix; None without one."""
    task = request.task
    if not isinstance(task, Txt2Img) or not task.hires.enabled:
        return None
    width, height = task.hires.target(request.width, request.height).size
    return height, width
