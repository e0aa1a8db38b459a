"""Parts of the network left out or scaled, as merges by block and FreeU change them: for the length of a job."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from webui.extension_api import BadRequestError


@contextmanager
def scaled(unet: nn.Module, scales: Mapping[str, float]) -> Iterator[None]:
    """While entered, what each named part adds to what goes past it counts times its scale: input + scale x (output -
    input). Where a residual block changes the number of channels, its shortcut stands for the input; a part that
    nothing goes past (a convolution, down- and upsampling) has its whole output scaled.

    Raises:
        BadRequestError: the network has no such part.
    """
    known = dict(unet.named_modules())
    for name in scales:
        if name not in known:
            raise BadRequestError("extensions.run_recorder.blocks", f"this network has no part {name}")
    handles = [known[name].register_forward_hook(_Scale(scale)) for name, scale in scales.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Scale:
    """A forward hook of one part."""

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def __call__(self, module: Any, given: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, Tensor):
            return self._of(module, given, output)
        if isinstance(output, tuple):
            return (self._of(module, given, output[0]), *output[1:])
        output.sample = self._of(module, given, output.sample)
        return output

    def _of(self, module: Any, given: tuple[Any, ...], output: Tensor) -> Tensor:
        past = given[0] if given else None
        shortcut = getattr(module, "conv_shortcut", None)
        if past is not None and shortcut is not None and not isinstance(shortcut, bool):
            past = shortcut(past)
        if past is None or past.shape != output.shape or isinstance(module, nn.Conv2d):
            return output * self._scale
        return torch.lerp(past, output, self._scale)
