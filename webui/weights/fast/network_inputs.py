"""What a call of a UNet is given, as tensors alone: two calls with the same key run the same kernels."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class NetworkInputs:
    """Everything on the network's device and in its number format, but for the timestep, which is float32.

    Attributes:
        sample: (rows, C_in, h, w).
        timestep: (rows,).
        context: (rows, T, D).
        vector: (rows, D_y), or None.
        guidance: (rows, G) embedded guidance scale, or None.
        down, mid: residuals of all skip connections and of the middle block; both or none.
        levels: residuals of the levels, or None.
    """

    sample: Tensor
    timestep: Tensor
    context: Tensor
    vector: Tensor | None = None
    guidance: Tensor | None = None
    down: tuple[Tensor, ...] | None = None
    mid: Tensor | None = None
    levels: tuple[Tensor, ...] | None = None

    @property
    def key(self) -> Key:
        """Shapes and formats of all that is there, and how products are added up (`Speed.fp16_accumulation`)."""
        shapes = tuple(
            tuple((tuple(one.shape), one.dtype) for one in group) if group is not None else None
            for group in self._groups()
        )
        return (*shapes, torch.backends.cuda.matmul.allow_fp16_accumulation)

    def copied(self) -> "NetworkInputs":
        """The same values in memory of their own, whose addresses nobody else has."""

        def own(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.clone(memory_format=torch.contiguous_format)

        def owned(group: tuple[Tensor, ...] | None) -> tuple[Tensor, ...] | None:
            return None if group is None else tuple(one.clone() for one in group)

        return NetworkInputs(
            self.sample.clone(), self.timestep.clone(), self.context.clone(), own(self.vector), own(self.guidance),
            owned(self.down), own(self.mid), owned(self.levels),
        )  # fmt: skip

    def take(self, other: "NetworkInputs") -> None:
        """Write the values of inputs with the same key into these. Waits for nothing."""
        for mine, theirs in zip(self._groups(), other._groups(), strict=True):
            for here, there in zip(mine or (), theirs or (), strict=True):
                here.copy_(there, non_blocking=True)

    def _groups(self) -> Iterator[tuple[Tensor, ...] | None]:
        for field in fields(self):
            value = getattr(self, field.name)
            yield (value,) if isinstance(value, Tensor) else value
