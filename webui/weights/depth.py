"""Runs networks of transformers that estimate depth. They are built in `midas.py` (from a depth checkpoint) and
`annotators.py` (from a folder in Hugging Face's form).
"""

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from webui.weights.inputs import Input
from webui.weights.resident import Resident


class DepthNetwork:
    """A depth network with its weights.

    Args:
        module: a depth estimator of transformers, in evaluation mode.
        shown: the size and the colours in which it wants pictures.
        takes_any: whether it works at every size whose sides are multiples of `shown.multiple`.
        is_distance: whether its output is large where things are far, instead of near.
    """

    def __init__(self, module: nn.Module, shown: Input, *, takes_any: bool = False, is_distance: bool = False) -> None:
        self.module = module
        self.resident = Resident("depth network", module)
        self.shown = shown
        self.takes_any = takes_any
        self.is_distance = is_distance

    @torch.inference_mode()
    def __call__(self, pixels: Tensor, *, resized: bool = True) -> Tensor:
        """The depth that the network estimates.

        Args:
            pixels: (B, 3, H, W) in 0..1.
            resized: whether pictures are brought to the size that the network was trained at. False needs `takes_any`.

        Returns:
            (B, 1, h, w) float32, of the size that the network outputs.
        """
        with self.resident.use():
            return self._depth(pixels, resized=resized)

    def _depth(self, pixels: Tensor, *, resized: bool) -> Tensor:
        weight = next(self.module.parameters())
        pixels = pixels.to(self.resident.device or weight.device, torch.float32)
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

    A DPT on its own transformer (arXiv:2103.13413) is run part by part, because the whole module of transformers takes
    only square pictures. Its parts fit all pictures whose sides are multiples of the patch.
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
