"""The torch half of a family: it builds the networks of a checkpoint, and gives their noise levels and their
parameterisation.
"""

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
from webui.weights.model import NetworkWrapper
from webui.weights.tensors import TensorSource
from webui.weights.text_encoders import TensorReader


@dataclass(frozen=True, slots=True)
class Built:
    """The networks of a checkpoint without its VAE.

    Attributes:
        spec: as detected from the file, with what only the weights can tell added.
        depth: the depth network of a depth checkpoint; None in all others.
    """

    spec: ModelSpec
    network: NetworkWrapper
    text: TextStack
    depth: DepthNetwork | None = None


@runtime_checkable
class Networks(Protocol):
    """The value of `Family.networks`. Families that share one object have the same noise levels, so that a checkpoint
    of one may be the refiner of another's, or run its second pass.
    """

    def build(
        self, source: TensorSource, spec: ModelSpec, device: torch.device, dtype: torch.dtype, *, fast_cpu: bool
    ) -> Built:
        """The networks with their weights.

        Args:
            fast_cpu: whether to lay them out for faster CPU code.

        Raises:
            UnusableFileError: a tensor is missing or has another shape than it must have.
            NotFiniteError: weights that are NaN or infinite.
        """

    def build_text(self, source: TensorReader, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> TextStack:
        """The text encoders alone. Raises as `build`."""

    def levels(self, spec: ModelSpec, options: Schedule) -> SigmaTable:
        """The noise levels of a checkpoint."""

    def asked(self, spec: ModelSpec, levels: SigmaTable, sampler: SamplerInfo, *, quantize: bool) -> Parameterisation:
        """The parameterisation of a checkpoint's network for a run.

        Args:
            levels: the noise levels of the run.
            quantize: whether timesteps are rounded to those that the network was trained on.
        """


def networks_of(family: Family) -> Networks:
    """The torch half of a family. Raises TypeError where `Family.networks` gives something else, which is a bug."""
    found = family.networks()
    if not isinstance(found, Networks):
        raise TypeError(f"family {family.name}: `networks` gives {type(found).__name__}, which is no torch half")
    return found
