"""Keeps the models that were used last in memory. Memory is released before the next model is loaded."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TypeVar

import torch

from webui.library.cache import version
from webui.library.family import Family
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.weights.card_formats import card_at
from webui.weights.fast.fast_network import FastNetwork
from webui.weights.load import load_model, load_vae
from webui.weights.model import LoadedModel
from webui.weights.recovery import Rung, give_memory_back, with_recovery
from webui.weights.residency import Residency
from webui.weights.speed import FormatKernels, speed_up
from webui.weights.unet import UnetWrapper
from webui.weights.vae import VaeWrapper

T = TypeVar("T")

_Key = tuple[Path, str, str]  # path, its version, the version of its yaml


class ModelCache:
    """A cache of models that drops the least recently used. Patches on a model must be undone before another `get`."""

    def __init__(
        self,
        library: ModelLibrary,
        device: torch.device,
        dtype: torch.dtype,
        capacity: int = 1,
        *,
        vae_dtype: torch.dtype | None = None,
        fast_cpu: bool = False,
        residency: Residency | None = None,
        kernels: FormatKernels | None = None,
        fast: FastNetwork | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Args:
        dtype: of UNet and text encoders; VAEs have it on GPUs and float32 on a CPU.
        capacity: checkpoints kept; at least 1.
        vae_dtype: of VAEs on GPUs, where it differs from `dtype`.
        residency: has charge of the networks on the device; None: one that leaves them where they are.
        fast_cpu: use the CPU's faster, slightly rounding paths (`precision.resolve`).
        kernels: those that were measured to be fast here; None: as the family builds its network.
        fast: how calls of networks are made faster; None: not at all.
        progress: told in a few words what takes long ("converting x.ckpt").
        """
        self._library = library
        self._device = device
        self._dtype = dtype
        self._vae_dtype = vae_dtype or dtype
        self._capacity = max(1, capacity)
        self._fast_cpu = fast_cpu
        self._residency = residency or Residency(device)
        self._kernels = kernels
        self._fast = fast
        self._progress = progress or (lambda text: None)
        self._wide: dict[Path, torch.dtype] = {}  # checkpoints whose networks gave NaN in the usual format
        self._models: OrderedDict[_Key, LoadedModel] = OrderedDict()
        self._left_behind = False  # whether networks that nobody uses may wait for a search for garbage
        self._lock = RLock()

    def get(self, checkpoint: ModelFile, vae: ModelFile | None) -> LoadedModel:
        """The model, from memory or from disk. Only the VAE is read again when only the VAE differs.

        Raises:
            UnusableFileError, NotFiniteError: the file cannot be used; says which tensor and why.
        """
        with self._lock:
            key = (checkpoint.path, version(checkpoint.path), version(checkpoint.path.with_suffix(".yaml")))
            model = self._models.get(key)
            if model is None:
                self._make_room(checkpoint.path)
                self._progress(f"loading {checkpoint.name}")
                self._left_behind = True  # where it fails
                model = self._whole(checkpoint, vae)
                self._left_behind = False
            elif model.vae_file != vae:
                self._progress(f"loading {vae.name if vae else 'the VAE of ' + checkpoint.name}")
                self._left_behind = True
                model = self._with_vae(model, vae)
            self._models[key] = model
            self._models.move_to_end(key)
            return model

    def _whole(self, checkpoint: ModelFile, vae: ModelFile | None) -> LoadedModel:
        """A checkpoint from disk, straight to the device where it has room there, else to main memory."""
        dtype = self._wide.get(checkpoint.path, self._dtype)

        def read(store: torch.device) -> LoadedModel:
            return load_model(
                self._library, checkpoint, vae, self._device, dtype,
                vae_dtype=self._vae_dtype, fast_cpu=self._fast_cpu, store=store, progress=self._progress,
            )  # fmt: skip

        model, here = self._stored(read, checkpoint)
        if self._kernels is not None and isinstance(model.network, UnetWrapper):
            speed_up(model.network.module, self._kernels, model.network.resident)
        if self._fast is not None and isinstance(model.network, UnetWrapper):
            self._fast.attach(model.network, model.spec.latents.cell)
        self._residency.adopt(model.network, "network", here=here, quantizes=True)
        for number, tower in enumerate(model.text.encoders):
            self._residency.adopt(tower, f"text encoder {number + 1}", here=here)
        self._residency.adopt(model.vae, "VAE", here=here)
        if model.depth is not None:
            self._residency.adopt(model.depth, "depth network", here=here)
        return model

    def _with_vae(self, model: LoadedModel, vae: ModelFile | None) -> LoadedModel:
        """The model with another VAE."""

        def read(store: torch.device) -> VaeWrapper:
            return load_vae(
                self._library, model.file, vae, model.spec, self._device, self._vae_dtype,
                store=store, progress=self._progress,
            )  # fmt: skip

        door, here = self._stored(read, vae or model.file)
        self._residency.adopt(door, "VAE", here=here)
        return replace(model, vae_file=vae, vae=door)

    def _stored(self, read: Callable[[torch.device], T], file: ModelFile) -> tuple[T, bool]:
        """What is read from a file, and whether it lies on the device."""
        residency = self._residency
        size = file.path.stat().st_size * max(2, self._dtype.itemsize) // 2  # files are fp16 mostly
        place = self._device if residency.has_room(size) else torch.device("cpu")

        def elsewhere() -> bool:
            nonlocal place
            before, place = place, torch.device("cpu")
            return before != place

        ladder = (residency.rungs(None)[0], Rung("it was read to main memory", elsewhere))
        made = with_recovery(
            lambda: read(place), ladder,
            work=f"loading {file.name}",
            lower="close other programs that use the same memory, or keep fewer checkpoints in memory",
            told=residency.tell,
        )  # fmt: skip
        return made, place == self._device

    def in_memory(self, checkpoint: ModelFile) -> LoadedModel | None:
        """A checkpoint as it was loaded last, where it is in memory; waits for no loading."""
        known = [model for key, model in list(self._models.items()) if key[0] == checkpoint.path]
        return known[-1] if known else None

    def formats(self, checkpoint: ModelFile, family: Family) -> tuple[torch.dtype, torch.dtype, torch.dtype]:
        """In what network, text encoders and VAE of a checkpoint are loaded."""
        dtype, wide = self._wide.get(checkpoint.path, self._dtype), torch.float32
        if self._device.type == "cpu":
            return dtype, wide, wide
        overflows = self._vae_dtype == torch.float16 and family.vae_overflows
        return dtype, dtype, wide if overflows else self._vae_dtype

    @property
    def device(self) -> torch.device:
        """Where the networks compute."""
        return self._device

    @property
    def residency(self) -> Residency:
        """What has charge of the networks."""
        return self._residency

    def widen(self, model: LoadedModel) -> bool:
        """Have a checkpoint read again in a wider format, from its next use on. False where there is none."""
        wider = None if self._device.type == "cpu" else card_at(self._device).wider(model.dtype)
        if wider is None:
            return False
        self._wide[model.file.path] = wider
        self.forget(model)
        return True

    def loaded(self) -> tuple[LoadedModel, ...]:
        """The models in memory, the least recently used first."""
        with self._lock:
            return tuple(self._models.values())

    def forget(self, model: LoadedModel) -> None:
        """Drop one model; it is read from its file when it is asked for again."""
        with self._lock:
            for key in [key for key, one in self._models.items() if one.network is model.network]:
                del self._models[key]
            give_memory_back()

    def clear(self) -> None:
        """Drop every model and release its memory."""
        with self._lock:
            self._models.clear()
            give_memory_back()

    def _make_room(self, path: Path) -> None:
        """Drop models until a new one fits, and also older versions of its file, before it is read."""
        stale = [key for key in self._models if key[0] == path]
        for key in stale:
            del self._models[key]
        oldest = list(self._models)[: max(0, len(self._models) + 1 - self._capacity)]
        for key in oldest:
            del self._models[key]
        give_memory_back(search=self._left_behind or bool(stale or oldest))
