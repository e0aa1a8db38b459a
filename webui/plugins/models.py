"""Model files for extensions, from the folders of a library; what was built stays in memory. Needs no torch itself."""

import functools
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from webui.domain.errors import BadRequestError, UnknownModelError
from webui.library.cache import version
from webui.library.family import ModelSpec
from webui.library.files import FOLDERS, Kind, ModelFile
from webui.library.library import ModelLibrary
from webui.library.naming import named
from webui.library.networks import find_network, network_hash
from webui.plugins.whereabouts import Whereabouts

if TYPE_CHECKING:
    import torch

    from webui.weights.model import LoadedModel
    from webui.weights.tensors import TensorFile

T = TypeVar("T")


class Memory(Protocol):
    """What `weights.residency.Residency` does for networks of extensions; it needs torch, so that it is handed in."""

    def using(self, module: Any, name: str, *, leaves: bool = False) -> AbstractContextManager[None]: ...
    def rescued(self, attempt: Callable[[], T], *, work: str, lower: str) -> T: ...
    def clear(self) -> None: ...
    def adopt(self, owner: object, name: str) -> None: ...


KEPT_BYTES = 6 * 2**30  # of the files whose networks are kept
NETWORKS = ("lora", "hypernetwork")
_LISTED = 30  # names in an error text
_RESERVED = frozenset('<>:"|?*')


class LibraryModels:
    """The `extension_api.Models` of this program; that class says what each method does."""

    def __init__(
        self,
        library: ModelLibrary,
        keep_bytes: int = KEPT_BYTES,
        whereabouts: Whereabouts | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Args:
        whereabouts: where the time that a large file takes is noted as progress of the extension that waits.
        memory: of the device; None: networks stay where they are.
        """
        self._library = library
        self._whereabouts = whereabouts or Whereabouts()
        self._keep_bytes = keep_bytes
        self._memory = memory
        self._lock = RLock()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(file.name for file in self._files(kind) if file.usable)

    def find(self, kind: str, name: str) -> Path:
        return self._file(kind, name).path

    def load(self, path: Path, build: "Callable[[TensorFile], T]") -> T:
        key = (path, version(path), _identity(build))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                kept: T = self._kept[key][0]
                return kept
            size = path.stat().st_size
            self._make_room(path, size)
            built = self._rescued(path, lambda: self._built(path, build))
            if self._memory is not None:
                self._memory.adopt(built, path.name)
            self._kept[key] = (built, size)
            return built

    def using(self, network: Any, *, leaves: bool = False) -> AbstractContextManager[None]:
        return nullcontext() if self._memory is None else self._memory.using(network, _name_of(network), leaves=leaves)

    def spec(self, name: str) -> ModelSpec:
        return self._library.spec(self._file("checkpoint", name))

    def read_checkpoint(self, name: str, device: "torch.device", dtype: "torch.dtype") -> "LoadedModel":
        from webui.weights.load import load_model  # torch

        file = self._file("checkpoint", name)
        if self._memory is not None:
            self._memory.clear()
        with self._whereabouts.outside():
            return self._rescued(file.path, lambda: load_model(self._library, file, None, device, dtype))

    def new_file(self, kind: str, name: str) -> Path:
        folder = self._library.models_dir / FOLDERS[_kind(kind)][0]
        parts = Path(name.replace("\\", "/")).parts
        if not name.strip() or Path(name).is_absolute() or any(_is_bad(part) for part in parts):
            raise BadRequestError("name", f"{name!r} is no name of a file in {folder}")
        path = folder.joinpath(*parts)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadRequestError("name", f"{name!r} lies outside {folder}")
        if path.exists():
            raise BadRequestError("name", f"{name!r} is there already; choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def refresh(self) -> None:
        self._library.refresh()

    def sha256(self, kind: str, name: str) -> str:
        with self._whereabouts.outside():
            return self._library.sha256(self._file(kind, name))

    def network_hash(self, kind: str, name: str) -> str:
        with self._whereabouts.outside():
            return network_hash(self._library, self._file(kind, name))

    def clear(self) -> bool:
        """Let go of everything kept. False where there was nothing."""
        with self._lock:
            was_there = bool(self._kept)
            self._kept.clear()
            return was_there

    def _files(self, kind: str) -> tuple[ModelFile, ...]:
        return self._library.files(_kind(kind))

    def _file(self, kind: str, name: str) -> ModelFile:
        if kind == "checkpoint":
            return self._library.checkpoint(name)
        files = self._files(kind)
        if kind in NETWORKS and (network := find_network(self._library, files, name)) is not None:
            return self._library.usable(network)
        same = named(files, name)
        if same:
            return self._library.usable(same[0])
        bare = name.rpartition(" [")[0]  # as A1111 and its extensions write it: "canny [0123abcd]"
        if bare and name.endswith("]"):
            return self._file(kind, bare)
        names = [file.name for file in files if file.usable]
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        there = f"there are: {', '.join(names[:_LISTED])}{more}" if names else "there is no usable file"
        folders = " or ".join(str(self._library.models_dir / folder) for folder in FOLDERS[_kind(kind)])
        raise UnknownModelError(f"{kind}: no {name!r} in {folders}; {there}")

    def _built(self, path: Path, build: "Callable[[TensorFile], T]") -> T:
        from webui.weights.convert import ensure_safetensors  # torch
        from webui.weights.tensors import TensorFile

        source = path
        if path.suffix.lower() != ".safetensors":
            file = next((file for kind in FOLDERS for file in self._library.files(kind) if file.path == path), None)
            with self._whereabouts.outside():
                source = ensure_safetensors(self._library, file or ModelFile(path, "lora", path.name))
        with TensorFile(source, self._whereabouts.ticker()) as tensors:
            return build(tensors)

    def _rescued(self, path: Path, attempt: Callable[[], T]) -> T:
        if self._memory is None:
            return attempt()
        lower = "close other programs that use the same memory, or start with --vram low"
        return self._memory.rescued(attempt, work=f"loading {path.name}", lower=lower)

    def _make_room(self, path: Path, size: int) -> None:
        """Drop older versions of the file, then what was not used for longest."""
        for key in [key for key in self._kept if isinstance(key, tuple) and key[0] == path]:
            if key[1] != version(path):
                del self._kept[key]
        while self._kept and sum(used for _, used in self._kept.values()) + size > self._keep_bytes:
            self._kept.popitem(last=False)


def _name_of(network: Any) -> str:
    return type(network).__name__


def _kind(kind: str) -> Kind:
    found = next((one for one in FOLDERS if one == kind), None)
    if found is None:
        raise UnknownModelError(f"there is no kind of model {kind!r}; there are: {', '.join(FOLDERS)}")
    return found


def _is_bad(part: str) -> bool:
    return part in ("..", "/") or part.startswith(".") or bool(_RESERVED & set(part)) or not part.isprintable()


def _identity(build: Callable[..., Any]) -> Hashable:
    """What makes two builders the same."""
    if isinstance(build, functools.partial):
        return (_identity(build.func), build.args, tuple(sorted(build.keywords.items())))
    if getattr(build, "__closure__", None) or getattr(build, "__name__", "<lambda>") == "<lambda>":
        return build  # it may hold anything, so only the very same one is the same
    return (build.__module__, build.__qualname__)
