"""A source of tensors held in memory, for tests that need no file."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from webui.library.headers import Header


class Memory:
    """Implements `webui.weights.tensors.TensorSource`."""

    def __init__(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
        self._tensors = tensors
        self.header = Header({}, metadata or {})

    def names(self) -> Iterable[str]:
        return self._tensors.keys()

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._tensors[name].shape)

    def dtype(self, name: str) -> torch.dtype:
        return self._tensors[name].dtype

    def read(self, name: str) -> Tensor:
        return self._tensors[name].clone()

    def read_as(self, name: str, dtype: torch.dtype) -> Tensor:
        return self.read(name).to(dtype)
