"""Networks that estimate depth, as transformers builds them: from pixels to nearness. Which files hold them is told
elsewhere: checkpoints in `midas.py`, folders in Hugging Face's form in `pretrained.py`.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

Fit = Literal["least", "cover", "stretch"]
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class Input:
    """What a network wants to see.

    Attributes:
        height, width: the size it was trained at, in pixels.
        multiple: of which both sides must be.
        fit: `stretch` to that size; or keep the aspect, and scale by that of the two sides which needs the `least`
            change, or so that the size is `cover`ed.
        mean, std: of the colours that are taken as 0 and 1.
    """

    height: int
    width: int
    multiple: int
    fit: Fit
    mean: tuple[float, float, float] = HALF
    std: tuple[float, float, float] = HALF

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size at which a picture of height x width is shown to the network."""
        down, across = self.height / height, self.width / width
        if self.fit == "least":
            down = across = min(down, across, key=lambda scale: abs(1 - scale))
        elif self.fit == "cover":
            down = across = max(down, across)
        return self._fitting(down * height), self._fitting(across * width)

    def _fitting(self, side: float) -> int:
        return max(1, round(side / self.multiple)) * self.multiple


class DepthNetwork:
    """A depth network with its weights. Used from one thread.

    Args:
        module: a depth estimator of transformers, in evaluation mode.
        shown: how pictures are brought to it.
    """

    def __init__(self, module: nn.Module, shown: Input) -> None:
        self.module = module
        self.shown = shown

    @torch.inference_mode()
    def __call__(self, pixels: Tensor, *, resized: bool = True) -> Tensor:
        """Depth as the network answers it: nearness for networks of relative depth, metres for others.

        Args:
            pixels: (B, 3, H, W) in 0..1.
            resized: bring the pictures to the size that the network was trained at; else their own sides must be
                such that it takes them.

        Returns:
            (B, 1, h, w) float32, of the network's own size.
        """
        weight = next(self.module.parameters())
        pixels = pixels.to(weight.device, torch.float32)
        size = self.shown.size(pixels.shape[-2], pixels.shape[-1])
        if resized and tuple(pixels.shape[-2:]) != size:
            pixels = interpolate(pixels, size, mode="bicubic", align_corners=False)
        mean, std = (pixels.new_tensor(values)[:, None, None] for values in (self.shown.mean, self.shown.std))
        return answer(self.module, ((pixels - mean) / std).to(weight.dtype)).float()[:, None]


def answer(module: Any, pixels: Tensor) -> Tensor:
    """(B, 3, H, W) as the network wants it -> (B, h, w).

    A DPT on its own transformer (arXiv:2103.13413) is run part by part: as a whole transformers' takes only square
    pictures, though position embeddings and decoder fit any whose sides are multiples of the patch.
    """
    if getattr(module, "dpt", None) is None:
        found: Tensor = module(pixels).predicted_depth
        return found
    config, dpt = module.config, module.dpt
    further = {"interpolate_pos_encoding": True} if config.is_hybrid else {}
    embedded = dpt.embeddings(pixels, **further)
    hidden, features = embedded.last_hidden_states, list(embedded.intermediate_activations or ())
    taps = list(config.backbone_out_indices)[len(features) :]
    for index, layer in enumerate(dpt.encoder.layer):
        hidden = layer(hidden)
        features.extend(hidden for tap in taps if tap == index)
    rows, columns = (side // config.patch_size for side in pixels.shape[-2:])
    depth: Tensor = module.head(module.neck(features, rows, columns))
    return depth
