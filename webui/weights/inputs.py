"""The form in which networks take pictures: their size, and the scaling of their colours."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import interpolate

Fit = Literal["least", "cover", "stretch"]
Triple = tuple[float, float, float]
HALF: Triple = (0.5, 0.5, 0.5)
IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Input:
    """The form in which a network takes pictures.

    Attributes:
        height, width: the size it was trained at, in pixels.
        multiple: both sides must be multiples of this.
        fit: `stretch` to that size; or keep the aspect, and scale by that of the two sides which needs the `least`
            change, or so that the size is `cover`ed.
        mean, std: the mean and the standard deviation, by channel, that are normalised to 0 and 1.
        rim: how wide a reflected rim is put around, in roots of half a side (ZoeDepth, arXiv:2302.12288: 3); with one
            the mirrored picture is looked at too, and both answers averaged.
    """

    height: int
    width: int
    multiple: int
    fit: Fit
    mean: Triple = HALF
    std: Triple = HALF
    rim: float = 0.0

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size at which the network gets a picture of height x width."""
        down, across = self.height / height, self.width / width
        if self.fit == "least":
            down = across = min(down, across, key=lambda scale: abs(1 - scale))
        elif self.fit == "cover":
            down = across = max(down, across)
        return self._fitting(down * height), self._fitting(across * width)

    def _fitting(self, side: float) -> int:
        return max(1, round(side / self.multiple)) * self.multiple

    def applied(self, pixels: Tensor, *, resized: bool) -> Tensor:
        """(B, 3, H, W) in 0..1 as the network wants it: its colours, and its size where it is `resized`."""
        size = self.size(pixels.shape[-2], pixels.shape[-1])
        if resized and tuple(pixels.shape[-2:]) != size:
            pixels = interpolate(pixels, size, mode="bicubic", align_corners=False)
        mean, std = (pixels.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (pixels - mean) / std
