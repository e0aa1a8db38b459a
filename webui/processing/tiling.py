"""Makes pictures seamless: for the length of a job, convolutions wrap around the edges."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def wrapped_edges(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Give every Conv2d of the modules circular padding; their own padding is restored at the end, also after an
    error.
    """
    changed = [
        (layer, layer.padding_mode)
        for module in modules
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d) and any(part for part in layer.padding)
    ]
    try:
        for layer, _ in changed:
            layer.padding_mode = "circular"
        yield
    finally:
        for layer, mode in changed:
            layer.padding_mode = mode
