"""What the formulas of several kinds of adapters share: products of small matrices, and sizes."""

import torch
from torch import Tensor, nn


def is_count(columns: int, shape: torch.Size) -> bool:
    """Whether a row has this many values; a first convolution of 9 channels also takes what was made for 4."""
    return columns == shape[1:].numel() or (_is_inpainting(shape) and columns == 4 * shape[2:].numel())


def _is_inpainting(shape: torch.Size) -> bool:
    return len(shape) == 4 and shape[1] == 9


def fitted(delta: Tensor, weight: Tensor) -> Tensor:
    """In the shape of the weight; a 9-channel convolution gets zeros for the 5 channels that no one was trained on."""
    if delta.numel() == weight.numel():
        return delta.reshape(weight.shape)
    four = delta.reshape(weight.shape[0], 4, *weight.shape[2:])
    return nn.functional.pad(four, (0, 0, 0, 0, 0, weight.shape[1] - 4))


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
