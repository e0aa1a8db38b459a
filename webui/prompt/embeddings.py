"""Reads files of textual inversions, called embeddings for short (Gal et al. 2022, arXiv:2208.01618)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import safetensors
import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor

from webui.domain.errors import UnusableFileError
from webui.library.embedding_layout import unread_in, vector_names
from webui.library.pictures import embedding_data, is_picture
from webui.prompt.ports import TextEncoder, TextStack

MAX_VECTORS = 75  # in a file: the format was made for CLIP, which reads no more between BOS and EOS
MAX_WIDTH = 8192
MAX_FILE = 64 * 2**20  # bytes; 75 vectors of SDXL are under 1 MB

Slot = Literal["only", "clip_l", "clip_g"]


@dataclass(frozen=True, eq=False)
class Embedding:
    """Vectors that stand for a name in a prompt.

    Attributes:
        parts: (v, D) float32 by slot: `only` for models with one text encoder, `clip_l` and `clip_g` for SDXL.
        origin: the network file that it came inside; "" for a file of its own.
        told: a sentence for the user about what of its file was not understood; "" where all was.
    """

    name: str
    parts: Mapping[Slot, Tensor]
    origin: str = ""
    told: str = ""

    @property
    def length(self) -> int:
        """How many tokens it takes, 1..`MAX_VECTORS`."""
        return len(next(iter(self.parts.values())))

    def vectors(self, encoder: TextEncoder) -> Tensor:
        """Its vectors for one encoder, (v, D)."""
        return self.parts.get(encoder.slot, self.parts.get("only", torch.empty(0, encoder.width)))

    def fits(self, stack: TextStack) -> bool:
        """Whether it was made for text encoders of these widths, and fits into one chunk."""
        if self.length > stack.side.chunk:
            return False
        if len(self.parts) != len(stack.encoders) or ("only" in self.parts) != (len(stack.encoders) == 1):
            return False
        return all(self.vectors(encoder).shape[1] == encoder.width for encoder in stack.encoders)


def read_embedding(path: Path, name: str | None = None) -> Embedding:
    """Read a textual inversion file. No code in it is run.

    Formats: .safetensors (`emb_params`, `clip_l` and `clip_g` for SDXL, or what `weights.convert` makes of a .pt or
    .bin: A1111's `string_to_param.*`, diffusers' {token: vectors}), PNG and WebP pictures with the data in a text chunk
    or in their pixels (`library/pictures.py`). The embedding is named after its file; only pictures contain a name.

    Args:
        name: the name to use instead, for a file that was converted and lies elsewhere.

    Raises:
        UnusableFileError: not readable, or none of these formats.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise UnusableFileError(f"{path.name}: larger than {MAX_FILE >> 20} MB, not a textual inversion")
        content = path.read_bytes()
    except OSError as error:
        raise UnusableFileError(f"{path.name}: cannot be read ({error.strerror})") from error
    own_name = path.stem
    if path.suffix.lower() == ".safetensors":
        data = _from_safetensors(path.name, content)
    elif is_picture(path):
        found = embedding_data(path)
        if found is None:
            raise UnusableFileError(f"{path.name}: there is no embedding in this picture")
        data = found
        own_name = str(data.get("name") or own_name)
    else:
        raise UnusableFileError(
            f"{path.name}: expected .safetensors (a .pt or .bin is converted first), or a .png or .webp picture"
        )
    told = unread_in(path.name, data) if path.suffix.lower() == ".safetensors" else ""
    return Embedding(name or own_name, MappingProxyType(_parts(path.name, data)), told=told)


def embedding_of(name: str, tensors: Mapping[str, Tensor], *, origin: str) -> Embedding:
    """The embedding in tensors that came from another kind of file, named as in an embedding's own file.

    Raises:
        UnusableFileError: the tensors are not an embedding.
    """
    return Embedding(name, MappingProxyType(_parts(f"{origin}, embedding {name}", tensors)), origin)


def _from_safetensors(file: str, content: bytes) -> Mapping[str, Any]:
    try:
        return load_safetensors(content)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise UnusableFileError(f"{file}: not a safetensors file ({error})") from error


def _parts(file: str, data: Mapping[str, Any]) -> dict[Slot, Tensor]:
    if "string_to_param" in data:
        params = data["string_to_param"]
        parts: dict[Slot, Tensor] = {"only": _vectors(file, next(iter(_mapping(params).values()), None))}
    else:
        names = vector_names(file, [str(name) for name, value in data.items() if isinstance(value, Tensor)])
        slots: tuple[Slot, ...] = ("only",) if len(names) == 1 else ("clip_l", "clip_g")
        parts = {slot: _vectors(file, data[name]) for slot, name in zip(slots, names, strict=True)}
    if len({len(vectors) for vectors in parts.values()}) != 1:
        raise UnusableFileError(f"{file}: clip_l and clip_g have different numbers of vectors")
    return parts


def _mapping(params: object) -> Mapping[str, Any]:
    """The entries of `string_to_param`: a dictionary, or a ParameterDict as the first programs saved it."""
    if isinstance(params, torch.nn.ParameterDict):
        return dict(vars(params).get("_parameters", {}))
    return params if isinstance(params, Mapping) else {}


def _vectors(file: str, value: object) -> Tensor:
    if isinstance(value, Mapping) and "TORCHTENSOR" in value:  # how A1111 writes a tensor in JSON
        try:
            value = torch.tensor(value["TORCHTENSOR"], dtype=torch.float32)
        except (ValueError, TypeError, RuntimeError) as error:
            raise UnusableFileError(f"{file}: the vectors are not numbers ({error})") from error
    if not isinstance(value, Tensor):
        raise UnusableFileError(f"{file}: holds no tensor of vectors")
    vectors = value.detach()
    vectors = vectors[None] if vectors.ndim == 1 else vectors
    if vectors.ndim != 2 or not 1 <= len(vectors) <= MAX_VECTORS or not 1 <= vectors.shape[1] <= MAX_WIDTH:
        raise UnusableFileError(f"{file}: expected 1 to {MAX_VECTORS} vectors, found shape {tuple(vectors.shape)}")
    vectors = vectors.to(torch.float32)
    if not bool(torch.isfinite(vectors).all()):
        raise UnusableFileError(f"{file}: has vectors that are not finite numbers")
    return vectors.clone()
