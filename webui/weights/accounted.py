"""The tensors of a checkpoint or VAE that networks are built from: scales multiplied in, and each accounted for."""

from collections.abc import Collection, Iterable

import torch
from torch import Tensor

from webui.domain.errors import UnusableFileError
from webui.library.accounting import Account
from webui.library.idle_tensors import idle_reason
from webui.weights.scales import scales_of
from webui.weights.tensors import TensorFile


class AccountedTensors:
    """Implements `TensorSource` over an open file. What is read counts as used.

    Attributes:
        account: of those tensors that whoever reads is answerable for.
    """

    def __init__(self, file: TensorFile, title: str, names: Collection[str] | None = None) -> None:
        """
        Args:
            title: of the file, for sentences.
            names: of the tensors that are accounted for; None: all.

        Raises:
            UnusableFileError: a scale in it fits nothing.
        """
        self._file = file
        self._scales = scales_of(file.header.shapes)
        self._beside = frozenset(self._scales.values())
        self.account = Account(title, file.names() if names is None else names)
        for name in self.account.unread:
            reason = idle_reason(name)
            if reason:
                self.account.leave_out(reason, name)

    def names(self) -> Iterable[str]:
        """Names of the tensors, those of scales apart."""
        return [name for name in self._file.names() if name not in self._beside]

    def shape(self, name: str) -> tuple[int, ...]:
        return self._file.shape(name)

    def dtype(self, name: str) -> torch.dtype:
        return torch.float32 if name in self._scales else self._file.dtype(name)

    def read(self, name: str) -> Tensor:
        """The tensor as stored, or in float32 where a scale was multiplied in. Raises as `TensorFile.read`."""
        self.account.use(name)
        scale = self._scales.get(name)
        return self._file.read(name) if scale is None else self._multiplied(name, scale)

    def read_as(self, name: str, dtype: torch.dtype) -> Tensor:
        """As `TensorFile.read_as`, with the scale multiplied in."""
        self.account.use(name)
        scale = self._scales.get(name)
        return self._file.read_as(name, dtype) if scale is None else self._multiplied(name, scale).to(dtype)

    def _multiplied(self, name: str, scale: str) -> Tensor:
        self.account.use(scale)
        factor, weight = self._file.read_as(scale, torch.float32), self._file.read_as(name, torch.float32)
        if not bool(torch.isfinite(factor).all()):
            raise UnusableFileError(f"the scale {scale} holds NaN or infinity; the file is damaged")
        rows = factor.reshape(-1, *[1] * (weight.dim() - 1)) if factor.numel() > 1 else factor.reshape(())
        return weight.mul_(rows)
