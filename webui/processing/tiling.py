"""Makes pictures seamless: for the length of a job, convolutions wrap around the edges."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

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


class Seamless:
    """`wrapped_edges` for the length of a job, which can be set aside for a run inside it. A context manager."""

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        """`modules`: none where the job is not seamless."""
        self._modules = modules
        self._wrapped = ExitStack()

    def __enter__(self) -> "Seamless":
        self._wrapped.enter_context(wrapped_edges(self._modules))
        return self

    def __exit__(self, *raised: object) -> None:
        self._wrapped.close()

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """The edges are as they were before the job."""
        self._wrapped.close()
        try:
            yield
        finally:
            self._wrapped.enter_context(wrapped_edges(self._modules))
