"""Keeps the models that were used last in memory. Memory is released before the next model is loaded."""

import ctypes
import gc
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import RLock

import torch

from webui.library.cache import version
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.weights.card_formats import card_at
from webui.weights.load import load_model, load_vae
from webui.weights.model import LoadedModel
from webui.weights.speed import FormatKernels, speed_up
from webui.weights.unet import UnetWrapper

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
        kernels: FormatKernels | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Args:
        dtype: of UNet and text encoders; VAEs have it on GPUs and float32 on a CPU.
        capacity: checkpoints kept; at least 1.
        vae_dtype: of VAEs on GPUs, where it differs from `dtype`.
        fast_cpu: use the CPU's faster, slightly rounding paths (`precision.resolve`).
        kernels: those that were measured to be fast here; None: as the family builds its network.
        progress: told in a few words what takes long ("converting x.ckpt").
        """
        self._library = library
        self._device = device
        self._dtype = dtype
        self._vae_dtype = vae_dtype or dtype
        self._capacity = max(1, capacity)
        self._fast_cpu = fast_cpu
        self._kernels = kernels
        self._progress = progress or (lambda text: None)
        self._wide: dict[Path, torch.dtype] = {}  # checkpoints whose networks gave NaN in the usual format
        self._models: OrderedDict[_Key, LoadedModel] = OrderedDict()
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
                model = load_model(
                    self._library, checkpoint, vae, self._device, self._wide.get(checkpoint.path, self._dtype),
                    vae_dtype=self._vae_dtype,
                    fast_cpu=self._fast_cpu, progress=self._progress,
                )  # fmt: skip
                if self._kernels is not None and isinstance(model.network, UnetWrapper):
                    speed_up(model.network.module, self._kernels)
            elif model.vae_file != vae:
                self._progress(f"loading {vae.name if vae else 'the VAE of ' + checkpoint.name}")
                door = load_vae(self._library, checkpoint, vae, model.spec, self._device, self._vae_dtype)
                model = replace(model, vae_file=vae, vae=door)
            self._models[key] = model
            self._models.move_to_end(key)
            return model

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
        while len(self._models) >= self._capacity:
            self._models.popitem(last=False)
        give_memory_back()


def give_memory_back() -> None:
    """Return freed memory to the system and the GPU driver, because allocators would keep it."""
    gc.collect()
    for backend, is_there in ((torch.cuda, torch.cuda), (torch.xpu, torch.xpu), (torch.mps, torch.backends.mps)):
        if is_there.is_available():
            backend.empty_cache()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no malloc_trim; the memory then stays with the allocator
            ctypes.CDLL("libc.so.6").malloc_trim(0)
