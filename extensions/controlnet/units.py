"""Prepares the units of a request: their modules, their pictures, and the maps and hints made of these."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from webui.extension_api import (
    NO_TOOLS,
    BadRequestError,
    GenerationRequest,
    Img2Img,
    Models,
    Picture,
    Tools,
    UnusableFileError,
)

from .annotated_maps import annotated
from .brought_modules import drawing
from .handed_units import is_handed
from .maps import FineMap, Map, fitted, pixel_perfect_resolution
from .modules import MODULES, NO_MODULE, Module, brought, brought_module, find_module
from .network_preprocessors import network_preprocessor
from .options import NO_MODEL, ControlOptions, Unit
from .pose_maps import POSES, PoseMap
from .preprocessors import PREPROCESSORS, Preprocessor, Settings
from .replacements import REPLACEMENTS
from .unit_pictures import HALF, own_mask, pixels_of, seen_by

SEEDS = 2**32  # of numpy


@dataclass
class PreparedUnit:
    """A unit with its picture and its preprocessor.

    Attributes:
        number: its place among the units of the request, from 0.
        picture: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8, above 127: repaint; None without one.
        draw: the preprocessor.
        seed: the seed for preprocessors with randomness.
        size: (height, width) in pixels of the first pass, for pixel perfect.
    """

    unit: Unit
    module: Module
    number: int
    picture: Map
    mask: NDArray[np.uint8] | None
    draw: Preprocessor
    seed: int
    size: tuple[int, int]
    _drawn: Map | None = None
    _maps: dict[tuple[int, int], Map | FineMap] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Its path in the request, for errors."""
        return f"extensions.controlnet.units.{self.number}"

    @property
    def inpaints(self) -> bool:
        return self.module.name.startswith("inpaint")

    @property
    def is_reference(self) -> bool:
        return self.module.name.startswith("reference")

    @property
    def has_model(self) -> bool:
        return self.unit.model != NO_MODEL

    def threshold(self, number: int) -> float:
        """Threshold A (0) or B (1) as it is used, in the slider's range."""
        return self.module.threshold(number, (self.unit.threshold_a, self.unit.threshold_b)[number])

    def map_for(self, height: int, width: int) -> Map | FineMap:
        """The map at a size in pixels: (height, width, 3) uint8.

        That of an inpainting unit is (height, width, 4) float32: its picture, and its mask of 0 and 255.
        """
        size = (height, width)
        if size not in self._maps:
            drawn, fit = self._raw(), self.unit.resize_mode
            made = fitted(drawn.astype(np.float32), *size, fit) if drawn.shape[2] == 4 else fitted(drawn, *size, fit)
            self._maps[size] = made
        return self._maps[size]

    def shown(self, height: int, width: int) -> Image.Image:
        """The map as a picture."""
        colour = self.map_for(height, width)[:, :, :3]
        return Image.fromarray(np.ascontiguousarray(colour.clip(0, 255).astype(np.uint8)))

    def hint(self, height: int, width: int) -> Tensor:
        """The map as (1, 3, height, width) float32 in 0..1; where an inpainting mask is white, -1."""
        values = torch.from_numpy(np.ascontiguousarray(self.map_for(height, width))).float() / 255
        hint = values.permute(2, 0, 1)[None]
        if hint.shape[1] == 4:
            masked = (hint[:, 3:] > 0.5).float()
            hint = hint[:, :3] * (1 - masked) - masked
        return hint.contiguous()

    def source(self, height: int, width: int) -> Tensor:
        """The picture itself as (1, 3, height, width) float32 in 0..1, a little beyond where a filter overshoots."""
        colour = np.ascontiguousarray(self.map_for(height, width)[:, :, :3])
        return (torch.from_numpy(colour).float() / 255).permute(2, 0, 1)[None].contiguous()

    def repainted(self, height: int, width: int) -> Tensor | None:
        """(1, 1, height, width) float32, 1 where an inpainting unit repaints; None for other units."""
        drawn = self.map_for(height, width)
        if drawn.shape[2] != 4:
            return None
        return (torch.from_numpy(np.ascontiguousarray(drawn[:, :, 3])) > HALF).float()[None, None]

    def region(self) -> Tensor | None:
        """(1, 1, H, W) float32 in 0..1, where control acts; None: everywhere."""
        mask = self.unit.effective_region_mask
        if mask is None:
            return None
        return (torch.from_numpy(np.array(mask.open())[:, :, 0].copy()).float() / 255)[None, None]

    def _raw(self) -> Map:
        """The preprocessor's output for the picture, at a size of its own."""
        if self._drawn is None:
            resolution = round(self.module.resolution_of(self.unit.processor_res))
            if self.unit.pixel_perfect:
                resolution = pixel_perfect_resolution(self.picture, *self.size, self.unit.resize_mode)
            settings = Settings(resolution, self.threshold(0), self.threshold(1), self.seed)
            self._drawn = _drawn(self.module, self.draw, self.picture, self.mask, settings)
        return self._drawn


def prepare(
    options: ControlOptions,
    request: GenerationRequest,
    models: Models,
    device: torch.device,
    tools: Tools = NO_TOOLS,
) -> tuple[PreparedUnit, ...]:
    """The enabled units of a request with their pictures, without those that another extension makes.

    Args:
        models, device: where networks of preprocessors come from, and where they run.
        tools: of other extensions; among them may be preprocessors.

    Raises:
        BadRequestError: a unit has no picture, no model, or a preprocessor that is not built in.
    """
    units = [(number, unit) for number, unit in enumerate(options.units) if unit.enabled and not is_handed(unit)]
    return tuple(_prepared(number, unit, request, models, device, tools) for number, unit in units)


def _prepared(
    number: int, unit: Unit, request: GenerationRequest, models: Models, device: torch.device, tools: Tools
) -> PreparedUnit:
    path = f"extensions.controlnet.units.{number}"
    module = _for_task(usable_module(unit.module, f"{path}.module", tools), request)
    if unit.model == NO_MODEL and not module.acts_alone:
        raise BadRequestError(f"{path}.model", f"the preprocessor {module.name} needs a model in models/ControlNet")
    draw = preprocessor_of(module, f"{path}.module", models, device, tools)
    seen = seen_by(unit, request, path, crops=not module.name.startswith("reference"))
    unit = unit.model_copy(update={"resize_mode": seen.fit})
    size = (request.height, request.width)
    return PreparedUnit(unit, module, number, seen.picture, seen.mask, draw, _drawing_seed(request), size)


def _for_task(module: Module, request: GenerationRequest) -> Module:
    """The module to use. With a mask of img2img, inpaint_only would repeat what img2img does, so it is replaced."""
    task = request.task
    if module.name == "inpaint_only" and isinstance(task, Img2Img) and task.inpainting is not None:
        return MODULES["inpaint_global_harmonious"]
    return module


def drawn_map(
    module: Module,
    draw: Preprocessor,
    picture: Picture,
    mask: Picture | None,
    resolution: float,
    thresholds: tuple[float, float],
) -> Image.Image:
    """The map as a preprocessor draws it, before it is brought to the size of a picture. Repainted parts are black."""
    pixels = pixels_of(picture)
    settings = settings_of(module, resolution, thresholds)
    drawn = _drawn(module, draw, pixels, own_mask(mask, pixels), settings)
    if drawn.shape[2] == 4:
        drawn = np.where(drawn[:, :, 3:] > HALF, 0, drawn[:, :, :3]).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(drawn))


def settings_of(module: Module, resolution: float, thresholds: tuple[float, float]) -> Settings:
    """The numbers of a request as the preprocessor uses them."""
    first, second = (module.threshold(number, value) for number, value in enumerate(thresholds))
    return Settings(round(module.resolution_of(resolution)), first, second)


def _drawn(module: Module, draw: Preprocessor, picture: Map, mask: NDArray[np.uint8] | None, settings: Settings) -> Map:
    drawn = draw(picture, settings)
    if not module.name.startswith("inpaint"):
        return drawn
    white = np.zeros(drawn.shape[:2], np.uint8) if mask is None else mask
    return np.concatenate([drawn, white[:, :, None]], axis=2)


def usable_module(name: str, path: str, tools: Tools = NO_TOOLS) -> Module:
    """The module of that name.

    Raises:
        BadRequestError: there is none, or it is not built in; says what to do.
    """
    module = find_module(name) or brought_module(name, tools)
    if module is None:
        there = ", ".join((*MODULES, *(one.name for one in brought(tools))))
        raise BadRequestError(path, f"there is no preprocessor {name[:100]!r}; there are: {there}")
    if module.handed_to:
        raise BadRequestError(path, f"{module.name} draws no map; its pictures act as prompts")
    if not module.can_be_drawn:
        instead = REPLACEMENTS[module.name]
        raise BadRequestError(path, f"{module.name} is not built in. {instead.why} {instead.advice}")
    return module


def preprocessor_of(
    module: Module, path: str, models: Models, device: torch.device, tools: Tools = NO_TOOLS
) -> Preprocessor:
    """The preprocessor of a usable module.

    Args:
        path: where it is named in the request, for errors.

    Raises:
        BadRequestError: its network is missing or cannot be used; says what belongs where.
    """
    built_in = PREPROCESSORS.get(module.name)
    if built_in is not None:
        return built_in
    if find_module(module.name) is None:
        return drawing(module.name, tools)
    try:
        if module.name in POSES:
            return PoseMap(module.name, models)
        if module.reads_files:
            return annotated(module.name, models, device)
        return network_preprocessor(module.name, models, device)
    except UnusableFileError as error:
        raise BadRequestError(path, str(error)) from error


def _drawing_seed(request: GenerationRequest) -> int:
    """The seed of preprocessors, as in A1111: seed + variation seed, where a random variation seed counts as the
    seed.
    """
    subseed = request.seed if request.subseed < 0 else request.subseed
    return (request.seed + subseed) % SEEDS


def fields_of(units: Sequence[Unit]) -> dict[str, str]:
    """Infotext fields `ControlNet 0`, ... counted over the enabled units."""
    return {f"ControlNet {number}": _described(unit) for number, unit in enumerate(units)}


def _described(unit: Unit) -> str:
    module = MODULES[NO_MODULE] if (found := find_module(unit.module)) is None else found
    resolution = module.resolution_of(unit.processor_res)
    values = {
        "Module": unit.module,
        "Model": unit.model,
        "Weight": unit.weight,
        "Resize Mode": unit.resize_mode,
        "Processor Res": int(resolution) if resolution == int(resolution) else resolution,
        "Threshold A": module.threshold(0, unit.threshold_a),
        "Threshold B": module.threshold(1, unit.threshold_b),
        "Guidance Start": unit.guidance_start,
        "Guidance End": unit.guidance_end,
        "Pixel Perfect": unit.pixel_perfect,
        "Control Mode": unit.control_mode,
    }
    if any(mark in str(value) for value in values.values() for mark in ",:"):
        return ""
    return ", ".join(f"{name}: {value}" for name, value in values.items())
