"""The interface by which an extension uses model files. The host in `webui/plugins` implements it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import nn

    from webui.extension_api.tensors import LoadedModel, ModelSpec, TensorFile

T = TypeVar("T")


class Models(Protocol):
    """Model files: found by name, never by path, and kept in memory once for all extensions. It is safe to use from
    several threads.
    """

    def names(self, kind: str) -> tuple[str, ...]:
        """Usable files of a kind, by their path inside its folder, sorted.

        Args:
            kind: checkpoint, vae, lora, embedding, hypernetwork, controlnet, preprocessor, upscaler, gfpgan,
                codeformer, detector, clip_vision, insightface, captioner.
        """

    def find(self, kind: str, name: str) -> Path:
        """The file of that name, with or without folder, extension or hash. A name is compared, never joined to a path.

        Raises:
            UnknownModelError: there is none; the text lists the names that exist.
            UnusableFileError: the file cannot be used.
        """

    def load(self, path: Path, build: "Callable[[TensorFile], T]") -> T:
        """The result of `build` for the tensors in a file, kept in memory until room is needed or the file changes.

        Args:
            path: from `find`; a pickle is converted to safetensors first, its code never run.
            build: a function of a module; a partial counts with its arguments, so that other arguments are built anew.

        Raises:
            UnusableFileError: the file cannot be read.
        """

    def using(self, network: "nn.Module", *, leaves: bool = False) -> AbstractContextManager[None]:
        """While entered, a network on the job's device can be called. Between calls it may leave the device where
        others need the room, so call it only in here, and give it inputs on the device of the job.

        Args:
            leaves: it leaves the device again at the end.
        """

    def spec(self, name: str) -> "ModelSpec":
        """The facts about a checkpoint: its family, the shapes of its networks, the yaml beside it.

        Raises:
            UnknownModelError, UnusableFileError: as `find`; also for a pickle that has not been converted yet.
        """

    def read_checkpoint(self, name: str, device: "torch.device", dtype: "torch.dtype") -> "LoadedModel":
        """The networks of a checkpoint read anew, for the caller alone, who may change and train them. Nobody else sees
        them, and they go when the caller lets go of them.

        Raises:
            UnknownModelError, UnusableFileError, NotFiniteError: it cannot be used.
        """

    def new_file(self, kind: str, name: str) -> Path:
        """Where a new file of a kind belongs; its folder is made, nothing is written.

        Raises:
            BadRequestError: the name leads out of the folder, or there is such a file.
        """

    def refresh(self) -> None:
        """Read the folders again, so that a file that was just written is found."""

    def sha256(self, kind: str, name: str) -> str:
        """SHA-256 in hex of a file. Raises as `find`."""

    def network_hash(self, kind: str, name: str) -> str:
        """12 hex digits of a network file as `Lora hashes` shows them. Raises as `find`."""
