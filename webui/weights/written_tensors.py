"""Writes a safetensors file tensor by tensor: the header first, then the values. Its bytes follow from what is in it,
since names and metadata are sorted.

Format: 8 bytes little-endian header length, JSON, tensors back to back (https://github.com/huggingface/safetensors).
"""

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, NamedTuple

import torch
from torch import Tensor

from webui.domain.errors import WebuiError
from webui.library.unfinished import unfinished

NAMES: Mapping[torch.dtype, str] = MappingProxyType(
    {
        torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
        torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
        torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    }
)  # fmt: skip
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_SPARE = 64 << 20  # bytes that must stay free on the disk


class TensorEntry(NamedTuple):
    """A tensor to be written."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        count = 1
        for side in self.shape:
            count *= side
        return count * self.dtype.itemsize

    @classmethod
    def all_of(cls, tensors: Mapping[str, Tensor]) -> "list[TensorEntry]":
        """The entries of tensors in memory."""
        return [cls(name, value.dtype, tuple(value.shape)) for name, value in tensors.items()]


def write_safetensors(
    path: Path,
    entries: Iterable[TensorEntry],
    metadata: Mapping[str, str],
    pieces: Callable[[str], Iterable[Tensor]],
    before: Callable[[int, str], None] = lambda done, name: None,
    *,
    replaces: bool = False,
) -> None:
    """Write `path`, or nothing: until the last byte is on the disk there is only a hidden file beside it. The arguments
    and errors are told in `extension_api.tensors`, which hands this on.
    """
    entries = in_order(entries)
    header = header_of(entries, metadata)
    _require_space(path, len(header) + sum(entry.size for entry in entries))
    temporary = unfinished(path)
    try:
        with temporary.open("xb", buffering=1 << 20) as file:
            file.write(header)
            for done, entry in enumerate(entries):
                before(done, entry.name)
                _write(file, entry, pieces(entry.name))
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            os.replace(temporary, path)
        else:
            _publish(temporary, path)
    except OSError as error:
        full = "; free some space" if error.errno == errno.ENOSPC else ""
        raise WebuiError(f"{path.name}: writing failed ({error.strerror}{full})") from error
    finally:
        temporary.unlink(missing_ok=True)


def in_order(entries: Iterable[TensorEntry]) -> list[TensorEntry]:
    """The entries in the order in which a file has them: wide values first, so that each lies aligned, then by name."""
    return sorted(entries, key=lambda entry: (-entry.dtype.itemsize, entry.name))


def header_of(entries: Iterable[TensorEntry], metadata: Mapping[str, str]) -> bytes:
    """What stands before the values of a file that has these entries, in this order."""
    table: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    at = 0
    for entry in entries:
        table[entry.name] = {
            "dtype": NAMES[entry.dtype],
            "shape": list(entry.shape),
            "data_offsets": [at, at + entry.size],
        }
        at += entry.size
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def packed(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """What a file of these tensors would hold: its header, then the values of each."""
    entries = in_order(TensorEntry.all_of(tensors))
    yield header_of(entries, metadata)
    for entry in entries:
        yield bytes_of(tensors[entry.name])


def bytes_of(tensor: Tensor) -> memoryview:
    """The values of a tensor as a file has them."""
    values = tensor.detach().cpu().contiguous().reshape(-1)
    return values.view(torch.uint8).numpy().data if values.numel() else memoryview(b"")


def _write(file: IO[bytes], entry: TensorEntry, pieces: Iterable[Tensor]) -> None:
    written = 0
    for piece in pieces:
        if piece.dtype != entry.dtype:
            raise WebuiError(f"tensor {entry.name}: made as {piece.dtype}, announced as {entry.dtype}")
        values = bytes_of(piece)
        file.write(values)
        written += len(values)
    if written != entry.size:
        raise WebuiError(f"tensor {entry.name}: {written} bytes were made, {entry.size} announced")


def _require_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed + _SPARE:
        raise WebuiError(
            f"{path.name}: needs {needed >> 20} MiB and the disk has {free >> 20} MiB left; free some space first"
        )


def _publish(temporary: Path, path: Path) -> None:
    """Give the finished file its name, unless the name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:  # on a disk without hard links, reserve the name with an empty file and rename over it
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            raise _taken(path) from None
        os.replace(temporary, path)
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name itself must survive a power cut
        finally:
            os.close(folder)


def _taken(path: Path) -> WebuiError:
    return WebuiError(f"{path.name}: there is a file of that name already; choose another name")
