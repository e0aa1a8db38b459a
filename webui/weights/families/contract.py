"""What the torch half of a family does: it builds the networks of a checkpoint and says how they are asked."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from webui.domain.catalog import SamplerInfo
from webui.domain.request import Schedule
from webui.library.family import Family, ModelSpec
from webui.prompt.ports import TextStack
from webui.sampling.parameterisation import Parameterisation
from webui.sampling.schedules import SigmaTable
from webui.weights.depth import DepthNetwork
from webui.weights.model import NetworkDoor
from webui.weights.tensors import TensorSource
from webui.weights.text_encoders import TensorReader


@dataclass(frozen=True, slots=True)
class Built:
    """The networks of a checkpoint, its VAE apart.

    Attributes:
        spec: as it was detected, or with what only the weights could tell.
        depth: what a depth checkpoint estimates depth with; None in all others.
    """

    spec: ModelSpec
    network: NetworkDoor
    text: TextStack
    depth: DepthNetwork | None = None


@runtime_checkable
class Networks(Protocol):
    """What `Family.networks` gives. One object serves every family whose refiners and second passes may be mixed: their
    checkpoints have the same noise levels."""

    def build(
        self, source: TensorSource, spec: ModelSpec, device: torch.device, dtype: torch.dtype, *, fast_cpu: bool
    ) -> Built:
        """The networks with their weights.

        Args:
            fast_cpu: lay them out for the CPU's faster paths.

        Raises:
            UnusableFileError: a tensor is missing or has another shape than it must have.
            NotFiniteError: weights that are NaN or infinite.
        """

    def build_text(self, source: TensorReader, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> TextStack:
        """The text side alone. Raises as `build`."""

    def levels(self, spec: ModelSpec, options: Schedule) -> SigmaTable:
        """The noise levels of a checkpoint."""

    def asked(self, spec: ModelSpec, levels: SigmaTable, sampler: SamplerInfo, *, quantize: bool) -> Parameterisation:
        """How the network of a checkpoint is asked in a run.

        Args:
            levels: those that the run goes by.
            quantize: round the times that it is told to those that it was trained on.
        """


def networks_of(family: Family) -> Networks:
    """The torch half of a family. Raises TypeError where it is none, which is a fault of the family's folder."""
    found = family.networks()
    if not isinstance(found, Networks):
        raise TypeError(f"family {family.name}: `networks` gives {type(found).__name__}, which is no torch half")
    return found
