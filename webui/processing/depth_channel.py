"""The channel that depth checkpoints get beside the latents: how near each part of the picture is. The networks that
estimate depth are in `webui/weights`.
"""

from torch import Tensor
from torch.nn.functional import interpolate

from webui.weights.depth import DepthNetwork


def depth_channel(network: DepthNetwork, pixels: Tensor, cells: tuple[int, int]) -> Tensor:
    """A picture's depth, (1, 3, H, W) in 0..1 -> (1, 1, h, w) in -1..1: the nearest is 1, the farthest -1.

    As in A1111, the depth is resized to the latents by a bicubic filter and then stretched over the whole range. Equal
    depth everywhere becomes 0.
    """
    small = interpolate(network(pixels), cells, mode="bicubic", align_corners=False)
    low, high = small.aminmax()
    if not high > low:
        return small.new_zeros(small.shape)
    return 2 * (small - low) / (high - low) - 1
