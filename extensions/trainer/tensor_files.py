"""Writes safetensors files whose bytes follow from what is in them: names and metadata are sorted.

Format: 8 bytes little-endian header length, JSON, tensors back to back (https://github.com/huggingface/safetensors).
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from webui.extension_api import WebuiError, unfinished

_NAMES: Mapping[torch.dtype, str] = MappingProxyType(
    {
        torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
        torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
        torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    }
)  # fmt: skip
_SPARE = 32 << 20  # bytes that must stay free on the disk


class Entry(NamedTuple):
    """A tensor that is to be written."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


def entries_of(tensors: Mapping[str, Tensor]) -> list[Entry]:
    """The entries of tensors in memory."""
    return [Entry(name, value.dtype, tuple(value.shape)) for name, value in tensors.items()]


def write_tensors(
    path: Path,
    entries: Iterable[Entry],
    read: Callable[[str], Tensor],
    metadata: Mapping[str, str],
    *,
    replaces: bool = False,
) -> None:
    """Write `path`, or nothing: the file is written under another name and renamed when it is on the disk.

    Args:
        read: gives the values of an entry when it is its turn.
        replaces: whether a file of that name may be there.

    Raises:
        WebuiError: a file of that name is there, or the disk is full.
    """
    ordered = _ordered(entries)
    head = _head(ordered, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    needed, free = len(head) + sum(one.size for one in ordered), shutil.disk_usage(path.parent).free
    if free < needed + _SPARE:
        raise WebuiError(
            f"{path.name}: needs {needed >> 20} MiB and the disk has {free >> 20} MiB left; free some space"
        )
    if path.exists() and not replaces:
        raise WebuiError(f"{path.name}: there is a file of that name already; choose another name")
    temporary = unfinished(path)
    try:
        with temporary.open("xb") as file:
            file.write(head)
            for entry in ordered:
                file.write(_bytes(read(entry.name), entry))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        full = "; free some space" if error.errno == errno.ENOSPC else ""
        raise WebuiError(f"{path.name}: writing failed ({error.strerror}{full})") from error
    finally:
        temporary.unlink(missing_ok=True)


def body_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 in hex of what follows the header (kohya's `sshs_model_hash`)."""
    digest = hashlib.sha256()
    for entry in _ordered(entries_of(tensors)):
        digest.update(_bytes(tensors[entry.name], entry))
    return digest.hexdigest()


def legacy_hash(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """The short hash of old programs (kohya's `sshs_legacy_hash`): of 64 KiB from the second MiB of the file on."""
    entries = _ordered(entries_of(tensors))
    whole = _head(entries, metadata) + b"".join(_bytes(tensors[entry.name], entry) for entry in entries)
    return hashlib.sha256(whole[0x100000:0x110000]).hexdigest()[:8]


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda one: (-one.dtype.itemsize, one.name))  # so that each lies aligned


def _head(entries: Iterable[Entry], metadata: Mapping[str, str]) -> bytes:
    table: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    at = 0
    for one in entries:
        table[one.name] = {
            "dtype": _NAMES[one.dtype], "shape": list(one.shape), "data_offsets": [at, at + one.size],
        }  # fmt: skip
        at += one.size
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _bytes(tensor: Tensor, entry: Entry) -> bytes:
    if tensor.dtype != entry.dtype or tuple(tensor.shape) != entry.shape:
        raise WebuiError(
            f"tensor {entry.name}: is {tensor.dtype} {tuple(tensor.shape)}, announced as {entry.dtype} {entry.shape}"
        )
    values = tensor.detach().cpu().contiguous().reshape(-1)
    return values.view(torch.uint8).numpy().tobytes() if values.numel() else b""
