"""How many numbers the networks in a checkpoint have, from its header alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from webui.library.family import ModelSpec
from webui.library.headers import Header
from webui.library.idle_tensors import idle_reason
from webui.library.shapes import UnetShape, VaeShape

_DEPTH = "depth_model."


@dataclass(frozen=True, slots=True)
class WeightCounts:
    """Numbers of each network; 0 for one that is not in the file."""

    network: int = 0
    text: int = 0
    vae: int = 0
    depth: int = 0


def counted(header: Header, spec: ModelSpec) -> WeightCounts:
    """The networks of a checkpoint. What belongs to none that is known counts for the text encoders."""
    network = frozenset(spec.network.keys.values()) if isinstance(spec.network, UnetShape) else frozenset[str]()
    vae = frozenset(spec.vae.keys.values()) if spec.vae is not None else frozenset[str]()
    others = [name for name in header.tensors if name not in network and name not in vae and not idle_reason(name)]
    depth = [name for name in others if name.startswith(_DEPTH)]
    text = [name for name in others if not name.startswith(_DEPTH)]
    return WeightCounts(_sum(header, network), _sum(header, text), _sum(header, vae), _sum(header, depth))


def counted_vae(header: Header, shape: VaeShape) -> int:
    """Numbers of the VAE in a file."""
    return _sum(header, shape.keys.values())


def _sum(header: Header, names: Iterable[str]) -> int:
    return sum(prod(header.tensors[name].shape) for name in names)
