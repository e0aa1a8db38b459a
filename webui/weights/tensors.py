"""Reads tensors from safetensors files one at a time, into memory of their own instead of a mapping of the file.

`pread` is used instead of mmap because a file that is truncated while it is mapped kills the process with SIGBUS; a
read that is too short is just an error.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

import torch
from torch import Tensor

from webui.domain.errors import UnusableFileError
from webui.library.headers import Header, read_header

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
        "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "I64": torch.int64, "I32": torch.int32,
        "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
    }
)  # fmt: skip
_PIECE = 1 << 17  # values converted at once, few enough to stay in the processor's cache
_CHUNK = 1 << 30  # a single read on Linux moves at most 2 GiB


class TensorSource(Protocol):
    """Named tensors that can be read one by one."""

    def names(self) -> Iterable[str]: ...
    def shape(self, name: str) -> tuple[int, ...]: ...
    def dtype(self, name: str) -> torch.dtype: ...
    def read(self, name: str) -> Tensor: ...
    def read_as(self, name: str, dtype: torch.dtype) -> Tensor: ...


class TensorFile:
    """An open safetensors file. Close it, or use it as a context manager."""

    def __init__(self, path: Path, reading: Callable[[], None] = lambda: None) -> None:
        """Open `path`; `reading` is called for each tensor that is read. Raises UnusableFileError as `read_header`."""
        self.path = path
        self._reading = reading
        self.header: Header = read_header(path)
        self._file = os.open(path, os.O_RDONLY)

    def names(self) -> Iterable[str]:
        return self.header.tensors.keys()

    def __contains__(self, name: object) -> bool:
        return name in self.header.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        return self.header.tensors[name].shape

    def dtype(self, name: str) -> torch.dtype:
        """Its dtype. Raises UnusableFileError when torch has no such type."""
        self._reading()
        stored = self.header.tensors[name].dtype
        if stored not in DTYPES:
            raise UnusableFileError(f"{self.path.name}: tensor {name} has the dtype {stored}, which is not supported")
        return DTYPES[stored]

    def read(self, name: str) -> Tensor:
        """The tensor, on the CPU, as stored.

        Raises:
            KeyError: no such name.
            UnusableFileError: the file shrank since it was opened, or cannot be read.
        """
        info = self.header.tensors[name]
        tensor = torch.empty(info.shape, dtype=self.dtype(name))
        if tensor.numel():
            self._fill(tensor.reshape(-1).view(torch.uint8).numpy().data, info.start, name)
        return tensor

    def read_as(self, name: str, dtype: torch.dtype) -> Tensor:
        """The tensor, on the CPU, cast to `dtype` piece by piece, so that no second copy of it is ever made.

        Raises: as `read`.
        """
        stored = self.dtype(name)
        if stored == dtype:
            return self.read(name)
        info = self.header.tensors[name]
        tensor = torch.empty(info.shape, dtype=dtype)
        flat, piece = tensor.reshape(-1), torch.empty(min(_PIECE, tensor.numel()), dtype=stored)
        # the fastest way from one half precision format to another is over float32
        middle = (
            torch.empty_like(piece, dtype=torch.float32) if piece.element_size() == flat.element_size() == 2 else None
        )
        for start in range(0, flat.numel(), _PIECE):
            part = flat[start : start + _PIECE]
            source = piece[: part.numel()]
            self._fill(source.view(torch.uint8).numpy().data, info.start + start * piece.element_size(), name)
            part.copy_(source if middle is None else middle[: part.numel()].copy_(source))
        return tensor

    def _fill(self, memory: memoryview, at: int, name: str) -> None:
        done = 0
        while done < len(memory):
            try:
                got = os.preadv(self._file, [memory[done : done + _CHUNK]], at + done)
            except OSError as error:
                raise UnusableFileError(f"{self.path.name}: reading {name} failed ({error.strerror})") from error
            if not got:
                raise UnusableFileError(f"{self.path.name}: ends inside tensor {name}; the file has changed on disk")
            done += got

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
