"""What the formulas of several kinds of adapters share: products of small matrices, and sizes."""

import torch
from torch import Tensor, nn


def is_count(columns: int, shape: torch.Size) -> bool:
    """Whether a row has this many values; an inpainting checkpoint's first convolution also takes those for latents."""
    return columns in (shape[1:].numel(), _latents(shape) * shape[2:].numel())


def _latents(shape: torch.Size) -> int:
    """Channels of the latents in a convolution that sees a mask and another picture's latents too; -1 for others."""
    return shape[1] // 2 if len(shape) == 4 and shape[1] % 2 else -1


def fitted(delta: Tensor, weight: Tensor) -> Tensor:
    """In the shape of the weight; the channels of an inpainting checkpoint that no one was trained on get zeros."""
    if delta.numel() == weight.numel():
        return delta.reshape(weight.shape)
    own = delta.reshape(weight.shape[0], _latents(weight.shape), *weight.shape[2:])
    return nn.functional.pad(own, (0, 0, 0, 0, 0, weight.shape[1] - own.shape[1]))


def product(factors: tuple[Tensor, ...], weight: Tensor) -> Tensor:
    """The matrix itself, or the product of two; rounded once to the format of `weight` where that is fp16 on a CPU."""
    if len(factors) == 1:
        return factors[0].to(weight)
    like = _computing(weight)
    return (factors[0].flatten(1).to(like) @ factors[1].flatten(1).to(like)).to(weight)


def _computing(weight: Tensor) -> Tensor:
    """CPUs multiply fp16 many times slower than float32."""
    return weight.float() if weight.dtype == torch.float16 and weight.device.type == "cpu" else weight


def tucker(core: Tensor, a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """core (r, s, kh, kw) between a (r, out) and b (s, in) -> (out, in, kh, kw)."""
    like = _computing(weight)
    return torch.einsum("rshw,ro,si->oihw", core.to(like), a.to(like), b.to(like)).to(weight)
