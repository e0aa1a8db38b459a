"""Networks that estimate depth, as transformers builds them: from pixels to depth. Which files hold them is told
elsewhere: checkpoints in `midas.py`, folders in Hugging Face's form in `annotators.py`.
"""

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from webui.weights.inputs import Input


class DepthNetwork:
    """A depth network with its weights.

    Args:
        module: a depth estimator of transformers, in evaluation mode.
        shown: how pictures are brought to it.
        takes_any: it works at any size whose sides are multiples of `shown.multiple`.
        is_distance: it answers how far things are, not how near.
    """

    def __init__(self, module: nn.Module, shown: Input, *, takes_any: bool = False, is_distance: bool = False) -> None:
        self.module = module
        self.shown = shown
        self.takes_any = takes_any
        self.is_distance = is_distance

    @torch.inference_mode()
    def __call__(self, pixels: Tensor, *, resized: bool = True) -> Tensor:
        """Depth as the network answers it.

        Args:
            pixels: (B, 3, H, W) in 0..1.
            resized: bring the pictures to the size that the network was trained at. False needs `takes_any`.

        Returns:
            (B, 1, h, w) float32, of the size that the network answers in.
        """
        weight = next(self.module.parameters())
        pixels = pixels.to(weight.device, torch.float32)
        down, across = (int(sqrt(side / 2) * self.shown.rim) for side in pixels.shape[-2:])
        if not down and not across:
            return self._asked(pixels, resized=resized)
        wide = pad(pixels, (across, across, down, down), mode="reflect")
        depth = (self._asked(wide, resized=resized) + self._asked(wide.flip(-1), resized=resized).flip(-1)) / 2
        depth = interpolate(depth, wide.shape[-2:], mode="bicubic", align_corners=False)
        return depth[..., down : down + pixels.shape[-2], across : across + pixels.shape[-1]]

    def _asked(self, pixels: Tensor, *, resized: bool) -> Tensor:
        weight = next(self.module.parameters())
        return answer(self.module, self.shown.applied(pixels, resized=resized).to(weight.dtype)).float()[:, None]


def answer(module: Any, pixels: Tensor) -> Tensor:
    """(B, 3, H, W) as the network wants it -> (B, h, w).

    A DPT on its own transformer (arXiv:2103.13413) is run part by part: as a whole, transformers' takes only square
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
