"""Reads the header of a safetensors file, with caps of our own and every offset checked. Reads no tensor data.

Format: 8 bytes little-endian header length N, N bytes of JSON, then the tensors' bytes back to back
(https://github.com/huggingface/safetensors#format).
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeGuard

from webui.domain.errors import UnusableFileError

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
MAX_TENSORS = 100_000
MAX_VALUES = 25 * MAX_TENSORS  # in the whole header: a tensor has at most 16 sizes, 2 offsets and what encloses them
MAX_DIMENSIONS = 16
_WHOLE = frozenset({int})
_TOLD = 200  # characters of a hostile name or number in an error text
_SMALL = 4 * 1024 * 1024  # bytes of a header that cannot take much memory, whatever is in it
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

ITEM_BITS: Mapping[str, int] = MappingProxyType(
    {
        "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32,
        "U16": 16, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
        "C64": 64, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
    }
)  # fmt: skip


class TensorInfo(NamedTuple):
    """Where one tensor lies: `start` and `end` are offsets in bytes from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: info.shape for name, info in self.tensors.items()}


def read_header(path: Path) -> Header:
    """Read and check the header of `path`.

    Raises:
        UnusableFileError: not a safetensors file, truncated, over the caps, or offsets that do not fit the file.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            start = file.read(8)
            if len(start) < 8:
                raise UnusableFileError(f"{path.name}: only {size} bytes long; this is not a model file")
            length = int.from_bytes(start, "little")
            if length > size - 8 or length > MAX_HEADER_BYTES:
                raise UnusableFileError(f"{path.name}: {_what_it_is(start, length, size)}")
            text = file.read(length)
    except OSError as error:
        raise UnusableFileError(f"{path.name}: cannot be read ({error.strerror})") from error
    return _parse(path.name, text, base=8 + length, size=size)


def _what_it_is(start: bytes, length: int, size: int) -> str:
    if start.startswith(b"PK\x03\x04"):
        return "a PyTorch pickle (zip), not safetensors"
    if start.startswith(b"version "):
        return "a Git LFS pointer, not the model itself; download the file with git lfs pull"
    if all(9 <= byte < 127 for byte in start):
        return "a text file, not safetensors; the download has probably saved a web page"
    if length > MAX_HEADER_BYTES and length <= size - 8:
        return f"its header of {length} bytes is over the limit of {MAX_HEADER_BYTES}"
    return f"not a safetensors file, or truncated (header of {length} bytes announced, file has {size})"


def _check_values(name: str, text: bytes) -> None:
    """Refuse a large header of so many values that parsing it would fill the memory; long texts in it are no harm."""
    if len(text) <= _SMALL:
        return
    strings = text.count(b'"') - text.count(b'\\"')
    if strings <= MAX_VALUES // 2:  # otherwise not even the next line is cheap
        bare = _STRINGS.sub(b"", text)
        if sum(bare.count(mark) for mark in (b",", b"{", b"[")) <= MAX_VALUES:
            return
    raise UnusableFileError(f"{name}: its header holds more than {MAX_VALUES} values; this is not a model's")


def _parse(name: str, text: bytes, *, base: int, size: int) -> Header:
    _check_values(name, text)
    try:
        table = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnusableFileError(f"{name}: its safetensors header is not valid JSON ({error})") from error
    if not isinstance(table, dict):
        raise UnusableFileError(f"{name}: its safetensors header is not a JSON object")
    metadata = table.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise UnusableFileError(f"{name}: __metadata__ must map text to text")
    if len(table) > MAX_TENSORS:
        raise UnusableFileError(f"{name}: {len(table)} tensors are over the limit of {MAX_TENSORS}")
    tensors = {key: _tensor(name, key, entry, base) for key, entry in table.items()}
    _check_layout(name, tensors, base, size)
    return Header(MappingProxyType(tensors), MappingProxyType(metadata))


def _tensor(name: str, key: str, entry: object, base: int) -> TensorInfo:
    label = repr(key[:_TOLD])
    if not isinstance(entry, dict):
        raise UnusableFileError(f"{name}: tensor {label} has no description")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in ITEM_BITS:
        raise UnusableFileError(f"{name}: tensor {label} has the unknown dtype {str(dtype)[:40]!r}")
    if not _naturals(shape) or len(shape) > MAX_DIMENSIONS or not _naturals(offsets) or len(offsets) != 2:
        raise UnusableFileError(f"{name}: tensor {label} has a malformed shape or data_offsets")
    bits = math.prod(shape) * ITEM_BITS[dtype]
    if bits % 8 or offsets[1] - offsets[0] != bits // 8:
        raise UnusableFileError(
            f"{name}: tensor {label} does not span the {str(bits // 8)[:_TOLD]} bytes that its shape needs"
        )
    return TensorInfo(dtype, tuple(shape), base + offsets[0], base + offsets[1])


def _naturals(value: object) -> TypeGuard[list[int]]:
    """Whether it is a list of whole numbers >= 0 (`True` is none). Called for every tensor, hence no loop in Python."""
    return type(value) is list and _WHOLE.issuperset(map(type, value)) and (not value or min(value) >= 0)


def _check_layout(name: str, tensors: Mapping[str, TensorInfo], base: int, size: int) -> None:
    """The tensors must fill the file without gaps, overlaps or bytes left over.

    This also finds a name that occurs twice in the JSON: the bytes of all but the last are a gap.
    """
    at = base
    for start, end in sorted((info.start, info.end) for info in tensors.values()):
        if start != at:
            raise UnusableFileError(f"{name}: tensors overlap or leave a gap at byte {at}; the file is damaged")
        at = end
    if at > size:
        raise UnusableFileError(f"{name}: truncated, {at} bytes expected and {size} found; download it again")
    if at < size:
        raise UnusableFileError(f"{name}: {size - at} unexpected bytes after the last tensor")
