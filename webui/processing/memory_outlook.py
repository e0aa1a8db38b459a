"""What a request will need of the device's memory, told from headers and from what is in memory; nothing is loaded."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.extensions import ExtensionInfo
from webui.domain.memory_outlook import MemoryOutlook
from webui.domain.request import GenerationRequest
from webui.extension_api.hints import KEY
from webui.hardware.main_memory import free_main_memory
from webui.library.cache import version
from webui.library.choice import first_choice
from webui.library.family import ModelSpec
from webui.library.files import FOLDERS, ModelFile
from webui.library.headers import read_header
from webui.library.library import ModelLibrary
from webui.library.naming import named
from webui.library.shapes import UnetShape
from webui.library.weight_counts import WeightCounts, counted, counted_vae
from webui.processing.hires import hires_of
from webui.processing.memory_needs import Sizes, decoding_bytes, needed_at_once, sampling_bytes, sizes_of
from webui.weights.memory import ModelCache
from webui.weights.model import LoadedModel
from webui.weights.resident import Resident

_LATENTS = 4  # bytes of a number of latents, which stay float32
_CHECKPOINT = "checkpoint"  # the kind of file that is no network of an extension
_SWITCHES = ("enabled", "active")  # of one unit of an extension's options


@dataclass(frozen=True, slots=True)
class _Asked:
    """The networks of a request: their sizes, the weights of all of them, and what must be read from files."""

    sizes: Sizes
    weights: int
    loads: int
    resident: Resident | None = None


class MemoryForecast:
    """Answers while a job runs, in another thread: it waits for no loading."""

    def __init__(
        self, library: ModelLibrary, models: ModelCache, extensions: Callable[[], Iterable[ExtensionInfo]]
    ) -> None:
        """`extensions`: those whose options may name files of networks."""
        self._library = library
        self._models = models
        self._extensions = extensions
        self._counts: dict[tuple[Path, str], WeightCounts] = {}

    def of(self, request: GenerationRequest) -> MemoryOutlook:
        """What a job of this request would need if it began now.

        Raises:
            UnknownModelError, UnusableFileError: its checkpoint or VAE cannot be used.
        """
        checkpoint = self._library.checkpoint(request.checkpoint) if request.checkpoint else first_choice(self._library)
        spec = self._library.spec(checkpoint)
        residency = self._models.residency
        asked = self._asked(request, checkpoint, spec)
        size = _largest(request, spec)
        cells = spec.latents.grid(*size)
        sizes, budget = asked.sizes, residency.budget
        sampling = sampling_bytes(sizes, request, cells) if sizes.channels else 0
        decoding = decoding_bytes(sizes, size)
        latents = request.batch_size * spec.latents.channels * cells[0] * cells[1] * _LATENTS
        known = MemoryOutlook(
            str(self._models.device), weights=asked.weights, latents=latents, sampling=sampling, decoding=decoding,
            loads=asked.loads,
        )  # fmt: skip
        if not residency.moves or not budget:
            free = free_main_memory() if self._models.device.type == "cpu" else 0
            return replace(known, free=free, needs=asked.weights + latents + max(sampling, decoding))
        needs = min(latents + needed_at_once(sizes, request, size, cells), budget)
        free, leaves = residency.forecast(asked.resident, needs)
        over = sizes.network + sampling + latents - budget
        streams = sizes.network if residency.is_low else min(max(over, 0), sizes.network)
        there = tuple(one for one in residency.state().networks if one.loaded)
        return replace(known, total=budget, free=free, needs=needs, leaves=leaves, streams=streams, resident=there)

    def _asked(self, request: GenerationRequest, checkpoint: ModelFile, spec: ModelSpec) -> _Asked:
        beside = sum(self._networks(request))
        vae = self._library.vae(request.vae, checkpoint)
        there = self._models.in_memory(checkpoint)
        if there is not None and there.vae_file == vae:
            sizes = sizes_of(there)
            own, loads, resident = _weights_of(there), 0, getattr(there.network, "resident", None)
        else:
            sizes, own = self._from_files(checkpoint, spec, vae)
            loads, resident = own, None
        together = Sizes(sizes.network + beside, sizes.vae, sizes.channels, sizes.decoder, sizes.dtype, sizes.vae_dtype)
        return _Asked(together, own + beside, loads, resident)

    def _from_files(self, checkpoint: ModelFile, spec: ModelSpec, vae: ModelFile | None) -> tuple[Sizes, int]:
        """The sizes of a checkpoint that is not in memory, and the bytes of all of its networks."""
        shape = self._library.vae_shape(vae) if vae is not None else spec.vae
        if shape is None:
            raise UnusableFileError(f"{checkpoint.name}: has no VAE inside; choose one from models/VAE")
        counts = self._counted(checkpoint, spec)
        numbers = counts.vae if vae is None else counted_vae(read_header(self._library.safetensors(vae)), shape)
        dtype, text_dtype, vae_dtype = self._models.formats(checkpoint, spec.family)
        network = counts.network * (1 if self._models.residency.is_small else dtype.itemsize)
        channels = spec.network.levels[0].channels if isinstance(spec.network, UnetShape) else 0
        decoder = shape.levels[0][0]
        sizes = Sizes(network, numbers * vae_dtype.itemsize, channels, decoder, dtype, vae_dtype)
        others = counts.text * text_dtype.itemsize + counts.depth * torch.float32.itemsize
        return sizes, sizes.network + sizes.vae + others

    def _counted(self, checkpoint: ModelFile, spec: ModelSpec) -> WeightCounts:
        path = self._library.safetensors(checkpoint)
        key = (path, version(path))
        if key not in self._counts:
            self._counts = {**self._counts, key: counted(read_header(path), spec)}
        return self._counts[key]

    def _networks(self, request: GenerationRequest) -> Iterator[int]:
        """Bytes of the files that options of extensions name, each once."""
        schemas = {info.name: info.options for info in self._extensions() if info.options}
        found: dict[Path, int] = {}
        for name, options in request.extensions.items():
            kinds = dict(_model_fields(schemas.get(name) or {}))
            for kind, alias in _named_models(options, kinds):
                for file in named(self._library.files(kind), alias)[:1]:  # type: ignore[arg-type]  # a key of FOLDERS
                    found[file.path] = _size(file.path)
        yield from found.values()


def _largest(request: GenerationRequest, spec: ModelSpec) -> tuple[int, int]:
    """Width and height of the largest pass."""
    hires = hires_of(request)
    if hires is None:
        return request.width, request.height
    return hires.target(request.width, request.height, spec.latents.cell).size


def _weights_of(model: LoadedModel) -> int:
    owners: list[object] = [model.network, model.vae, model.depth, *model.text.encoders]
    residents = [getattr(one, "resident", None) for one in owners]
    return sum(one.bytes for one in residents if isinstance(one, Resident))


def _model_fields(schema: object) -> Iterator[tuple[str, str]]:
    """Names of the fields below a JSON schema that name files, with the kind of file."""
    if isinstance(schema, Mapping):
        for name, field in (schema.get("properties") or {}).items():
            hint = field.get(KEY) if isinstance(field, Mapping) else None
            kind = hint.get("model") if isinstance(hint, Mapping) else None
            if isinstance(kind, str) and kind in FOLDERS and kind != _CHECKPOINT:
                yield name, kind
        for inner in schema.values():
            yield from _model_fields(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _model_fields(inner)


def _named_models(options: Any, kinds: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The files that options name, as (kind, name); not those of units that are off."""
    if isinstance(options, Mapping):
        if any(options.get(switch) is False for switch in _SWITCHES):
            return
        for name, value in options.items():
            if name in kinds and isinstance(value, str) and value:
                yield kinds[name], value
            else:
                yield from _named_models(value, kinds)
    elif isinstance(options, list | tuple):
        for one in options:
            yield from _named_models(one, kinds)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def outlook_of(forecast: MemoryForecast, library: ModelLibrary, request: GenerationRequest) -> MemoryOutlook:
    """As `MemoryForecast.of`, after another look at the folders where a file is not known yet."""
    try:
        return forecast.of(request)
    except UnknownModelError:
        library.refresh()
        return forecast.of(request)
