"""The hooks of IP-Adapter in one job: which units act in which call, and what the infotext says."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from webui.extension_api import (
    BadRequestError,
    GenerationRequest,
    JobContext,
    UnknownModelError,
    UnusableFileError,
    hookimpl,
    sampler_of,
    steps_of,
)
from webui.extension_api.tensors import Attend, Attention, LoadedModel, ModelCall, TakePart, reported_step

from .added_attention import AddedAttention
from .face_lora import applied
from .options import AdapterOptions, AdapterUnit
from .picture_tokens import PictureTokens, tokens_of
from .projections import Adapter, build_adapter
from .told_adapters import NAME, fields_of

KIND = "controlnet"


@dataclass(frozen=True)
class ReadUnit:
    """A unit with its adapter.

    Attributes:
        place: in the request, for errors.
        path: of the adapter's file.
    """

    unit: AdapterUnit
    place: str
    path: Path
    adapter: Adapter


class AdapterJob:
    """The job hooks. There is one object for each job that has pictures as prompts."""

    def __init__(self, job: JobContext, options: AdapterOptions) -> None:
        self._job = job
        self._own = options
        self._request = job.request
        self._units: tuple[ReadUnit, ...] = ()
        self._tokens: dict[int, PictureTokens] = {}
        self._added: tuple[AddedAttention, ...] = ()
        self._network: object = None

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """Take the units that another extension hands over, so that the request is again as it was sent."""
        given = AdapterOptions.model_validate(request.extensions.get(NAME, {}))
        self._units = tuple(self._read(number, unit) for number, unit in enumerate(given.units) if unit.enabled)
        own = self._job.request.extensions.get(NAME)
        others = {name: values for name, values in request.extensions.items() if name != NAME}
        self._request = request.with_(extensions={**others, **({} if own is None else {NAME: own})})
        return self._request

    @hookimpl
    def patch_model(self, model: LoadedModel) -> AbstractContextManager[Any] | None:
        """Fit the adapters to the checkpoint of the job; other models of it, such as its refiner, are left alone."""
        if self._network is not None and self._network is not model.network:
            return None
        self._network = model.network
        self._added = tuple(self._on(number, one, model) for number, one in enumerate(self._units))
        loras = [(one.adapter.loras, one.unit.face_lora, one.path.name) for one in self._units if one.adapter.loras]
        return applied(model, loras) if loras else nullcontext()

    @hookimpl
    def unet_attention(self, call: ModelCall) -> Mapping[str, TakePart] | None:
        """Add what the pictures say to the cross attentions. It ends where a refiner takes over."""
        if call.place.stage == "refiner":
            return None
        acting: dict[str, list[AddedAttention]] = {}
        for one, added in zip(self._units, self._added, strict=True):
            if self._is_due(one.unit, call):
                for name in added.names:
                    acting.setdefault(name, []).append(added)
        return {name: partial(_with_pictures, tuple(those), call) for name, those in acting.items()}

    @hookimpl
    def image_fields(self) -> Mapping[str, str]:
        """The units that the request gives this extension, in the words of ControlNet's."""
        return fields_of(self._own.enabled)

    def _is_due(self, unit: AdapterUnit, call: ModelCall) -> bool:
        hires = call.step.hires
        if unit.passes == ("Low res only" if hires else "High res only"):
            return False
        done = reported_step(sampler_of(self._request, hires=hires), call)
        return unit.start <= done / max(1, steps_of(self._request, hires=hires)) <= unit.end

    def _read(self, number: int, unit: AdapterUnit) -> ReadUnit:
        """A unit with the adapter that it names. Raises BadRequestError where that cannot be used."""
        place = unit.told_by or f"extensions.{NAME}.units.{number}"
        try:
            path = self._found(unit.model)
            build = partial(build_adapter, name=path.name, device=self._job.device, dtype=self._job.dtype)
            return ReadUnit(unit, place, path, self._job.models.load(path, build))
        except (UnknownModelError, UnusableFileError) as error:
            raise BadRequestError(f"{place}.model", str(error)) from error

    def _found(self, wanted: str) -> Path:
        """The file of that name, else the one with the shortest name that contains it, as ControlNet does."""
        models = self._job.models
        try:
            return models.find(KIND, wanted)
        except UnknownModelError:
            containing = [name for name in models.names(KIND) if wanted and wanted.lower() in name.lower()]
            if not containing:
                raise
            return models.find(KIND, min(containing, key=len))

    def _on(self, number: int, one: ReadUnit, model: LoadedModel) -> AddedAttention:
        """A unit on the checkpoint. Raises BadRequestError where the two do not fit."""
        if number not in self._tokens:
            self._tokens[number] = tokens_of(one.unit, one.adapter, one.path, one.place, self._job)
        cell = model.spec.latents.cell
        region = _region(one.unit, self._job.device)
        try:
            return AddedAttention(one.unit, one.adapter, self._tokens[number], model.unet.layers, region, cell)
        except UnusableFileError as error:
            raise BadRequestError(f"{one.place}.model", f"{one.path.name}: {error}") from error


def _with_pictures(those: tuple[AddedAttention, ...], call: ModelCall, attention: Attention, attend: Attend) -> Tensor:
    out = attend(attention)
    for one in those:
        out = out + one.added(attention, call)
    return out


def _region(unit: AdapterUnit, device: torch.device) -> Tensor | None:
    """(1, 1, H, W) in 0..1, where a unit acts; None: everywhere."""
    if unit.region is None:
        return None
    return (torch.from_numpy(np.array(unit.region.open())[:, :, 0].copy()).float() / 255)[None, None].to(device)
