"""The blocks of MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), by the names that torchvision gives them."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import batch_norm, pad, relu6

from .annotator_weights import Weights
from .edge_networks import convolved

Pad = Callable[[Tensor, int], Tensor]  # widens a map by a border of zeros, by the stride of what follows


def evenly(hidden: Tensor, stride: int) -> Tensor:
    """A border of one pixel, as torch pads."""
    return pad(hidden, (1, 1, 1, 1))


def as_tensorflow(hidden: Tensor, stride: int) -> Tensor:
    """As TensorFlow pads: what is halved has a border at the right and at the bottom only."""
    return pad(hidden, (0, 1, 0, 1)) if stride == 2 else evenly(hidden, stride)


def normed(weights: Weights, name: str, hidden: Tensor) -> Tensor:
    """Batch normalisation with the statistics of a file."""
    mean, var = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    return batch_norm(hidden, mean, var, weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-5)


def stem(weights: Weights, at: str, pixels: Tensor, widened: Pad) -> Tensor:
    """The first convolution, which halves the size."""
    return relu6(normed(weights, f"{at}.1", convolved(weights, f"{at}.0", widened(pixels, 2), stride=2)))


def inverted_residual(weights: Weights, at: str, hidden: Tensor, stride: int, widened: Pad) -> Tensor:
    """Wider, each channel for itself, and narrower again; what comes in is added where nothing changes its shape."""
    inner, layer = hidden, 0
    if f"{at}.conv.1.0.weight" in weights:
        inner = relu6(normed(weights, f"{at}.conv.0.1", convolved(weights, f"{at}.conv.0.0", hidden)))
        layer = 1
    name = f"{at}.conv.{layer}"
    each = convolved(weights, f"{name}.0", widened(inner, stride), stride=stride, groups=inner.shape[1])
    each = relu6(normed(weights, f"{name}.1", each))
    made = normed(weights, f"{at}.conv.{layer + 2}", convolved(weights, f"{at}.conv.{layer + 1}", each))
    return hidden + made if stride == 1 and made.shape == hidden.shape else made
